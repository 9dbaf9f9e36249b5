"""Thumbnails -> an autoencoder trained on them, and what it says of each image.

In: the thumbnails of the contaminated set itself. Out: a Keras model and its errors by scale. The code
has a twelfth of an image's numbers, so that it keeps what repeats in the set.
"""

import keras
import numpy as np
from keras import layers

CODE = 16  # channels of the code, on a grid of 1/8 of the side
ERRORS = ["error", "error_coarse", "error_quiet", "error_evenness"]


def build(side: int, code: int = CODE, width: int = 16) -> keras.Model:
    """An untrained convolutional autoencoder.

    Parameters
    ----------
    side : int
        Side of the square images, a multiple of 8, px.
    code : int, default 16
        Channels of the code.
    width : int, default 16
        Channels of the first layer; the second has twice as many.

    Returns
    -------
    keras.Model
        uint8 (n, side, side, 3) -> float32 of the same shape, trained towards 0 to 1. The layer
        ``code`` gives (n, side / 8, side / 8, code).
    """
    inputs = keras.Input((side, side, 3), dtype="uint8", name="rgb")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for channels in (width, 2 * width):
        x = layers.Conv2D(channels, 4, 2, padding="same", activation="relu")(x)
    x = layers.Conv2D(code, 4, 2, padding="same", name="code")(x)
    for channels in (2 * width, width):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(layers.UpSampling2D()(x))
    outputs = layers.Conv2D(3, 3, padding="same", name="reconstruction")(layers.UpSampling2D()(x))
    return keras.Model(inputs, outputs, name="autoencoder")


class ReconstructionBatches(keras.utils.PyDataset):
    """Random batches of images to reproduce, half of them mirrored; the same for the same seed."""

    def __init__(self, images: np.ndarray, steps: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self.images, self.steps, self.batch_size, self.seed = images, steps, batch_size, seed
        self.epoch = 0

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, self.epoch, step])
        batch = self.images[rng.integers(len(self.images), size=self.batch_size)]
        batch[: len(batch) // 2] = batch[: len(batch) // 2, :, ::-1]
        return batch, batch.astype(np.float32) / 255


def train(
    images: np.ndarray, seed: int = 0, epochs: int = 16, batch_size: int = 64
) -> tuple[keras.Model, list[float]]:
    """Train an autoencoder on images, without labels.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    seed : int, default 0
    epochs : int, default 16
    batch_size : int, default 64

    Returns
    -------
    model : keras.Model
        From :func:`build`.
    losses : list of float
        Mean absolute error of each epoch, of pixels in 0 to 1.
    """
    keras.utils.set_random_seed(seed)
    model = build(images.shape[1])
    steps = int(np.clip(len(images) // 20, 5, 50))  # of an epoch: a large set needs no more
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, epochs * steps)
    model.compile(keras.optimizers.Adam(schedule), "mae", jit_compile=False)
    batches = ReconstructionBatches(images, steps, batch_size, seed)
    history = model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model, history.history["loss"]


def apply(model: keras.Model, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """A model's outputs for many images; float32.

    Called batch by batch: ``predict`` would trace the network anew for each of many models.
    """
    parts = range(0, len(images), batch_size)
    return np.concatenate(
        [keras.ops.convert_to_numpy(model(images[i : i + batch_size], training=False)) for i in parts]
    )


def reconstruction_errors(model: keras.Model, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """What an autoencoder could not reproduce of many images, see :func:`error_statistics`; float32 (n, 4).

    Batch by batch, because reconstructions take four times the memory of the images.
    """
    parts = (images[i : i + batch_size] for i in range(0, len(images), batch_size))
    return np.concatenate([error_statistics(part, apply(model, part, batch_size)) for part in parts])


def error_statistics(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """What differs between images and their reconstructions, by scale.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    reconstructions : numpy.ndarray
        float32, same shape, 0 to 1.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, 4): ``error``, log mean absolute difference; ``error_coarse``, of means of
        8 x 8 pixels; ``error_quiet``, of the quietest quarter of the 8 x 8 patches; ``error_evenness``,
        log of the squared mean over the mean square: drawings err at edges, photos everywhere.
    """
    n, side = len(images), images.shape[1]
    difference = reconstructions - images.astype(np.float32) / 255
    patches = difference.reshape(n, side // 8, 8, side // 8, 8, 3)
    coarse = np.abs(patches.mean((2, 4))).mean((1, 2, 3))
    loud = np.abs(patches).mean((2, 4, 5)).reshape(n, -1)
    size = np.abs(difference)
    mean = size.mean((1, 2, 3))
    return np.stack(
        [
            np.log(1e-3 + mean),
            np.log(1e-3 + coarse),
            np.log(1e-3 + np.percentile(loud, 25, axis=1)),
            np.log(1e-6 + mean**2 / (1e-6 + (size**2).mean((1, 2, 3)))),
        ],
        axis=1,
        dtype=np.float32,
    )
