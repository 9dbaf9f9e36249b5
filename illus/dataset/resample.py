"""A data set -> the same one with its classes balanced: how often each training image is shown.

In: dataset.csv's table. Out: the table with other ``copies``, which training obeys.
"""

import numpy as np
import pandas as pd

STRATEGIES = ("none", "downsample", "upsample", "both", "sqrt")
IN_TRAINING = "sqrt"  # what the pipeline trains with


def resample(dataset: pd.DataFrame, strategy: str, seed: int = 0) -> pd.DataFrame:
    """Balance the training part by showing images more than once or not at all.

    Only ``copies`` changes, and only in training rows: no row is added or removed. A training image is drawn
    in proportion to its copies. Augmentation makes repeated images differ.

    Parameters
    ----------
    dataset : pandas.DataFrame
        From :func:`illus.dataset.split.split`.
    strategy : {"none", "downsample", "upsample", "both", "sqrt"}
        Size that every class gets: its own; at most that of the median class, by leaving images
        out (``copies`` 0); that of the largest class, by repetition; exactly that of the median
        class, by either; the geometric mean of its own and the largest class's, by repetition, so that
        classes are drawn in proportion to the square root of their sizes. ValueError for another one.
    seed : int, default 0
        Draws which images are left out or shown once more. Copies are whole numbers, so images of one class
        differ by at most one, and classes have their size exactly.
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
        "sqrt": np.sqrt(sizes * sizes.max()),
    }[strategy]
    rng = np.random.default_rng(seed)
    copies = dataset.copies.copy()
    for class_id, rows in train.groupby("class_id"):
        copies[rows.index] = shared_out(float(targets[class_id]), len(rows), rng)
    return dataset.assign(copies=copies)


def shared_out(size: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Copies of n images that are ``size`` in all, rounded, and differ by at most one; int, shape (n,)."""
    times, more = divmod(round(size), n)
    return times + (rng.permutation(n) < more)


def join_validation(dataset: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The data set with its validation part in training; each class is shown as often an image as before.

    ``dataset`` has the columns of dataset.csv; the part ``test`` stays.
    """
    parts = dataset.split.replace("validation", "train")
    copies = copies_after_parting(dataset, parts, np.random.default_rng(seed))
    return dataset.assign(split=parts, copies=copies)


def copies_after_parting(dataset: pd.DataFrame, parts: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Copies of images whose parts are drawn anew: each class is shown as often an image as before.

    ``dataset`` is as it was, ``parts`` has its index. Images outside of training have one copy.
    """
    before = dataset[dataset.split == "train"].groupby("class_id").copies.mean()
    copies = pd.Series(1, dataset.index)
    for class_id, rows in dataset[parts == "train"].groupby("class_id"):
        copies[rows.index] = shared_out(len(rows) * float(before.get(class_id, 1.0)), len(rows), rng)
    return copies
