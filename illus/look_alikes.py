"""A stricter validation part: drawings that do not look like those trained on.

In: the table of dataset.csv and the class folders. Out: the same table with new groups and parts.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from illus.balance import COLUMNS, draw_groups
from illus.duplicates import connect
from illus.fingerprints import fingerprints

CLUSTER_SIZE = 8  # pictures, on average


def separate(dataset, folder, shares=None, seed=0):
    """Split training and validation anew, so that look-alikes stay on one side.

    A picture and its near-duplicates are one group already; but the same figure with other hair, or
    drawn once with a gradient and once flat, is not, and a network that knows one knows the other. Each
    class is clustered by oriented gradients (Ward's method), and a cluster joins the groups it touches.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`illus.balance.split`. A part ``test`` stays what it is.
    folder : str or Path
        What its paths are relative to.
    shares : dict of str to float, default ``{"validation": 0.1}``
        Part to its share of each class; the rest is for training.
    seed : int, default 0

    Returns
    -------
    pandas.DataFrame
        Columns and order of ``dataset``, each picture with ``copies`` 1; ``group`` is the number of a
        group of look-alikes.
    """
    open_rows = dataset[dataset.split != "test"]
    shapes = fingerprints([Path(folder, path) for path in open_rows.path])["shape"]
    groups = pd.Series(look_alikes(shapes, open_rows.class_id.to_numpy(), open_rows.group), open_rows.index)
    part = pd.Series("train", open_rows.index)
    rng = np.random.default_rng(seed)
    for name, share in (shares or {"validation": 0.1}).items():
        free = open_rows[part == "train"]
        rate = share * len(open_rows) / len(free)
        drawn = draw_groups(free.class_name, groups[free.index], rate, rng)
        part[free.index[drawn]] = name
    separated = dataset.assign(copies=1)
    separated.loc[open_rows.index, "group"] = groups.astype(str)
    separated.loc[open_rows.index, "split"] = part
    return separated[COLUMNS]


def look_alikes(shapes, labels, groups):
    """Number of each picture's group of look-alikes.

    Parameters
    ----------
    shapes : numpy.ndarray
        float32, shape (n, d), see :data:`illus.fingerprints.FINGERPRINT`.
    labels : numpy.ndarray
        int, shape (n,): classes, clustered one by one.
    groups : pandas.Series
        shape (n,): what stays together in any case.

    Returns
    -------
    numpy.ndarray
        int, shape (n,).
    """
    n = len(shapes)
    cluster = np.zeros(n, int)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = max(1, len(rows) // CLUSTER_SIZE)
        if len(rows) > 1:
            cluster[rows] = fcluster(linkage(shapes[rows], "ward"), count, "maxclust") + cluster.max()
        else:
            cluster[rows] = cluster.max() + 1
    group = pd.factorize(groups)[0] + n + cluster.max() + 1
    row = np.arange(n)
    links = np.concatenate([np.column_stack([row, n + cluster]), np.column_stack([row, group])])
    return connect(group.max() + 1, links)[:n]
