"""Kept rows -> data set: who trains, who validates.

In: catalog, and where they exist the tables of duplicates and photos. Out: dataset.csv.
"""

import numpy as np

from evaluate import natural_key

COLUMNS = ["path", "class_name", "class_id", "group", "split", "copies", "sha256"]


def split(catalog, duplicates=None, photos=None, fractions=None, seed=0):
    """Split the readable, kept pictures by whole groups, each class in the same proportions.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.catalog.scan`; rows with an error are left out.
    duplicates : pandas.DataFrame, optional
        ``path``, ``group``, ``keep``: rows not kept are left out, groups stay on one side.
        Without it, files with the same bytes are a group.
    photos : pandas.DataFrame, optional
        ``path``, ``is_photo``: photos are left out.
    fractions : dict of str to float, default ``{"train": 0.9, "validation": 0.1}``
        Share of each part; the first takes what is left over.
    seed : int, default 0

    Returns
    -------
    pandas.DataFrame
        ``path``, ``class_name``, ``class_id`` (position in class order), ``group``, ``split``,
        ``copies`` (1: how often the picture is shown per epoch), ``sha256``. Sorted as the catalog.

    Raises
    ------
    ValueError
        Nothing is left to split, or a part would be empty.
    """
    fractions = fractions or {"train": 0.9, "validation": 0.1}
    rows = catalog[catalog.error == ""].copy()
    rows["group"] = rows.sha256.str[:16]
    if duplicates is not None:
        found = duplicates.set_index("path")
        rows["group"] = rows.path.map(found.group.astype(str)).fillna(rows.group)
        rows = rows[~rows.path.isin(found.index[~found.keep])]
    if photos is not None:
        rows = rows[~rows.path.isin(photos.path[photos.is_photo])]
    if rows.empty:
        raise ValueError("no readable picture is left to split")
    classes = sorted(rows.class_name.unique(), key=natural_key)
    rows["class_id"] = rows.class_name.map({name: i for i, name in enumerate(classes)})
    first, *others = fractions
    rng = np.random.default_rng(seed)
    rows["split"] = first
    for part in others:
        free = rows[rows.split == first]
        share = fractions[part] * len(rows) / len(free)
        rows.loc[free.index[draw_groups(free.class_name, free.group, share, rng)], "split"] = part
        if not (rows.split == part).any():
            raise ValueError(f"too few pictures to give the part {part!r} {fractions[part]:.0%} of them")
    return rows.assign(copies=1)[COLUMNS].reset_index(drop=True)


def draw_groups(class_names, groups, share, rng):
    """Draw about ``share`` of every class by whole groups.

    A group belongs to the class that most of its members have. Groups are tried in random order
    and taken while the class stays within 2 % above its share.

    Parameters
    ----------
    class_names, groups : pandas.Series of str, shape (n,)
    share : float
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        bool, shape (n,), True for members of drawn groups.
    """
    home = class_names.groupby(groups).agg(lambda c: c.value_counts().sort_index().idxmax())
    sizes = groups.value_counts()
    drawn = []
    for class_name, members in home.groupby(home).groups.items():
        wanted, taken = share * (class_names == class_name).sum(), 0
        for group in rng.permutation(sorted(members)):
            if taken + sizes[group] <= 1.02 * wanted:
                drawn.append(group)
                taken += sizes[group]
    return groups.isin(drawn).to_numpy()
