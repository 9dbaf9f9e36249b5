"""Images -> descriptors: what duplicates are searched and compared by.

In: image files. Out: hashes, mean colours and a shape descriptor of each image, in memory, and a thumbnail of
the drawn content, on disk.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
from PIL import Image

from evaluate import read_file
from illus.files.decoded import LOOKED_AT, Decoded, decode, reduce
from illus.parallel import in_parallel

THUMBNAIL_SIDE = 96  # px, of a thumbnail
MAX_SQUARE = 8_000  # px, side of the square in which an image is centred
GRID = 8  # cells along a side of the colour grid
CELLS, ORIENTATIONS = 8, 8  # of the shape descriptor: cells along a side, bins over 180 degrees
CELL_OF_PIXEL = np.add.outer(
    np.arange(THUMBNAIL_SIDE) * CELLS // THUMBNAIL_SIDE * CELLS,
    np.arange(THUMBNAIL_SIDE) * CELLS // THUMBNAIL_SIDE,
)
# What of an image is content; benchmarks/threshold.py swept them on emoji20 with seed 1
CONTENT_SHARE = 0.3  # of the image's contrast, from which a pixel is content
MIN_CONTENT, MAX_CONTENT = 12.0, 32.0  # levels, bounds of that threshold
FAINT = 500.0  # added to the gradient by which a block is normalised: damps noise

THUMBNAIL = np.dtype((np.uint8, (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)))
DESCRIPTOR = np.dtype(
    [
        ("pixels", "S64"),  # SHA-256 of the decoded image, hex digits, see decoded.decode
        ("size", np.int32, 2),  # width, height of the image as it is measured, px
        ("box", np.int32, 4),  # left, top, right, bottom of its content, px
        ("thumbnail", THUMBNAIL),  # content on a square of background
        ("whole", np.uint64),  # pHash of the image
        ("content", np.uint64),  # pHash of its content
        ("colours", np.float32, (GRID, GRID, 3)),  # mean colour of the thumbnail's cells
        ("shape", np.float32, CELLS**2 * ORIENTATIONS),  # oriented gradients of the thumbnail
        ("blank", np.bool_),  # nothing is seen on white: of such images equal pixels prove nothing
    ]
)
COLUMNS = np.dtype([field for field in DESCRIPTOR.descr if field[0] != "thumbnail"])


class Descriptors:
    """Descriptors of images, like an array of dtype ``DESCRIPTOR``, but with the thumbnails in a file.

    In memory an image takes ``COLUMNS.itemsize`` bytes (about 3 kB). A column is read as ``images["whole"]``,
    and rows as ``images[rows]``: the same images, or some of them in another order, with the same file.
    ``images["thumbnail"]`` and ``numpy.asarray(images)`` read the file, 27,648 bytes an image. All are zeros
    until ``images[row] = descriptor``. The temporary file lies in ``folder``, if that exists.
    """

    def __init__(self, n_images: int, folder: Path | None = None) -> None:
        self.columns = np.zeros(n_images, COLUMNS)
        self.places = np.arange(n_images)  # in the file
        folder = folder if folder and folder.is_dir() else None
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the last of its images
        self.file.truncate(n_images * THUMBNAIL.itemsize)

    def __len__(self) -> int:
        return len(self.columns)

    def __setitem__(self, row: int, descriptor: np.ndarray) -> None:
        for name in self.columns.dtype.names or ():
            self.columns[name][row] = descriptor[name]
        self.file.seek(int(self.places[row]) * THUMBNAIL.itemsize)
        self.file.write(descriptor["thumbnail"].tobytes())

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._thumbnails() if key == "thumbnail" else self.columns[key]
        images = object.__new__(type(self))
        images.columns, images.places, images.file = self.columns[key], self.places[key], self.file
        return images

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        whole = np.empty(len(self), DESCRIPTOR)
        for name in whole.dtype.names or ():
            whole[name] = self[name]
        return whole

    def _thumbnails(self) -> np.ndarray:
        thumbnails = np.empty(len(self), THUMBNAIL)
        for place, thumbnail in zip(self.places.tolist(), thumbnails, strict=True):
            self.file.seek(place * THUMBNAIL.itemsize)
            self.file.readinto(thumbnail.data)
        return thumbnails


def describe_images(paths: Sequence[Path]) -> Descriptors:
    """Describe readable image files, in parallel; evaluate.ImageDecodeError if one cannot be read."""
    descriptors = Descriptors(len(paths))
    for row, descriptor in enumerate(in_parallel(describe_image, paths, "describe")):
        descriptors[row] = descriptor
    return descriptors


def describe_image(path: str | Path) -> np.ndarray:
    """Read an image and describe it; dtype ``DESCRIPTOR``, shape ()."""
    return describe(decode(read_file(Path(path))))


def describe(image: Decoded) -> np.ndarray:
    """The descriptor of an image; dtype ``DESCRIPTOR``, shape ().

    The background is the median colour of the border, the content the bounding box of all that
    differs from it, so that padding and small shifts make no difference.
    """
    rgb = image.rgb
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    background = np.median(border, axis=0).astype(np.uint8)
    left, top, right, bottom = box = content_box(rgb, background)
    thumbnail = square(rgb[top:bottom, left:right], background)
    cell = THUMBNAIL_SIDE // GRID
    values = (
        image.pixels,
        rgb.shape[1::-1],
        box,
        thumbnail,
        perceptual_hash(square(image.small, background)),
        perceptual_hash(thumbnail),
        thumbnail.reshape(GRID, cell, GRID, cell, 3).mean((1, 3)),
        shape_of(thumbnail),
        image.blank,
    )
    return np.array(values, DESCRIPTOR)


def content_box(rgb: np.ndarray, background: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (px) of what differs from the background; the whole image if nothing does.

    The threshold is relative to the image's contrast, so that faint drawings are found, and compression noise
    around strong ones is not. A slight blur removes single pixels. ``rgb`` is uint8, (height, width, 3).
    """
    difference = cv2.absdiff(cv2.blur(rgb, (3, 3)), np.array([*background, 0], float))
    red, green, blue = cv2.split(difference)
    difference = cv2.max(cv2.max(red, green), blue)
    share = CONTENT_SHARE * _percentile(difference, 99)
    level = int(np.clip(share, MIN_CONTENT, MAX_CONTENT))  # of whole levels, those above it are above share
    content = cv2.threshold(difference, level, 1, cv2.THRESH_BINARY)[1]
    left, top, width, height = cv2.boundingRect(content)
    if not width:
        return 0, 0, rgb.shape[1], rgb.shape[0]
    return left, top, left + width, top + height


def _percentile(levels: np.ndarray, percent: float) -> float:
    """``numpy.percentile`` of a uint8 image, from its histogram."""
    below = np.cumsum(cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel().astype(np.int64))
    place = percent / 100 * (levels.size - 1)
    low, high = np.searchsorted(below, [np.floor(place), np.ceil(place)], "right")
    return float(low + (high - low) * (place % 1))


def square(rgb: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Centre a uint8 RGB image on a square of the background colour, ``THUMBNAIL_SIDE`` pixels wide."""
    height, width = rgb.shape[:2]
    side = max(height, width)
    if side > MAX_SQUARE:  # a strip, whose square would need more memory than there is
        scale, side = MAX_SQUARE / side, MAX_SQUARE
        height, width = max(1, round(scale * height)), max(1, round(scale * width))
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    rgb = reduce(rgb, side // LOOKED_AT)
    height, width = rgb.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    margins = (top, side - height - top, left, side - width - left)
    canvas = cv2.copyMakeBorder(rgb, *margins, cv2.BORDER_CONSTANT, value=[int(v) for v in background])
    return cv2.resize(
        canvas,
        (THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        interpolation=cv2.INTER_AREA if side > THUMBNAIL_SIDE else cv2.INTER_CUBIC,
    )


def perceptual_hash(rgb: np.ndarray) -> np.uint64:
    """The 64 bits of ``imagehash.phash`` of a uint8 RGB image, as one number."""
    return np.packbits(imagehash.phash(Image.fromarray(rgb)).hash).view(">u8")[0].astype(np.uint64)


def shape_of(rgb: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of a thumbnail, uint8, as the field ``shape`` of ``DESCRIPTOR``."""
    # After Dalal and Triggs 2005. Gradients are unsigned and normalised over blocks of 2 x 2 cells, so that a
    # drawing in other colours has nearly the same.
    dx, dy = (cv2.Sobel(cv2.blur(rgb, (3, 3)), cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength, angle = cv2.cartToPolar(dx, dy)
    strongest = strength.argmax(2)[..., None]
    strength = np.take_along_axis(strength, strongest, 2)[..., 0]
    bins = np.take_along_axis(angle, strongest, 2)[..., 0] * (ORIENTATIONS / np.pi)
    bins = CELL_OF_PIXEL * ORIENTATIONS + np.rint(bins).astype(np.int64) % ORIENTATIONS
    cells = np.bincount(bins.ravel(), strength.ravel(), CELLS**2 * ORIENTATIONS)
    blocks = cells.reshape(CELLS // 2, 2, CELLS // 2, 2, ORIENTATIONS)
    blocks = blocks / (np.sqrt((blocks**2).sum((1, 3, 4), keepdims=True)) + FAINT)
    descriptor = blocks.ravel().astype(np.float32)
    return descriptor / max(float(np.linalg.norm(descriptor)), 1e-6)


def mirrored(shapes: np.ndarray) -> np.ndarray:
    """Shape descriptors of the images flipped left to right; float32, (n, d) to (n, d)."""
    cells = shapes.reshape(-1, CELLS, CELLS, ORIENTATIONS)
    return np.roll(cells[:, :, ::-1, ::-1], 1, axis=3).reshape(shapes.shape)  # 0 degrees stays 0
