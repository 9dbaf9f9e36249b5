"""Rows of dataset.csv -> arrays on disk -> the batches that a run is trained with.

In: dataset.csv, the class folders and a configuration. Out: seeded batches, the same for the same seed.
"""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap

from evaluate import read_ahead
from illus.learn.settings import Config
from illus.parallel import atomic_write, progress


def load_arrays(dataset: pd.DataFrame, folder: str | Path, size: int, fit: str, cache: Path) -> np.memmap:
    """Images as one array on disk, made once per list of files and input format.

    Parameters
    ----------
    dataset : pandas.DataFrame
        Columns of dataset.csv.
    folder : str or Path
        What its paths are relative to.
    size, fit
        As for :func:`evaluate.fit_image`.
    cache : Path
        Folder for the array.

    Returns
    -------
    numpy.memmap
        uint8, shape (n, size, size, 3), read-only, in the order of ``dataset``.
    """
    files = hashlib.sha256(dataset[["path", "sha256"]].to_csv(index=False).encode()).hexdigest()[:12]
    path = cache / f"{files}-{size}-{fit}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            array = open_memmap(partial, "w+", np.uint8, (len(dataset), size, size, 3))
            decoded = read_ahead([Path(folder, p) for p in dataset.path], size, fit)
            for index, image in enumerate(progress(decoded, "decode", len(dataset))):
                if isinstance(image, str):
                    raise ValueError(f"{dataset.path.iloc[index]} was readable when scanned: {image}")
                array[index] = image
            array.flush()
    return np.load(path, mmap_mode="r")


class TrainingBatches(keras.utils.PyDataset):
    """Seeded training batches: classes drawn by their weight, images of a class by their copies.

    Each batch is images, one-hot classes, and weights in the loss. What an epoch shows depends on
    the seed and its number alone, so a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, copies: np.ndarray, config: Config) -> None:
        """``copies`` says how often an image counts: 0 for those that are not for training."""
        super().__init__()
        self.images, self.labels, self.config = images, labels, config
        self.steps = config.steps_per_epoch or max(1, int((copies > 0).sum()) // config.batch_size)
        counts = np.maximum(1.0, np.bincount(labels, copies))
        self.shares = copies * counts[labels] ** (config.sampling_power - 1.0)
        self.class_shares = np.bincount(labels, self.shares) / self.shares.sum()
        self.targets = np.eye(len(counts), dtype=np.float32)
        weights = counts**-config.class_weighting
        self.weights = (weights / np.average(weights, weights=counts)).astype(np.float32)
        self.start_epoch(0)

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        size = self.config.batch_size
        rows = np.sort(self.order[step * size : (step + 1) * size])
        labels = self.labels[rows]
        batch = self.images[rows], self.targets[labels], self.weights[labels]
        if self.config.mixing == "none":
            return batch
        return mix(*batch, self.config.mixing, np.random.default_rng([self.config.seed, self.epoch, step]))

    def start_epoch(self, epoch: int) -> None:
        """Draw by systematic sampling: images and classes get their expected places, give or take one."""
        self.epoch = epoch
        rng = np.random.default_rng([self.config.seed, epoch])
        n = len(self) * self.config.batch_size
        rows = np.lexsort((rng.random(len(self.labels)), self.labels))
        edges = np.cumsum(self.shares[rows] / self.shares.sum()) * n
        places = (np.arange(n) + rng.random()).clip(max=np.nextafter(edges[-1], 0))
        picked = rows[np.searchsorted(edges, places, side="right")]
        self.order = rng.permutation(picked)


def to_tf_dataset(batches):
    """What ``fit`` is given: on the TensorFlow backend a tf.data set that does not tune itself.

    With Keras's own some epochs are idle at their end, up to half of their time, until 41 s after their
    start: seemingly the thread that tunes, which wakes after 10 ms, 20 ms, 40 ms and so on.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    signature = keras.tree.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), batches[0])
    dataset = tf.data.Dataset.from_generator(
        lambda: (batches[step] for step in range(len(batches))), output_signature=signature
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return dataset.prefetch(2).with_options(options)


def mix(
    images: np.ndarray, targets: np.ndarray, weights: np.ndarray, how: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each image of a batch with another one, and their targets in the same proportion.

    ``mixup`` is their weighted mean (Zhang et al. 2018, arXiv:1710.09412, alpha 0.2), ``cutmix``
    a rectangle of the other in the one (Yun et al. 2019, arXiv:1905.04899, alpha 1).

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    targets, weights : numpy.ndarray
        float32, shapes (n, classes) and (n,).
    how : {"mixup", "cutmix"}
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray
        As the first three parameters.
    """
    others = rng.permutation(len(images))
    images, side = np.asarray(images), images.shape[1]
    if how == "mixup":
        share = np.float32(rng.beta(0.2, 0.2))
        mixed = np.rint(share * images + (1 - share) * images[others]).astype(np.uint8)
    else:
        edge = np.sqrt(1 - rng.uniform()) * side
        middle = rng.uniform(0, side, 2)
        (top, left), (bottom, right) = (
            np.rint((middle + sign * edge / 2).clip(0, side)).astype(int) for sign in (-1, 1)
        )
        mixed = images.copy()
        mixed[:, top:bottom, left:right] = images[others, top:bottom, left:right]
        share = np.float32(1 - (bottom - top) * (right - left) / side**2)
    return mixed, *(share * values + (1 - share) * values[others] for values in (targets, weights))
