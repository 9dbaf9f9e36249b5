"""The bytes of a file -> its image, decoded once, at the smallest scale that serves all that is measured.

In: bytes. Out: pixels, at least twice as wide as any measure looks at, and what only the decoder knows.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from evaluate import decode_image, open_image, to_rgb

LOOKED_AT = 256  # px, the longest side that any measure but the thumbnail looks at
LEAST_SIDE = 2 * LOOKED_AT  # px, of the shorter side of a reduced image
JPEG_FACTORS = (8, 4, 2, 1)  # by which a JPEG can be reduced as it is decoded
DARK = (0, 0, 0)


@dataclass(frozen=True)
class Decoded:
    """An image as it is measured."""

    rgb: np.ndarray  # uint8 (height, width, 3); the shorter side is LEAST_SIDE at least, or that of the file
    pixels: str  # SHA-256 of what was measured, see decode
    width: int  # px of the whole image, upright
    height: int
    format: str  # as Pillow names it
    mode: str
    blank: bool  # nothing is seen on white

    @cached_property
    def small(self) -> np.ndarray:
        """The image, reduced to between once and twice ``LOOKED_AT`` if its longest side is larger."""
        return reduce(self.rgb, max(self.rgb.shape[:2]) // LOOKED_AT)


def decode(data: bytes) -> Decoded:
    """Decode the bytes of a file for measuring; raises as :func:`evaluate.decode_image`.

    A large JPEG is decoded at a reduced scale, and other large images are reduced by the same factors. What
    is transparent is white; but where that leaves one colour, the image is ``blank``, and measured on a dark
    ground, if it shows something there. ``pixels`` are equal for images of the same size and pixels; of large
    images, at reduced scale, so that only what no measure sees may differ.
    """
    image = open_image(data)
    size, mode, transparent = image.size, image.mode, image.has_transparency_data
    if isinstance(image, JpegImageFile) and _lies_on_its_side(image):
        size = size[::-1]
    rgb, blank, ground = to_rgb(image, LEAST_SIDE), False, ""
    if _is_constant(rgb):
        blank = True
        if transparent:
            dark = decode_image(data, LEAST_SIDE, DARK)
            if not _is_constant(dark):
                rgb, ground = dark, "on dark"
    height, width = rgb.shape[:2]
    if (width, height) not in (size, size[::-1]):  # decoded at a reduced scale
        width, height = size
    shortest = min(rgb.shape[:2])
    rgb = reduce(rgb, next(f for f in JPEG_FACTORS if f == 1 or shortest >= f * LEAST_SIDE))
    if rgb.shape[:2] != (height, width):
        ground += f" of {(height, width, 3)}"
    pixels = hashlib.sha256(f"{rgb.shape}{ground}".encode())
    pixels.update(np.ascontiguousarray(rgb).data)
    return Decoded(rgb, pixels.hexdigest(), width, height, image.format or "", mode, blank)


def _is_constant(rgb: np.ndarray) -> bool:
    return all((part == rgb[0, 0]).all() for part in (rgb[::16, ::16], rgb))  # the first one mostly decides


def _lies_on_its_side(header: Image.Image) -> bool:
    orientation = 1
    with suppress(Exception):  # damaged EXIF, which the decoder leaves out, too
        orientation = header.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation in (5, 6, 7, 8)


def reduce(rgb: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of ``factor`` px, which is 10 times faster than other factors; drops what is left."""
    factor = min(factor, *rgb.shape[:2])
    if factor <= 1:
        return rgb
    height, width = (side // factor for side in rgb.shape[:2])
    whole = rgb[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
