"""Rows of dataset.csv -> an array on disk -> the batches that a run is trained on.

In: dataset.csv, the class folders and a configuration. Out: batches that depend on the seed alone.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import keras
import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap

from evaluate import atomic_write, read_ahead
from illus.learn.settings import Config
from illus.parallel import progress

if TYPE_CHECKING:
    import tensorflow as tf

MIXUP_ALPHA = 0.2  # of the beta distribution of the share: within the 0.1 to 0.4 of Zhang et al.
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # images, one-hot classes, weights in the loss


def load_arrays(dataset: pd.DataFrame, folder: str | Path, size: int, fit: str, cache: Path) -> np.memmap:
    """Decoded images as one array on disk, made once for each list of files, size and fit.

    Parameters
    ----------
    dataset : pandas.DataFrame
        Columns of dataset.csv.
    folder : str or Path
        What its paths are relative to.
    size : int
        Side of the images, px.
    fit : str
        How an image becomes square, see :func:`evaluate.fit_image`.
    cache : Path
        Folder for the array; created if missing.

    Returns
    -------
    numpy.memmap
        uint8, shape (n, size, size, 3), read-only, in the order of ``dataset``.

    Raises
    ------
    ValueError
        A file cannot be read.
    """
    files = hashlib.sha256(dataset[["path", "sha256"]].to_csv(index=False).encode()).hexdigest()[:12]
    path = cache / f"{files}-{size}-{fit}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            array = open_memmap(partial, "w+", np.uint8, (len(dataset), size, size, 3))
            with read_ahead([Path(folder, p) for p in dataset.path], size, fit) as decoded:
                for index, image in enumerate(progress(decoded, "decode", len(dataset))):
                    if isinstance(image, str):
                        raise ValueError(f"{dataset.path.iloc[index]} cannot be read any more: {image}")
                    array[index] = image
            array.flush()
    return np.load(path, mmap_mode="r")


class TrainingBatches(keras.utils.PyDataset):
    """Batches of training images, drawn by class (``sampling_power``) and by ``copies`` within a class.

    A batch is images, one-hot classes, and weights in the loss. An epoch depends on the seed and its
    number alone, so that a resumed run gets the same batches as an uninterrupted one.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    labels : numpy.ndarray
        int, shape (n,): class ids.
    copies : numpy.ndarray
        int, shape (n,): how often an image counts; 0 for those that are not for training.
    config : Config
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, copies: np.ndarray, config: Config) -> None:
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

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        size = self.config.batch_size
        rows = np.sort(self.order[step * size : (step + 1) * size])
        labels = self.labels[rows]
        batch = self.images[rows], self.targets[labels], self.weights[labels]
        how, share = self.config.mixing, self.config.mixing_share
        rng = np.random.default_rng([self.config.seed, self.epoch, step])
        if how == "none" or (share < 1 and rng.random() >= share):
            return batch
        return mix(*batch, str(rng.choice(["mixup", "cutmix"])) if how == "either" else how, rng)

    def start_epoch(self, epoch: int) -> None:
        """Draw the images of an epoch by systematic sampling: each as often as expected, give or take one."""
        self.epoch = epoch
        rng = np.random.default_rng([self.config.seed, epoch])
        n = len(self) * self.config.batch_size
        rows = np.lexsort((rng.random(len(self.labels)), self.labels))
        edges = np.cumsum(self.shares[rows] / self.shares.sum()) * n
        positions = (np.arange(n) + rng.random()).clip(max=np.nextafter(edges[-1], 0))
        picked = rows[np.searchsorted(edges, positions, side="right")]
        self.order = rng.permutation(picked)


def to_tf_dataset(batches: TrainingBatches) -> "TrainingBatches | tf.data.Dataset":
    """Batches as a ``tf.data.Dataset`` without autotuning; on other backends than TensorFlow, unchanged.

    With the dataset that Keras makes, some epochs end with idle time, up to half of the epoch. It seems to
    wait for the autotuning thread, which wakes up after 10 ms, 20 ms, 40 ms and so on.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf  # only here, so that other backends do not need it

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
) -> Batch:
    """Mix each image of a batch with another one, and their targets and weights in the same proportion.

    ``mixup`` is their weighted mean (Zhang et al. 2018, arXiv:1710.09412), ``cutmix`` a rectangle of
    the other image in the first (Yun et al. 2019, arXiv:1905.04899, with a uniform share).

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
        Images, targets and weights, as the parameters.
    """
    others = rng.permutation(len(images))
    images, side = np.asarray(images), images.shape[1]
    if how == "mixup":
        share = np.float32(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
        mixed = cv2.addWeighted(images, float(share), images[others], 1 - float(share), 0)
    else:
        edge = np.sqrt(1 - rng.uniform()) * side
        middle = rng.uniform(0, side, 2)
        (top, left), (bottom, right) = (
            np.rint((middle + sign * edge / 2).clip(0, side)).astype(int) for sign in (-1, 1)
        )
        mixed = images.copy()
        mixed[:, top:bottom, left:right] = images[others, top:bottom, left:right]
        share = np.float32(1 - (bottom - top) * (right - left) / side**2)
    targets, weights = (share * values + (1 - share) * values[others] for values in (targets, weights))
    return mixed, targets, weights
