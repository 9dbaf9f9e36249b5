"""Images -> descriptors: what duplicates are searched and compared by.

In: image files. Out: hashes, mean colours and a shape descriptor of each image, in memory, and a thumbnail of
the drawn content, on disk.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from evaluate import decode_image, read_file
from illus.parallel import in_parallel

THUMBNAIL_SIDE = 96  # px, of a thumbnail
MAX_SQUARE = 8_000  # px, side of the square in which an image is centred
GRID = 8  # cells along a side of the colour grid
CELLS, ORIENTATIONS = 8, 8  # of the shape descriptor: cells along a side, bins over 180 degrees
CELL_OF_PIXEL = np.add.outer(
    np.arange(THUMBNAIL_SIDE) * CELLS // THUMBNAIL_SIDE * CELLS,
    np.arange(THUMBNAIL_SIDE) * CELLS // THUMBNAIL_SIDE,
)


@dataclass(frozen=True)
class DuplicateSettings:
    """Every threshold of the duplicate finder.

    *Swept* fields were chosen on emoji20 built with seed 1, which no result is reported on;
    ``benchmarks/threshold.py`` varies each of them there, in ``results/duplicates_settings.csv``.
    """

    # What an image shows
    content_share: float = 0.3  # of the image's contrast, from which a pixel is content; swept
    min_content: float = 12.0  # levels, lower bound of that threshold; swept
    max_content: float = 32.0  # levels, upper bound of that threshold; swept
    faint: float = 500.0  # added to the gradient by which a block is normalised: damps noise; swept
    # Which pairs are compared
    hash_radius: int = 4  # bits of 64 in which two pHashes may differ; swept
    largest_bucket: int = 20  # files; a hash that more files share is of images without structure; swept
    colour_neighbours: int = 6  # nearest images by colour grid; swept
    max_exact: int = 100_000  # images of which all are compared with all: about a minute; of more, by faiss
    max_cell_difference: float = 75.0  # levels, in any cell of the colour grid; swept
    max_margin_ratio: float = 1.19  # padding by 8 % on each side, which emoji20 plants, and rounding
    max_aspect: float = 0.05  # difference of log aspect ratios, on top of a pixel of rounding; swept
    # How different two images are
    smallest_side: int = 24  # px, of the comparison: a third of the smallest file that emoji20 has
    window: int = 8  # px, over which a difference is averaged; swept
    edge_allowance: float = 0.1  # share of the edge strength that is forgiven: resampling blurs edges; swept
    gain: tuple[float, float] = (0.85, 1.18)  # range of contrast changes: the mild ones that emoji20 plants
    offset: tuple[float, float] = (-30.0, 30.0)  # levels, range of brightness changes: as emoji20 plants
    light_penalty: float = 0.2  # per level of brightness or contrast change that was fitted; swept
    margin_penalty: float = 20.0  # per log ratio of the shares of the image that content fills; swept
    detail: float = 20.0  # mean gradient at which twice a flat drawing's difference is allowed; swept
    max_scale: float = 0.06  # of an alignment; swept
    max_shear: float = 0.015  # of an alignment; swept
    max_shift: float = 0.035  # of an alignment, as a share of the side; swept
    sure: float = 1.0  # distance below which no other attempt is made; swept
    max_retry_distance: float = 25.0  # above it there is no second attempt: saves time; swept
    # What is a duplicate, and what a variant
    near: float = 6.0  # distance up to which two files are duplicates: the smallest with recall 0.98; swept
    unlike: float = 12.0  # distance above which a chain is cut, and a coarse comparison is enough; swept
    shape_neighbours: int = 6  # nearest shapes that may be variants; by eye, as no variants are planted
    mirror_neighbours: int = 3  # nearest mirrored shapes that may be variants; by eye
    min_shape_cosine: float = 0.95  # of the shape descriptors of two variants; by eye


DEFAULTS = DuplicateSettings()

THUMBNAIL = np.dtype((np.uint8, (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)))
DESCRIPTOR = np.dtype(
    [
        ("pixels", "S64"),  # SHA-256 of the decoded image, hex digits
        ("size", np.int32, 2),  # width, height of the image, px
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
    ``images["thumbnail"]`` and ``numpy.asarray(images)`` read the file, 27,648 bytes an image.

    Parameters
    ----------
    n_images : int
        All zeros, until ``images[row] = descriptor`` sets them one by one.
    folder : Path, optional
        Where the temporary file lies, if it exists; else in the system's folder for such files.
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

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._thumbnails() if key == "thumbnail" else self.columns[key]
        images = object.__new__(type(self))
        images.columns, images.places, images.file = self.columns[key], self.places[key], self.file
        return images

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
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


def describe_images(paths: Sequence[Path], settings: DuplicateSettings = DEFAULTS) -> Descriptors:
    """Describe images, in parallel (see :func:`illus.parallel.in_parallel`).

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.
    settings : DuplicateSettings, optional

    Returns
    -------
    Descriptors
        Of n images.

    Raises
    ------
    evaluate.ImageDecodeError
        A file cannot be read.
    """
    descriptors = Descriptors(len(paths))
    for row, descriptor in enumerate(in_parallel(describe_image, paths, "describe", settings)):
        descriptors[row] = descriptor
    return descriptors


def describe_image(path: str | Path, settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Read an image and describe it; dtype ``DESCRIPTOR``, shape ().

    The background is the median colour of the border, the content the bounding box of all that
    differs from it, so that padding and small shifts make no difference.
    """
    rgb = decode_image(read_file(Path(path)))
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    background = np.median(border, axis=0).astype(np.uint8)
    left, top, right, bottom = box = content_box(rgb, background, settings)
    thumbnail = square(rgb[top:bottom, left:right], background)
    cell = THUMBNAIL_SIDE // GRID
    values = (
        hashlib.sha256(str(rgb.shape).encode() + rgb.tobytes()).hexdigest(),
        rgb.shape[1::-1],
        box,
        thumbnail,
        perceptual_hash(square(rgb, background)),
        perceptual_hash(thumbnail),
        thumbnail.reshape(GRID, cell, GRID, cell, 3).mean((1, 3)),
        shape_of(thumbnail, settings.faint),
        (rgb == rgb[0, 0]).all(),
    )
    return np.array(values, DESCRIPTOR)


def content_box(
    rgb: np.ndarray, background: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (px) of what differs from the background; the whole image if nothing does.

    The threshold is relative to the image's contrast, so that faint drawings are found, and compression
    noise around strong ones is not. A slight blur removes single pixels.

    Parameters
    ----------
    rgb : numpy.ndarray
        uint8, shape (height, width, 3).
    background : numpy.ndarray
        uint8, shape (3,).
    settings : DuplicateSettings, optional
    """
    difference = np.abs(cv2.blur(rgb, (3, 3)).astype(np.int16) - background).max(axis=2)
    content = difference > np.clip(
        settings.content_share * np.percentile(difference, 99), settings.min_content, settings.max_content
    )
    if not content.any():
        return 0, 0, rgb.shape[1], rgb.shape[0]
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def square(rgb: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Centre a uint8 RGB image on a square of the background colour, ``THUMBNAIL_SIDE`` pixels wide."""
    height, width = rgb.shape[:2]
    side = max(height, width)
    if side > MAX_SQUARE:  # a strip, whose square would need more memory than there is
        scale, side = MAX_SQUARE / side, MAX_SQUARE
        height, width = max(1, round(scale * height)), max(1, round(scale * width))
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    canvas = np.full((side, side, 3), background, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = rgb
    return cv2.resize(
        canvas,
        (THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        interpolation=cv2.INTER_AREA if side > THUMBNAIL_SIDE else cv2.INTER_CUBIC,
    )


def perceptual_hash(rgb: np.ndarray) -> np.uint64:
    """The 64 bits of ``imagehash.phash`` of a uint8 RGB image, as one number."""
    return np.packbits(imagehash.phash(Image.fromarray(rgb)).hash).view(">u8")[0].astype(np.uint64)


def shape_of(rgb: np.ndarray, faint: float = DEFAULTS.faint) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005), scaled to unit length.

    Gradients are unsigned and normalised over blocks of 2 x 2 cells, so that a drawing in other colours
    has nearly the same descriptor.

    Parameters
    ----------
    rgb : numpy.ndarray
        uint8, shape (``THUMBNAIL_SIDE``, ``THUMBNAIL_SIDE``, 3).
    faint : float
        See :class:`DuplicateSettings`.

    Returns
    -------
    numpy.ndarray
        float32, as the field ``shape`` of ``DESCRIPTOR``; all zeros if there is no gradient.
    """
    dx, dy = (cv2.Sobel(cv2.blur(rgb, (3, 3)), cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength, angle = cv2.cartToPolar(dx, dy)
    strongest = strength.argmax(2)[..., None]
    strength = np.take_along_axis(strength, strongest, 2)[..., 0]
    bins = np.take_along_axis(angle, strongest, 2)[..., 0] * (ORIENTATIONS / np.pi)
    bins = CELL_OF_PIXEL * ORIENTATIONS + np.rint(bins).astype(np.int64) % ORIENTATIONS
    cells = np.bincount(bins.ravel(), strength.ravel(), CELLS**2 * ORIENTATIONS)
    blocks = cells.reshape(CELLS // 2, 2, CELLS // 2, 2, ORIENTATIONS)
    blocks = blocks / (np.sqrt((blocks**2).sum((1, 3, 4), keepdims=True)) + faint)
    descriptor = blocks.ravel().astype(np.float32)
    return descriptor / max(float(np.linalg.norm(descriptor)), 1e-6)


def mirrored(shapes: np.ndarray) -> np.ndarray:
    """Shape descriptors of the images flipped left to right; float32, (n, d) to (n, d)."""
    cells = shapes.reshape(-1, CELLS, CELLS, ORIENTATIONS)
    return np.roll(cells[:, :, ::-1, ::-1], 1, axis=3).reshape(shapes.shape)  # 0 degrees stays 0
