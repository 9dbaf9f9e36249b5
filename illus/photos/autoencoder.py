"""Blocks -> an autoencoder trained on them, and each block's gain over a linear code of the same size.

In: blocks of the contaminated collection itself. Out: a number per block, the log of the share that the
autoencoder leaves unexplained less that of a PCA. Blocks of drawings, edges between a few tones, lie on a
curved surface: the autoencoder explains far more, and the gain is far below zero. Blocks of photographs are
close to Gaussian texture, for which a small code hardly beats a linear one: their gain is about zero.
"""

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

CODE = 16  # numbers in the code of a block, which has 192
WIDTHS = (256, 128)  # of the encoder's layers; the decoder has them the other way round
BATCH_SIZE = 256  # blocks
STEPS = 1600  # batches: with fewer the gains of drawings are still falling
MOST_EPOCHS = 25  # passes, in small collections: with more it learns their blocks by heart
LEARNING_RATE = 2e-3  # of Adam, falling to 0 by a cosine
MOST_BLOCKS = 204_800  # that it is trained on, so that memory does not grow with the collection
IMAGES_AT_ONCE = 500  # whose blocks are in memory as float32 while gains are measured
LEAST_CONTRAST = 4.0  # levels: weaker patterns are not blown up, they would be noise
ROUNDING = 1e-3  # share of a block's variance below which errors do not count
SIMPLE = float(np.log(ROUNDING))  # gain of a block that a linear code explains but for such a share


def normalise(blocks: np.ndarray) -> np.ndarray:
    """Blocks as rows, without the mean of each channel, in units of their own standard deviation.

    So neither colour nor contrast counts, only the pattern: uint8 (..., 8, 8, 3) -> float32 (blocks, 192).
    """
    pixels = blocks.reshape(-1, *blocks.shape[-3:]).astype(np.float32)
    pixels -= pixels.mean((1, 2), keepdims=True)
    rows = pixels.reshape(len(pixels), -1)
    return rows / np.maximum(LEAST_CONTRAST, rows.std(1, keepdims=True))


def draw_blocks(blocks: np.ndarray, seed: int = 0) -> np.ndarray:
    """Blocks of any images in random order, ``MOST_BLOCKS`` at most; uint8 (n, 8, 8, 3)."""
    each = blocks.reshape(-1, *blocks.shape[2:])
    return each[np.random.default_rng(seed).permutation(len(each))[:MOST_BLOCKS]]


def build(size: int, code: int = CODE) -> keras.Sequential:
    """An untrained autoencoder of float32 rows (n, size); its layer ``code`` gives (n, ``code``)."""
    encoder = [layers.Dense(width, "gelu") for width in WIDTHS]
    decoder = [layers.Dense(width, "gelu") for width in WIDTHS[::-1]]
    middle = layers.Dense(code, name="code")
    return keras.Sequential([keras.Input((size,)), *encoder, middle, *decoder, layers.Dense(size)])


def train(rows: np.ndarray, seed: int = 0) -> tuple[keras.Sequential, list[float]]:
    """Train an autoencoder on rows, float32 (n, size), from :func:`normalise`; without labels.

    Returns it, and the mean squared error in each pass over the rows.
    """
    keras.utils.set_random_seed(seed)
    batches = -(-len(rows) // BATCH_SIZE)
    epochs = min(MOST_EPOCHS, max(1, round(STEPS / batches)))
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * batches)
    model = build(rows.shape[1])
    model.compile(keras.optimizers.Adam(schedule), "mse", jit_compile=False, steps_per_execution=20)
    history = model.fit(rows, rows, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return model, history.history["loss"]


def fit_linear(rows: np.ndarray) -> PCA:
    """The best linear code of the same size; fewer components where there are fewer rows."""
    with np.errstate(invalid="ignore"):  # shares of the variance where all blocks are alike
        return PCA(min(CODE, *rows.shape), random_state=0).fit(rows)


def log_unexplained(rows: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Log of the share of each row's variance that its copy lacks; float32 (n,)."""
    left, whole = ((rows - copies) ** 2).sum(1), (rows**2).sum(1)
    return np.log(left / np.maximum(whole, ROUNDING) + ROUNDING)


def measure_gains(blocks: np.ndarray, model: keras.Model, linear: PCA) -> np.ndarray:
    """Gain of an autoencoder over a linear code, block by block; float32 (n, blocks).

    It is below zero where the autoencoder explains more. Where a linear code leaves nothing to gain, as on
    the straight edges of flat drawings, there is no texture: such a block gets ``SIMPLE``, a drawing's gain,
    and not zero. ``blocks`` are uint8 (n, blocks, 8, 8, 3); ``model`` and ``linear`` are from :func:`train`
    and :func:`fit_linear`, of the same rows.
    """
    gains = np.empty(blocks.shape[:2], np.float32)
    for start in range(0, len(blocks), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        rows = normalise(blocks[part])
        copies = model.predict(rows, batch_size=4096, verbose=0)
        flat = linear.inverse_transform(linear.transform(rows))
        left = log_unexplained(rows, flat)
        gain = np.where(left < np.log(2 * ROUNDING), SIMPLE, log_unexplained(rows, copies) - left)
        gains[part] = gain.reshape(-1, blocks.shape[1])
    return gains
