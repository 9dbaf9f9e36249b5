"""Catalog, duplicates and photos -> the data set and its parts, by whole groups.

In: catalog.csv, and if they exist duplicates.csv and photos.csv. Out: the table of the data set.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from evaluate import natural_key, shorten_list
from illus import profiles
from illus.copies.groups import connected_components, draw_groups
from illus.dataset.resample import copies_after_parting
from illus.files.overrides import decided, print_applied, relabel
from illus.files.reading import kept_descriptors

COLUMNS = ["path", "class_name", "class_id", "group", "split", "copies", "sha256"]
VALIDATION_SHARE = 0.1
HELD_OUT_SHARE = 0.15  # of each class, for the part test, where there are no test folders
DEFAULT_FRACTIONS = {"train": 1 - VALIDATION_SHARE, "validation": VALIDATION_SHARE}
CLUSTER_SIZE = 8  # images of a cluster of look-alikes, on average
PHOTOGRAPHS = "photographs"  # as a reason for what is left out
FINER = 2  # times the groups that a class needs, where it has too few: shares of parts get nearer


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
        Share of each part; the first gets what the others leave. A class with too few groups for an image in
        each part is a warning.
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
        Nothing is left to split, only one class is, a class lost all its images, or a part would be empty.
    """
    fractions = fractions or DEFAULT_FRACTIONS
    catalog = relabel(catalog.reset_index(drop=True), overrides)
    print_applied("split", catalog, overrides, ("drop", "label"))
    why = _left_out(catalog, duplicates, photos, overrides)
    rows = catalog[(why == "") | (why == PHOTOGRAPHS)].copy()
    rows["group"] = rows.sha256.str[:16]
    if duplicates is not None:
        group_of = dict(zip(duplicates.path, duplicates.group.astype(str), strict=True))
        rows["group"] = [group_of.get(path, group) for path, group in zip(rows.path, rows.group, strict=True)]
    classes = _classes_left(catalog, why)
    rng = np.random.default_rng(seed)
    rows["split"] = _draw_parts(rows, fractions, rng)
    rows = rows[why[rows.index] == ""].copy()  # only now, so that no photograph decides where a drawing goes
    counts = pd.crosstab(rows.class_name, rows.split).reindex(columns=list(fractions), fill_value=0)
    lacking = rows.class_name.isin(counts.index[(counts == 0).any(axis=1)])
    again = rows[lacking & ~rows.group.isin(rows.group[~lacking])]  # not what another class shares
    rows.loc[again.index, "split"] = _draw_parts(again, fractions, rng)
    rows["class_id"] = rows.class_name.map({name: i for i, name in enumerate(classes)})
    check_parts(rows, list(fractions))
    return rows.assign(copies=1)[COLUMNS].reset_index(drop=True)


def _draw_parts(rows: pd.DataFrame, fractions: Mapping[str, float], rng: np.random.Generator) -> pd.Series:
    """The part of each image, by whole groups; the first part gets what the others leave."""
    first, *others = fractions
    parts = pd.Series(first, rows.index)
    for part in others:
        free = rows[parts == first]
        share = fractions[part] * len(rows) / max(1, len(free))
        parts[free.index[draw_groups(free.class_name, free.group, share, rng)]] = part
    return parts


def _left_out(
    catalog: pd.DataFrame,
    duplicates: pd.DataFrame | None,
    photos: pd.DataFrame | None,
    overrides: pd.DataFrame | None,
) -> pd.Series:
    """Why each file of a catalog is not in the data set; empty for one that is."""
    why = pd.Series("", catalog.index)
    if photos is not None:
        why[catalog.path.isin(photos.path[photos.is_photo.astype(bool)])] = PHOTOGRAPHS
    if duplicates is not None:
        why[catalog.path.isin(duplicates.path[~duplicates.keep.astype(bool)])] = "copies that are not kept"
    why[decided(catalog, overrides) == "drop"] = "dropped by a decision"
    why[catalog.error != ""] = "unreadable"
    return why


def _classes_left(catalog: pd.DataFrame, why: pd.Series) -> list[str]:
    """Classes that have images, in class order; ValueError if any has none or there is only one."""

    def told(reasons: pd.Series) -> str:
        return ", ".join(f"{n:,} {reason}" for reason, n in reasons.value_counts().items()) or "no files"

    if not (why == "").any():
        raise ValueError(f"no image is left to split: {told(why)}")
    classes = sorted(catalog.class_name[why == ""].unique(), key=natural_key)
    if lost := [name for name in catalog.class_name.unique() if name not in set(classes)]:
        each = ", ".join(f"{name} ({told(why[catalog.class_name == name])})" for name in lost)
        raise ValueError(f"no image is left of {each}: remove the folder or add images")
    if len(classes) < 2:
        raise ValueError(f"only one class, {classes[0]}: a classifier needs at least two")
    return classes


def check_parts(rows: pd.DataFrame, parts: Sequence[str]) -> None:
    """ValueError if a part has no image at all; a warning that names the classes that lack one in a part."""
    counts = pd.crosstab(rows.class_name, rows.split).reindex(columns=list(parts), fill_value=0)
    for part in parts:
        if not counts[part].any():
            raise ValueError(
                f"too few different images for a part {part!r}: no class has enough groups of look-alikes "
                f"for all of {', '.join(parts)}"
            )
        if lacking := sorted(counts.index[counts[part] == 0], key=natural_key):
            warnings.warn(
                f"too few different images for the part {part!r} in {shorten_list(lacking)}: {part} has none "
                f"of {'them' if len(lacking) > 1 else 'it'}",
                stacklevel=3,
            )


def subsample_for_profile(dataset: pd.DataFrame) -> pd.DataFrame:
    """At most as many images of each class and part as the profile allows; the part ``test`` stays whole.

    Drawn with ``profiles.SEED``; same columns and order as ``dataset``, which has those of dataset.csv.
    Copies stay as they are, so that classes that are cut become more equal.
    """
    limit = profiles.profile().max_per_class
    if limit is None:
        return dataset
    shuffled = dataset.sample(frac=1, random_state=profiles.SEED)
    rank = shuffled.groupby(["class_id", "split"]).cumcount()
    kept = shuffled[(rank < limit) | (shuffled.split == "test")]
    return kept.sort_index().reset_index(drop=True)


def split_by_cluster(
    dataset: pd.DataFrame,
    folder: str | Path,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Split training and validation again, so that look-alikes stay in one part.

    Duplicates and variants are one group already. But the same figure with other hair, or drawn once with a
    gradient and once flat, is not, and a network that was trained on one recognises the other. So each class
    is clustered by oriented gradients (Ward's method), and groups that share a cluster are joined.

    ``dataset`` is from :func:`split`; its part ``test`` stays. ``shares`` are of each part but ``train``,
    which gets the rest; by default validation gets ``VALIDATION_SHARE``. Warnings and errors are those of
    :func:`split`. Columns and order stay, ``group`` becomes the number of a group of look-alikes, and each
    class is balanced as it was, see :func:`illus.dataset.resample.copies_after_parting`.
    """
    shares = shares or {"validation": VALIDATION_SHARE}
    parts = [*dict.fromkeys(["train", *shares])]
    open_rows = dataset[dataset.split != "test"]
    shapes = kept_descriptors(open_rows, folder, cache)["shape"]
    labels = open_rows.class_id.to_numpy()
    groups = pd.Series(cluster_by_shape(shapes, labels, open_rows.group, len(parts)), open_rows.index)
    part = pd.Series("train", open_rows.index)
    rng = np.random.default_rng(seed)
    for name, share in shares.items():
        free = open_rows[part == "train"]
        rate = share * len(open_rows) / len(free)
        drawn = draw_groups(free.class_name, groups[free.index], rate, rng)
        part[free.index[drawn]] = name
    check_parts(open_rows.assign(split=part), parts)
    separated = dataset.copy()
    separated.loc[open_rows.index, "copies"] = copies_after_parting(open_rows, part, rng)
    separated.loc[open_rows.index, "group"] = groups.astype(str)
    separated.loc[open_rows.index, "split"] = part
    return separated[COLUMNS]


def cluster_by_shape(shapes: np.ndarray, labels: np.ndarray, groups: pd.Series, least: int = 1) -> np.ndarray:
    """Number of each image's group of look-alikes, from 0 in the order of first members; int, shape (n,).

    ``shapes``, float32 (n, d), are the field ``shape`` of :data:`illus.files.descriptors.DESCRIPTOR`,
    ``labels`` the classes, each clustered for itself; ``groups`` stay together in any case. A class shall
    have ``least`` groups of look-alikes, so that each part can get one: a small class is clustered more
    finely, and not at all where its clusters would join too many of its ``groups``.
    """
    given = pd.factorize(groups)[0]
    cluster = np.zeros(len(shapes), int)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        cluster[rows] = _clusters_of_class(shapes[rows], given[rows], least) + cluster.max() + 1
    return _joined(cluster, given)


def _clusters_of_class(shapes: np.ndarray, given: np.ndarray, least: int) -> np.ndarray:
    """Clusters of the images of one class, which leave ``least`` groups, or one for each image; int, (n,)."""
    n = len(shapes)
    if n == 1:
        return np.zeros(1, int)
    tree = linkage(shapes, "ward")
    cluster = fcluster(tree, max(1, n // CLUSTER_SIZE), "maxclust")
    if _joined(cluster, given).max() + 1 >= least:
        return cluster
    for count in range(least, n):
        cluster = fcluster(tree, count, "maxclust")
        if _joined(cluster, given).max() + 1 >= FINER * least:
            return cluster
    return np.arange(n)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Numbers of the groups that two groupings make together, from 0; int, shape (n,)."""
    n = len(first)
    row, second = np.arange(n), second + n + first.max() + 1
    links = np.concatenate([np.column_stack([row, n + first]), np.column_stack([row, second])])
    return connected_components(second.max() + 1, links)[:n]
