"""Patches -> an autoencoder trained on them, and what it says of each image.

In: patches of the contaminated collection itself. Out: a Keras model, and 36 numbers an image: its code and
what it gets wrong. The code has a 24th of a patch's numbers, so that it keeps what repeats in the collection.
"""

from functools import partial

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

CODE = 8  # channels of the code, on a grid of 1/8 of the side
WIDTHS = (16, 32)  # channels of the first and of the second layer
STEPS = (
    400  # batches that it is trained with: the loss hardly falls after them, whatever the collection's size
)
BATCH_SIZE = 128  # patches
LEARNING_RATE = 3e-3  # of Adam, falling to 0 by a cosine
IMAGES_AT_ONCE = 64  # of which codes and reconstructions are in memory together
TRAINING_DTYPE = "float64"  # so that rounding, which differs between processors, changes no decision


def build(side: int, dtype: str = "float32") -> keras.Model:
    """An untrained convolutional autoencoder.

    Parameters
    ----------
    side : int
        Side of the square images, a multiple of 8, px.
    dtype : str, default "float32"
        Keras dtype policy.

    Returns
    -------
    keras.Model
        uint8 (n, side, side, 3) -> float of the same shape, trained towards 0 to 1. The layer ``code``
        gives (n, side / 8, side / 8, 8).
    """
    # Spelled out, because keras.json may say that channels come first.
    conv = partial(layers.Conv2D, padding="same", data_format="channels_last", dtype=dtype)
    double = partial(layers.UpSampling2D, data_format="channels_last", dtype=dtype)
    inputs = keras.Input((side, side, 3), dtype="uint8", name="rgb")
    x = layers.Rescaling(1 / 255, name="scale", dtype=dtype)(inputs)
    for channels in WIDTHS:
        x = conv(channels, 4, 2, activation="relu")(x)
    x = conv(CODE, 4, 2, name="code")(x)
    for channels in WIDTHS[::-1]:
        x = double()(x)
        x = conv(channels, 3, activation="relu")(x)
    x = double()(x)
    outputs = conv(3, 3, name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="autoencoder")


class ReconstructionBatches(keras.utils.PyDataset):
    """Random batches of patches to reproduce, every other one mirrored; the same for the same seed."""

    def __init__(self, patches: np.ndarray, seed: int) -> None:
        super().__init__()
        self.patches, self.seed = patches, seed

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, step])
        image = rng.integers(len(self.patches), size=BATCH_SIZE)
        batch = self.patches[image, rng.integers(self.patches.shape[1], size=BATCH_SIZE)]
        batch = batch[:, :, ::-1] if step % 2 else batch
        return batch, batch / 255


def train(patches: np.ndarray, seed: int = 0) -> tuple[keras.Model, list[float]]:
    """Train an autoencoder on patches, without labels.

    Parameters
    ----------
    patches : numpy.ndarray
        uint8, shape (n, patches, side, side, 3).
    seed : int, default 0

    Returns
    -------
    model : keras.Model
        From :func:`build`, float32.
    losses : list of float
        Mean squared error of each batch, of pixels in 0 to 1.
    """
    keras.utils.set_random_seed(seed)
    model = build(patches.shape[2], dtype=TRAINING_DTYPE)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
    model.compile(keras.optimizers.Adam(schedule), "mse", jit_compile=False)
    losses: list[float] = []
    with tqdm(desc="autoencoder", total=STEPS, unit="step", disable=None) as bar:

        def record(_: int, logs: dict[str, float]) -> None:
            losses.append(logs["loss"])
            bar.update()

        callback = keras.callbacks.LambdaCallback(on_train_batch_end=record)
        model.fit(ReconstructionBatches(patches, seed), shuffle=False, verbose=0, callbacks=[callback])
    sums = np.array(losses) * np.arange(1, STEPS + 1)  # Keras reports the mean of all batches until now
    trained = build(patches.shape[2])
    trained.set_weights(model.get_weights())
    return trained, np.diff(sums, prepend=0).tolist()


def encode_images(model: keras.Model, patches: np.ndarray) -> np.ndarray:
    """What an autoencoder says of each image.

    Of each patch the log of its mean squared error, the log of its contrast, and mean and standard deviation
    of each channel of its code; of each image the means of these over its patches, then their spreads.

    Parameters
    ----------
    model : keras.Model
        From :func:`train`.
    patches : numpy.ndarray
        uint8, shape (n, patches, side, side, 3).

    Returns
    -------
    numpy.ndarray
        float32, shape (n, 36); the first column is the mean log error.
    """
    both = keras.Model(model.input, [model.get_layer("code").output, model.output])
    parts = [patches[i : i + IMAGES_AT_ONCE] for i in range(0, len(patches), IMAGES_AT_ONCE)]
    return np.concatenate([_encode_part(both, part) for part in parts]).astype(np.float32)


def _encode_part(both: keras.Model, part: np.ndarray) -> np.ndarray:
    flat = part.reshape(-1, *part.shape[2:])
    code, copy = (keras.ops.convert_to_numpy(output) for output in both(flat, training=False))
    error = np.log(1e-3 + ((copy - flat.astype(np.float32) / 255) ** 2).mean((1, 2, 3)))
    contrast = np.log1p(flat.std((1, 2), dtype=np.float32).mean(-1))
    numbers = np.column_stack([error, contrast, code.mean((1, 2)), code.std((1, 2))])
    numbers = numbers.reshape(*part.shape[:2], -1)
    return np.hstack([numbers.mean(1), numbers.std(1)])


def reconstruct(model: keras.Model, rgb: np.ndarray) -> np.ndarray:
    """An image through the autoencoder, tile by tile.

    Tiles have the side of the patches that it was trained on: their borders are part of what it has learned,
    and a whole image would show it places without any.

    Parameters
    ----------
    model : keras.Model
        From :func:`train`.
    rgb : numpy.ndarray
        uint8, shape (height, width, 3).

    Returns
    -------
    numpy.ndarray
        uint8, same shape.
    """
    (height, width), side = rgb.shape[:2], model.input_shape[1]
    padded = np.pad(rgb, ((0, -height % side), (0, -width % side), (0, 0)), "edge")
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    tiles = padded.reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    made = keras.ops.convert_to_numpy(model(tiles, training=False)).reshape(rows, columns, side, side, 3)
    whole = made.swapaxes(1, 2).reshape(padded.shape)[:height, :width]
    return (255 * whole).round().clip(0, 255).astype(np.uint8)
