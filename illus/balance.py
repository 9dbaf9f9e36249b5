"""Kept rows -> data set: who trains, who validates, and how often each picture is shown.

In: catalog, and where they exist the tables of duplicates and photos. Out: dataset.csv.
"""

import numpy as np
import pandas as pd

from evaluate import natural_key
from illus import config

COLUMNS = ["path", "class_name", "class_id", "group", "split", "copies", "sha256"]
STRATEGIES = ("none", "downsample", "upsample", "both")


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
        Nothing is left to split, only one class is, a class lost all its pictures, or a part would
        be empty.
    """
    fractions = fractions or {"train": 0.9, "validation": 0.1}
    rows = catalog[catalog.error == ""].copy()
    rows["group"] = rows.sha256.str[:16]
    if duplicates is not None:
        group_of = dict(zip(duplicates.path, duplicates.group.astype(str), strict=True))
        rows["group"] = [group_of.get(path, group) for path, group in zip(rows.path, rows.group, strict=True)]
        rows = rows[~rows.path.isin(duplicates.path[~duplicates.keep.astype(bool)])]
    if photos is not None:
        rows = rows[~rows.path.isin(photos.path[photos.is_photo])]
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
            raise ValueError(f"too few pictures to give the part {part!r} {fractions[part]:.0%} of them")
    assert (rows.groupby("group").split.nunique() == 1).all(), "a group of near-duplicates crosses the split"
    return rows.assign(copies=1)[COLUMNS].reset_index(drop=True)


def _classes_left(catalog, rows):
    """Class names in class order; an error where there is nothing to tell apart."""
    if rows.empty:
        raise ValueError("no readable picture is left to split")
    classes = sorted(rows.class_name.unique(), key=natural_key)
    lost = [name for name in catalog.class_name.unique() if name not in set(classes)]
    if lost:
        raise ValueError(f"no picture is left of {', '.join(lost)}: all are unreadable, copies of other "
                         "pictures or photographs; remove the folder or add pictures")
    if len(classes) < 2:
        raise ValueError(f"only one class, {classes[0]}: there is nothing to tell apart")
    return classes


def in_profile(dataset):
    """As much of a data set as the profile allows of each class; the part ``test`` stays whole."""
    most = config.profile().max_per_class
    if most is None:
        return dataset
    shuffled = dataset.sample(frac=1, random_state=config.SEED)
    rank = shuffled.groupby(["class_id", "split"]).cumcount()
    kept = shuffled[(rank < most) | (shuffled.split == "test")]
    return kept.sort_index().reset_index(drop=True)


def resample(dataset, strategy, seed=0):
    """Balance the training part by showing pictures more often or not at all.

    Only ``copies`` changes, and only of training rows: no row appears or goes, and the validation
    part stays as it was drawn. Copies differ on the screen by augmentation.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`split`.
    strategy : {"none", "downsample", "upsample", "both"}
        Size that every class gets: its own; at most that of the median class, by leaving pictures
        out (``copies`` 0); that of the largest class, by repetition; exactly that of the median
        class, by either.
    seed : int, default 0
        Draws who is left out or shown once more.

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
    targets = {"none": sizes, "downsample": sizes.clip(upper=median), "upsample": sizes * 0 + sizes.max(),
               "both": sizes * 0 + median}[strategy]
    rng = np.random.default_rng(seed)
    copies = dataset.copies.copy()
    for class_id, rows in train.groupby("class_id"):
        times, more = divmod(int(targets[class_id]), len(rows))
        copies[rows.index] = times + (rng.permutation(len(rows)) < more)
    return dataset.assign(copies=copies)


def draw_groups(class_names, groups, share, rng):
    """Draw about ``share`` of every class by whole groups.

    A group belongs to the class that most of its members have. Groups are tried in random order
    and taken while the class stays within 2 % above its share; where all are too large for that, the
    smallest is taken, so that no class is left out.

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
        if not taken and wanted >= 1 and len(members) > 1:
            drawn.append(min(members, key=lambda group: (sizes[group], group)))
    return groups.isin(drawn).to_numpy()


def put_back(dataset, catalog, duplicates, photos, copies=False, photographs=False):
    """The training part as it would be without a cure; validation stays as it is.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`split` or :func:`illus.look_alikes.separate`.
    catalog, duplicates, photos : pandas.DataFrame
        The tables that it was made from.
    copies : bool, default False
        Put back copies of training pictures, each in the class where it was found. Copies of other parts
        stay out, or validation would be trained on.
    photographs : bool, default False
        Put back what was called a photograph; its copies only with ``copies``.

    Returns
    -------
    pandas.DataFrame
        ``dataset`` with further rows in the part ``train``.
    """
    photo = set(photos.path[photos.is_photo])
    part = duplicates.path.map(dataset.set_index("path").split)
    home = duplicates.group.map(part.groupby(duplicates.group).first())  # of a group's kept picture
    redundant = set(duplicates.path[~duplicates.keep.astype(bool)])
    wanted = set()
    if copies:
        wanted |= (redundant & set(duplicates.path[home == "train"])) - photo
    if photographs:
        wanted |= photo - (set() if copies else redundant)
    rows = catalog[catalog.path.isin(wanted)]
    class_ids = dataset.set_index("class_name").class_id
    added = rows.assign(class_id=rows.class_name.map(class_ids[~class_ids.index.duplicated()]),
                        group="back-" + rows.sha256.str[:16], split="train", copies=1)
    return pd.concat([dataset, added[COLUMNS]], ignore_index=True).astype({"class_id": int})
