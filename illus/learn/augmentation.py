"""Random changes of training images, as Keras layers; none is part of the exported network.

In: a key of ``AUGMENTATIONS``. Out: layers for float32 images (n, side, side, 3), 0 to 255, on white.
"""

from collections.abc import Callable

import keras
from keras import layers, ops


class RandomConvolution(layers.Layer):
    """Other colours and textures for the same shapes: images mixed with a randomly filtered version.

    One filter per batch, another amount for each image (Xu et al. 2021, arXiv:2007.13003).

    Parameters
    ----------
    share : float, default 0.5
        Of images that are changed.
    **settings
        Of :class:`keras.layers.Layer`.
    """

    def __init__(self, share: float = 0.5, **settings: object) -> None:
        super().__init__(**settings)
        self.share = share
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        n = ops.shape(images)[0]
        draw = {"seed": self.seed_generator}
        ink = 255.0 - images
        weights = keras.random.normal((3, 3, 3, 3), stddev=27**-0.5, **draw)  # 27 inputs: keeps the variance
        filtered = ops.conv(ink, weights, padding="same")
        amount = keras.random.uniform((n, 1, 1, 1), **draw)
        chosen = ops.cast(keras.random.uniform((n, 1, 1, 1), **draw) < self.share, "float32")
        return ops.clip(255.0 - ink - chosen * amount * (ops.abs(filtered) - ink), 0.0, 255.0)


AUGMENTATIONS: dict[str, Callable[[], list[layers.Layer]]] = {
    "none": lambda: [],
    "flip": lambda: [layers.RandomFlip("horizontal")],
    "affine": lambda: [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.06, fill_mode="constant", fill_value=255.0),
        layers.RandomZoom((-0.2, 0.25), (-0.2, 0.25), fill_mode="constant", fill_value=255.0),
        layers.RandomTranslation(0.1, 0.1, fill_mode="constant", fill_value=255.0),
    ],
    "affine+colour": lambda: [
        *AUGMENTATIONS["affine"](),
        layers.RandomColorJitter(
            (0, 255),
            brightness_factor=0.15,
            contrast_factor=0.3,
            saturation_factor=(0.1, 0.75),
            hue_factor=0.15,
        ),
        layers.RandomGrayscale(0.2),
    ],
    "affine+colour+hand": lambda: [  # what differs between artists: line, gloss, paper
        *AUGMENTATIONS["affine+colour"](),
        layers.RandomInvert(0.1),
        layers.RandomGaussianBlur(0.3, kernel_size=3, sigma=(0.5, 1.5), value_range=(0, 255)),
        layers.RandomPosterization(3, value_range=(0, 255)),
    ],
    "affine+colour+erasing": lambda: [
        *AUGMENTATIONS["affine+colour"](),
        layers.RandomErasing(0.5, scale=(0.02, 0.2), fill_value=255.0, value_range=(0, 255)),
    ],
    "affine+colour+texture": lambda: [
        *AUGMENTATIONS["affine+colour"](),
        RandomConvolution(),
    ],
}
