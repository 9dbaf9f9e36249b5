"""Random changes of training images, as Keras layers; none is part of the exported network.

In: a key of ``AUGMENTATIONS``. Out: layers for float32 images (n, side, side, 3), 0 to 255, on white.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
MIDDLE = 127.5  # the gray that a change of contrast keeps
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
BLUR = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16
OUTLINE_GAIN = 0.5  # of Sobel's gradient, of which a border between black and white has 4 x 255
ERASED = (0.15, 0.5)  # of the side: sides of an erased rectangle
POSTERISED = (32.0, 96.0)  # steps between the levels that are left
Range = tuple[float, float]


class RandomChange(layers.Layer):
    """Base of layers that change images in training only, each image in its own way."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.seed_generator = keras.random.SeedGenerator()

    def draw(self, images: keras.KerasTensor, count: int) -> list[keras.KerasTensor]:
        """``count`` numbers for each image, uniform from 0 to 1: float32, each of shape (n,)."""
        drawn = keras.random.uniform((ops.shape(images)[0], count), seed=self.seed_generator)
        return [drawn[:, column] for column in range(count)]


class RandomAffine(RandomChange):
    """One affine map of each image about its centre, sampled bilinearly; what comes into view is white."""

    def __init__(
        self,
        rotation: float,  # largest angle, degrees
        zoom: Range,  # log-uniform; 2.0 shows the image twice as large
        axis_zoom: Range,  # the same of each axis by itself
        shear: float,  # largest horizontal shift of a row, relative to its distance from the centre
        shift: float,  # largest along each axis, relative to the side
        flip: bool = True,  # mirror every other image, left to right
        **settings: object,
    ) -> None:
        super().__init__(**settings)
        self.rotation, self.zoom, self.axis_zoom = rotation, zoom, axis_zoom
        self.shear, self.shift, self.flip = shear, shift, flip

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        angle, zoom, wide, high, shear, right, down, mirrored = self.draw(images, 8)
        angle = math.radians(self.rotation) * _signed(angle)
        zoom = _log_between(self.zoom, zoom)
        # from a pixel of the result to the place in the image that it shows, so zooms are divided by
        column = ops.where(mirrored < 0.5 * self.flip, -1.0, 1.0) / (
            zoom * _log_between(self.axis_zoom, wide)
        )
        row = 1.0 / (zoom * _log_between(self.axis_zoom, high))
        shear = self.shear * _signed(shear)
        cos, sin = ops.cos(angle), ops.sin(angle)
        height, width = images.shape[1:3]
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        xx, xy = column * cos, row * (shear * cos - sin)
        yx, yy = column * sin, row * (shear * sin + cos)
        x = middle_x + self.shift * width * _signed(right) - xx * middle_x - xy * middle_y
        y = middle_y + self.shift * height * _signed(down) - yx * middle_x - yy * middle_y
        # a single resampling blurs less, and costs less, than one each for rotation, zoom and shift
        return sample(images, ops.stack([xx, xy, x, yx, yy, y], axis=-1))


def sample(images: keras.KerasTensor, maps: keras.KerasTensor) -> keras.KerasTensor:
    """Images, float32 (n, height, width, 3), seen through affine maps, (n, 6), bilinearly; white outside."""
    # pixel (x, y) of the result shows (m0 x + m1 y + m2, m3 x + m4 y + m5)
    if keras.backend.backend() == "tensorflow":  # its kernel takes half the time of four gathers on a CPU
        maps = ops.pad(maps, ((0, 0), (0, 2)))
        return ops.image.affine_transform(images, maps, fill_mode="constant", fill_value=255.0)
    n, (height, width, channels) = ops.shape(images)[0], images.shape[1:]
    x, y = ops.arange(width, dtype="float32"), ops.arange(height, dtype="float32")[:, None]
    m = maps[:, :, None, None]
    u = ops.clip(m[:, 0] * x + m[:, 1] * y + m[:, 2], -1, width) + 1  # in the image with its border
    v = ops.clip(m[:, 3] * x + m[:, 4] * y + m[:, 5], -1, height) + 1
    left, top = ops.floor(u), ops.floor(v)
    du, dv = (u - left)[..., None], (v - top)[..., None]
    bordered = ops.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=255.0)
    flat = ops.reshape(bordered, (-1, channels))
    across, down = 1, width + 3
    first = ops.arange(n)[:, None, None] * (height + 3) * down
    first = first + ops.cast(top, "int32") * down + ops.cast(left, "int32")
    upper, lower = (
        ops.take(flat, first + row, 0) * (1 - du) + ops.take(flat, first + row + across, 0) * du
        for row in (0, down)
    )
    return upper * (1 - dv) + lower * dv


class RandomColours(RandomChange):
    """One 3 x 4 matrix on the colours of each image: hue, saturation or gray, contrast and brightness."""

    def __init__(
        self,
        hue: float,  # largest rotation about the gray axis of RGB, degrees
        saturation: Range,  # of the distance from gray of the same luma, relative to what it was
        gray: float,  # share of images without colour
        contrast: Range,  # of the distance from middle gray
        brightness: float,  # largest change, of 255
        **settings: object,
    ) -> None:
        super().__init__(**settings)
        self.hue, self.saturation, self.gray = hue, saturation, gray
        self.contrast, self.brightness = contrast, brightness

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        hue, saturation, gray, contrast, brightness = self.draw(images, 5)
        hue = math.radians(self.hue) * _signed(hue)[:, None, None]
        saturation = ops.where(gray < self.gray, 0.0, _between(self.saturation, saturation))[:, None, None]
        contrast = _between(self.contrast, contrast)[:, None, None]
        cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.float32(math.sqrt(3))
        cos, sin = ops.cos(hue), ops.sin(hue)
        turn = cos * np.eye(3, dtype="float32") + (1 - cos) / 3 + sin * cross  # Rodrigues' formula
        luma = ops.sum(LUMA[:, None] * turn, 1, keepdims=True)
        matrix = contrast * (saturation * turn + (1 - saturation) * luma)
        offset = MIDDLE * (1 - contrast) + 255 * self.brightness * _signed(brightness)[:, None, None]
        pixels = ops.reshape(images, (-1, images.shape[1] * images.shape[2], 3))
        changed = ops.matmul(pixels, ops.transpose(matrix, (0, 2, 1))) + offset
        return ops.clip(ops.reshape(changed, (-1, *images.shape[1:])), 0.0, 255.0)


class RandomFilters(RandomChange):
    """A random filter, outlines or a blur for some images; erased, posterised or inverted, for some."""

    def __init__(
        self,
        texture: float,  # shares of images; an image gets at most one of the first three
        outlines: float,
        blur: float,
        erase: float,
        posterise: float,
        invert: float,
        **settings: object,
    ) -> None:
        super().__init__(**settings)
        self.texture, self.outlines, self.blur = texture, outlines, blur
        self.erase, self.posterise, self.invert = erase, posterise, invert

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        which, amount, erase, left, top, width, height, posterise, step, invert = (
            number[:, None, None, None] for number in self.draw(images, 10)
        )
        ink = self.filtered(255.0 - images, which, amount)
        rows, columns = (_places(side) for side in images.shape[1:3])
        inside = _inside(rows[:, None, None], top, height) & _inside(columns[:, None], left, width)
        ink = ops.where(inside & (erase < self.erase), 0.0, ink)
        step = _between(POSTERISED, step)
        ink = ops.where(posterise < self.posterise, ops.minimum(ops.round(ink / step) * step, 255.0), ink)
        return ops.where(invert < self.invert, ink, 255.0 - ink)

    def filtered(
        self, ink: keras.KerasTensor, which: keras.KerasTensor, amount: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Images of ink, float32 from 0 to 255, of which ``which`` (n, 1, 1, 1) picks those to filter."""
        # one for a batch, mixed into each image by another amount (Xu et al. 2021, arXiv:2007.13003)
        random = keras.random.normal((3, 3, 3, 3), stddev=27**-0.5, seed=self.seed_generator)
        blur = BLUR[:, :, None, None] * np.eye(3, dtype="float32")
        gradient = np.stack([SOBEL, SOBEL.T], -1)[:, :, None] * LUMA[:, None]
        maps = ops.conv(ink, ops.concatenate([random, blur, OUTLINE_GAIN * gradient], -1), padding="same")
        outlines = ops.sqrt(ops.sum(ops.square(maps[..., 6:]), -1, keepdims=True) + 1e-6)
        textured, outlined = which < self.texture, which > 1 - self.outlines
        blurred = ops.logical_not(textured) & (which < self.texture + self.blur)
        other = ops.where(outlined, outlines, ops.where(blurred, maps[..., 3:6], ops.abs(maps[..., :3])))
        amount = ops.where(outlined, 1.0, ops.where(textured | blurred, amount, 0.0))
        return ops.clip(ink + amount * (other - ink), 0.0, 255.0)


def _signed(number: keras.KerasTensor) -> keras.KerasTensor:
    return 2 * number - 1


def _between(limits: Range, number: keras.KerasTensor) -> keras.KerasTensor:
    return limits[0] + (limits[1] - limits[0]) * number


def _log_between(limits: Range, number: keras.KerasTensor) -> keras.KerasTensor:
    return ops.exp(_between((math.log(limits[0]), math.log(limits[1])), number))


def _places(side: int) -> np.ndarray:
    """The middles of pixels along a side of length 1; float32, shape (side,)."""
    return ((np.arange(side) + 0.5) / side).astype(np.float32)


def _inside(places: np.ndarray, start: keras.KerasTensor, length: keras.KerasTensor) -> keras.KerasTensor:
    """Which places are in an interval of ``ERASED`` length, drawn so that it is inside the image; bool."""
    length = _between(ERASED, length)
    start = start * (1 - length)
    return (places >= start) & (places < start + length)


AUGMENTATIONS: dict[str, Callable[[], list[layers.Layer]]] = {
    "none": lambda: [],
    "flip": lambda: [layers.RandomFlip("horizontal")],
    "mild": lambda: [
        RandomAffine(rotation=22, zoom=(1, 1), axis_zoom=(0.8, 1.25), shear=0, shift=0.1),
        RandomColours(hue=27, saturation=(0.2, 1.7), gray=0.2, contrast=(0.7, 1.3), brightness=0.15),
    ],
    "strong": lambda: [
        RandomAffine(rotation=29, zoom=(0.7, 1.4), axis_zoom=(0.8, 1.25), shear=0.2, shift=0.2),
        RandomColours(hue=29, saturation=(0.2, 1.7), gray=0.2, contrast=(0.7, 1.3), brightness=0.15),
        RandomFilters(texture=1 / 3, outlines=0.1, blur=0.15, erase=0.25, posterise=0.1, invert=0.05),
    ],
}
