"""Rows of dataset.csv -> an array on disk -> the batches that a run is trained on.

In: dataset.csv, the class folders and a configuration. Out: batches that depend on the seed alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import keras
import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap

from evaluate import atomic_write, read_ahead
from illus.hashing import code_of, digest
from illus.learn.settings import Config
from illus.parallel import progress

if TYPE_CHECKING:
    import tensorflow as tf

MIXUP_ALPHA = 0.2  # of the beta distribution of the share: within the 0.1 to 0.4 of Zhang et al.
Batch = tuple[np.ndarray, np.ndarray]  # images, one-hot classes


def load_arrays(dataset: pd.DataFrame, folder: str | Path, size: int, fit: str, cache: Path) -> np.memmap:
    """Decoded images as one array on disk, made once for each list of files, size, fit and code that reads.

    ``dataset`` has the columns of dataset.csv, its paths are relative to ``folder``. ``size`` is the side of
    the images, px, ``fit`` how one becomes square, see :func:`evaluate.fit_image`; the folder ``cache`` is
    made if it is missing. uint8, shape (n, size, size, 3), read-only, in the order of ``dataset``. ValueError
    if a file cannot be read.
    """
    files = digest(code_of([]) + dataset[["path", "sha256"]].to_csv(index=False))
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
    """Batches of training images, drawn in proportion to their ``copies``: images and one-hot classes.

    An epoch depends on the seed and its number alone, so that a resumed run gets the same batches as an
    uninterrupted one. ``images`` are uint8, shape (n, side, side, 3), ``labels`` class ids, int (n,),
    ``copies`` how often an image counts, int (n,), 0 for those that are not for training.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, copies: np.ndarray, config: Config) -> None:
        super().__init__()
        self.images, self.labels, self.config = images, labels, config
        self.steps = config.steps_per_epoch or max(1, int((copies > 0).sum()) // config.batch_size)
        self.shares = copies / copies.sum()
        self.targets = np.eye(labels.max() + 1, dtype=np.float32)
        self.start_epoch(0)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        size = self.config.batch_size
        rows = np.sort(self.order[step * size : (step + 1) * size])
        batch = self.images[rows], self.targets[self.labels[rows]]
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
        edges = np.cumsum(self.shares[rows]) * n
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


def mix(images: np.ndarray, targets: np.ndarray, how: str, rng: np.random.Generator) -> Batch:
    """Mix each image, uint8, of a batch with another one, and their targets, float32, in one proportion."""
    others = rng.permutation(len(images))
    images, side = np.asarray(images), images.shape[1]
    if how == "mixup":  # Zhang et al. 2018, arXiv:1710.09412
        share = np.float32(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
        mixed = cv2.addWeighted(images, float(share), images[others], 1 - float(share), 0)
    else:  # CutMix: Yun et al. 2019, arXiv:1905.04899, with a uniform share
        edge = np.sqrt(1 - rng.uniform()) * side
        middle = rng.uniform(0, side, 2)
        (top, left), (bottom, right) = (
            np.rint((middle + sign * edge / 2).clip(0, side)).astype(int) for sign in (-1, 1)
        )
        mixed = images.copy()
        mixed[:, top:bottom, left:right] = images[others, top:bottom, left:right]
        share = np.float32(1 - (bottom - top) * (right - left) / side**2)
    return mixed, share * targets + (1 - share) * targets[others]
