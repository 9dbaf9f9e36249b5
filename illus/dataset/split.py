"""Catalog, duplicates and photos -> the data set: its parts, and how often each image is shown.

In: catalog.csv, and if they exist duplicates.csv and photos.csv. Out: dataset.csv.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from evaluate import natural_key
from illus import config
from illus.copies.groups import connected_components, draw_groups
from illus.files.overrides import decided, print_applied, relabel
from illus.files.reading import kept_descriptors

COLUMNS = ["path", "class_name", "class_id", "group", "split", "copies", "sha256"]
STRATEGIES = ("none", "downsample", "upsample", "both")
VALIDATION_SHARE = 0.1
DEFAULT_FRACTIONS = {"train": 1 - VALIDATION_SHARE, "validation": VALIDATION_SHARE}
CLUSTER_SIZE = 8  # images of a cluster of look-alikes, on average


def split(
    catalog: pd.DataFrame,
    duplicates: pd.DataFrame | None = None,
    photos: pd.DataFrame | None = None,
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
    overrides: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Split the readable, kept images by whole groups, each class in the same proportions.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.files.catalog.scan`; unreadable files are left out.
    duplicates : pandas.DataFrame, optional
        ``path``, ``group``, ``keep``: files that are not kept are left out, groups stay in one part.
        Without it, files with the same bytes are a group.
    photos : pandas.DataFrame, optional
        ``path``, ``is_photo``: photos are left out.
    fractions : mapping of str to float, default ``DEFAULT_FRACTIONS``
        Share of each part; the first gets what the others leave.
    seed : int, default 0
    overrides : pandas.DataFrame, optional
        From :func:`illus.files.overrides.read_overrides`: files get the class that a person gave them, and
        what a person dropped is left out; a printed line says how many such decisions there are. ``keep``
        and ``not_copy_of`` are in the tables of duplicates and photos already.

    Returns
    -------
    pandas.DataFrame
        ``path``, ``class_name``, ``class_id`` (position in class order), ``group``, ``split``,
        ``copies`` (1: how often the image is shown per epoch), ``sha256``. Sorted as the catalog.

    Raises
    ------
    ValueError
        Nothing is left to split, only one class is, a class lost all its images, or a part would
        be empty.
    """
    fractions = fractions or DEFAULT_FRACTIONS
    catalog = relabel(catalog, overrides)
    rows = catalog[(catalog.error == "") & (decided(catalog, overrides) != "drop")].copy()
    print_applied("split", catalog, overrides, ("drop", "label"))
    rows["group"] = rows.sha256.str[:16]
    if duplicates is not None:
        group_of = dict(zip(duplicates.path, duplicates.group.astype(str), strict=True))
        rows["group"] = [group_of.get(path, group) for path, group in zip(rows.path, rows.group, strict=True)]
        rows = rows[~rows.path.isin(duplicates.path[~duplicates.keep.astype(bool)])]
    if photos is not None:
        rows = rows[~rows.path.isin(photos.path[photos.is_photo.astype(bool)])]
    classes = _classes_left(catalog, rows)
    rows["class_id"] = rows.class_name.map({name: i for i, name in enumerate(classes)})
    first, *others = fractions
    rng = np.random.default_rng(seed)
    rows["split"] = first
    for part in others:
        free = rows[rows.split == first]
        share = fractions[part] * len(rows) / len(free)
        rows.loc[free.index[draw_groups(free.class_name, free.group, share, rng)], "split"] = part
        if not (rows.split == part).any():
            raise ValueError(f"too few images to give the part {part!r} {fractions[part]:.0%} of them")
    assert (rows.groupby("group").split.nunique() == 1).all(), "a group of near-duplicates crosses the split"
    return rows.assign(copies=1)[COLUMNS].reset_index(drop=True)


def _classes_left(catalog: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Names in class order of the classes in ``rows``; ValueError if any is lost or there is only one."""
    if rows.empty:
        raise ValueError("no readable image is left to split")
    classes = sorted(rows.class_name.unique(), key=natural_key)
    lost = [name for name in catalog.class_name.unique() if name not in set(classes)]
    if lost:
        raise ValueError(
            f"no image is left of {', '.join(lost)}: all are unreadable, duplicates of other "
            "images, photos or dropped; remove the folder or add images"
        )
    if len(classes) < 2:
        raise ValueError(f"only one class, {classes[0]}: a classifier needs at least two")
    return classes


def subsample_for_profile(dataset: pd.DataFrame) -> pd.DataFrame:
    """At most as many images of each class and part as the profile allows; the part ``test`` stays whole.

    Drawn with ``config.SEED``; same columns and order as ``dataset``, which has those of dataset.csv.
    """
    limit = config.profile().max_per_class
    if limit is None:
        return dataset
    shuffled = dataset.sample(frac=1, random_state=config.SEED)
    rank = shuffled.groupby(["class_id", "split"]).cumcount()
    kept = shuffled[(rank < limit) | (shuffled.split == "test")]
    return kept.sort_index().reset_index(drop=True)


def resample(dataset: pd.DataFrame, strategy: str, seed: int = 0) -> pd.DataFrame:
    """Balance the training part by showing images more than once or not at all.

    Only ``copies`` changes, and only in training rows: no row is added or removed. Augmentation makes
    repeated images differ.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`split`.
    strategy : {"none", "downsample", "upsample", "both"}
        Size that every class gets: its own; at most that of the median class, by leaving images
        out (``copies`` 0); that of the largest class, by repetition; exactly that of the median
        class, by either.
    seed : int, default 0
        Draws which images are left out or shown once more.

    Returns
    -------
    pandas.DataFrame
        The data set with new ``copies``, integers >= 0.

    Raises
    ------
    ValueError
        Unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy {strategy!r}: choose one of {', '.join(STRATEGIES)}")
    train = dataset[dataset.split == "train"]
    sizes = train.groupby("class_id").size()
    median = int(sizes.median())
    targets = {
        "none": sizes,
        "downsample": sizes.clip(upper=median),
        "upsample": sizes * 0 + sizes.max(),
        "both": sizes * 0 + median,
    }[strategy]
    rng = np.random.default_rng(seed)
    copies = dataset.copies.copy()
    for class_id, rows in train.groupby("class_id"):
        times, more = divmod(int(targets[class_id]), len(rows))
        copies[rows.index] = times + (rng.permutation(len(rows)) < more)
    return dataset.assign(copies=copies)


def split_by_cluster(
    dataset: pd.DataFrame,
    folder: str | Path,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Split training and validation again, so that look-alikes stay in one part.

    Duplicates and variants are one group already. But the same figure with other hair, or drawn once with
    a gradient and once flat, is not, and a network that was trained on one recognises the other. So each
    class is clustered by oriented gradients (Ward's method), and groups that share a cluster are joined.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`split`. The part ``test`` stays as it is.
    folder : str or Path
        What its paths are relative to.
    shares : mapping of str to float, default ``{"validation": VALIDATION_SHARE}``
        Share of each part but ``train``, which gets the rest.
    seed : int, default 0
    cache : Path, optional
        Folder for what is known of contents, see :mod:`illus.files.cache`.

    Returns
    -------
    pandas.DataFrame
        Columns and order of ``dataset``, each image with ``copies`` 1; ``group`` is the number of a
        group of look-alikes.
    """
    open_rows = dataset[dataset.split != "test"]
    shapes = kept_descriptors(open_rows, folder, cache)["shape"]
    groups = pd.Series(
        cluster_by_shape(shapes, open_rows.class_id.to_numpy(), open_rows.group), open_rows.index
    )
    part = pd.Series("train", open_rows.index)
    rng = np.random.default_rng(seed)
    for name, share in (shares or {"validation": VALIDATION_SHARE}).items():
        free = open_rows[part == "train"]
        rate = share * len(open_rows) / len(free)
        drawn = draw_groups(free.class_name, groups[free.index], rate, rng)
        part[free.index[drawn]] = name
    separated = dataset.assign(copies=1)
    separated.loc[open_rows.index, "group"] = groups.astype(str)
    separated.loc[open_rows.index, "split"] = part
    return separated[COLUMNS]


def cluster_by_shape(shapes: np.ndarray, labels: np.ndarray, groups: pd.Series) -> np.ndarray:
    """Number of each image's group of look-alikes.

    Parameters
    ----------
    shapes : numpy.ndarray
        float32, shape (n, d): the field ``shape`` of :data:`illus.files.descriptors.DESCRIPTOR`.
    labels : numpy.ndarray
        int, shape (n,): classes, each clustered for itself.
    groups : pandas.Series
        shape (n,): images that stay together in any case.

    Returns
    -------
    numpy.ndarray
        int, shape (n,), from 0 in the order of first members.
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
    return connected_components(group.max() + 1, links)[:n]
