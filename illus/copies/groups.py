"""Links between rows -> groups; a random draw of whole groups.

In: pairs of positions, or the class and group of each row. Out: group numbers, or which rows are drawn.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as components

TOLERANCE = 0.02  # of the drawn share of a class


def connected_components(n: int, pairs: np.ndarray) -> np.ndarray:
    """Number of each node's connected component, in the order of first members; int, shape (n,).

    ``pairs``, int, shape (links, 2), are the nodes that are linked.

    >>> connected_components(4, np.array([[1, 3]])).tolist()
    [0, 1, 2, 1]
    """
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return pd.factorize(components(links, directed=False)[1])[0]


def group_members(labels: np.ndarray) -> list[np.ndarray]:
    """Positions of the members of each group of two or more, sorted; ``labels`` is int, shape (n,)."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [part for part in parts if len(part) > 1]


def draw_groups(
    class_names: pd.Series, groups: pd.Series, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw about ``share`` (0 to 1) of every class by whole groups; bool, (n,): members of drawn groups.

    A group counts for the class of most of its members. Groups are tried in random order and drawn while
    the class exceeds its share by at most ``TOLERANCE``; if all are too large for that, the smallest is
    drawn, of several as small the first, so that no class of two groups or more is left out.
    """
    home = class_names.groupby(groups).agg(lambda c: c.value_counts().sort_index().idxmax())
    sizes = groups.value_counts()
    drawn = []
    for class_name, members in home.groupby(home).groups.items():
        wanted, taken = share * (class_names == class_name).sum(), 0
        order = rng.permutation(sorted(members))
        for group in order:
            if taken + sizes[group] <= (1 + TOLERANCE) * wanted:
                drawn.append(group)
                taken += sizes[group]
        if not taken and wanted and len(members) > 1:
            drawn.append(min(order, key=sizes.__getitem__))
    return groups.isin(drawn).to_numpy()
