"""Pseudo-labels -> a network that judges the images which it was not trained with.

In: thumbnails, an autoencoder, and who is surely what. Out: the log odds that an image is a photo.
"""

import keras
import numpy as np
from keras import layers

from illus.clean import autoencoder


def cross_judge(
    thumbnails: np.ndarray,
    model: keras.Model | None,
    is_photo: np.ndarray,
    sure: np.ndarray,
    seed: int,
    min_steps: int,
    max_steps: int,
) -> np.ndarray:
    """Log odds of each image by a network trained on the pseudo-labels of the other half; float (n,)."""
    half = halves(sure * (1 + is_photo), seed)
    odds = np.empty(len(thumbnails))
    steps = int(np.clip(len(thumbnails) // 4, min_steps, max_steps))
    for side in (0, 1):
        pseudo_labels = [np.flatnonzero(sure & (half == side) & (is_photo == kind)) for kind in (False, True)]
        judge = classifier(model, steps, seed)
        judge.fit(PseudoLabelBatches(thumbnails, pseudo_labels, steps, seed), shuffle=False, verbose=0)
        others = half != side
        odds[others] = autoencoder.apply(judge, thumbnails[others])[:, 0]
    return odds


def halves(kinds: np.ndarray, seed: int) -> np.ndarray:
    """A random half of each kind; int (n,), 0 or 1. So neither half lacks pseudo-labels."""
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(kinds[order], kind="stable")]
    half = np.empty(len(kinds), int)
    half[order] = np.arange(len(kinds)) % 2
    return half


def classifier(model: keras.Model, steps: int, seed: int) -> keras.Model:
    """The autoencoder's encoder, copied, with a head for one log odds."""
    keras.utils.set_random_seed(seed)
    encoder = keras.Model(model.input, model.get_layer("code").input)
    copied = keras.models.clone_model(encoder)
    copied.set_weights(encoder.get_weights())
    x = layers.Conv2D(48, 3, padding="same", use_bias=False, name="judge_convolution")(copied.output)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    network = keras.Model(copied.input, layers.Dense(1, name="odds")(layers.Dropout(0.3)(x)), name="judge")
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02)
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    network.compile(keras.optimizers.AdamW(schedule), loss, jit_compile=False)
    return network


class PseudoLabelBatches(keras.utils.PyDataset):
    """Batches of 72 sure drawings and 24 sure photos, half of them mirrored, a third upside down."""

    def __init__(
        self, thumbnails: np.ndarray, pseudo_labels: list[np.ndarray], steps: int, seed: int
    ) -> None:
        super().__init__()
        self.thumbnails, self.pseudo_labels, self.steps, self.seed = thumbnails, pseudo_labels, steps, seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, step])
        rows = [rng.choice(kind, size) for kind, size in zip(self.pseudo_labels, (72, 24), strict=True)]
        batch = self.thumbnails[np.concatenate(rows)]
        batch[::2] = batch[::2, :, ::-1]
        batch[::3] = batch[::3, ::-1]
        return batch, np.repeat(np.array([0, 1], np.float32), [72, 24])[:, None]
