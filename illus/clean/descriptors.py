"""Images -> descriptors -> the pairs of images that are worth comparing.

In: image files. Out: hashes, a thumbnail of the drawn content and a shape descriptor of each, and the
pairs that any of them calls alike. Nothing is decided here: a pair is only a candidate.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from evaluate import decode_image, read_file
from illus.parallel import in_parallel

THUMBNAIL_SIDE = 96  # px, of a thumbnail
GRID = 8  # cells along a side of the colour grid
BANDS = ((0, 21), (21, 21), (42, 22))  # first bit and width of the parts that a 64-bit hash is cut into
MAX_RADIUS = 5  # bits: one of three parts of two hashes this close differs in at most one bit
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
    content_share: float = 0.3  # of its own contrast, from which a pixel is content, not background; swept
    min_content: float = 12.0  # levels that are content at least; swept
    max_content: float = 32.0  # levels that are always content; swept
    faint: float = 500.0  # gradient of a block that counts for little: noise on empty ground; swept
    # Which pairs are compared
    hash_radius: int = 4  # bits of 64 in which two pHashes may differ; swept
    largest_bucket: int = (
        20  # files of one hash that are paired; more stand for images without structure; swept
    )
    colour_neighbours: int = 6  # nearest in the colour grid; swept
    max_cell_difference: float = 75.0  # levels, in any cell of the colour grid; swept
    max_margin_ratio: float = 1.19  # padding by 8 % on each side, which emoji20 plants, and rounding
    max_aspect: float = 0.05  # difference of log aspects, beside a pixel of rounding; swept
    # How different two images are
    smallest_side: int = 24  # px, of the comparison: a third of the smallest file that emoji20 has
    window: int = 8  # px, over which a difference is averaged; swept
    edge_allowance: float = 0.1  # of the edge strength in the window: resampling blurs edges; swept
    gain: tuple[float, float] = (0.85, 1.18)  # of contrast: the mild changes that emoji20 plants
    offset: tuple[float, float] = (-30.0, 30.0)  # levels of brightness: the mild changes that emoji20 plants
    light_penalty: float = 0.2  # per level by which the light had to be changed; swept
    margin_penalty: float = 20.0  # per log ratio of the shares of the image that content fills; swept
    detail: float = 20.0  # mean gradient at which twice a flat drawing's difference is allowed; swept
    max_scale: float = 0.06  # of an alignment; swept
    max_shear: float = 0.015  # of an alignment; swept
    max_shift: float = 0.035  # of an alignment, as a part of the side; swept
    max_retry_distance: float = 35.0  # no second attempt from here on: saves time; swept
    # What is a duplicate, and what a variant
    near: float = 6.0  # distance up to which two files are duplicates: the smallest with recall 0.98; swept
    unlike: float = 12.0  # distance to the kept file from which a chain of duplicates is cut; swept
    shape_neighbours: int = 6  # nearest shapes that may be variants; the truth lists no variants: by looking
    mirror_neighbours: int = 3  # the same of mirrored images; by looking
    min_shape_cosine: float = 0.95  # of shape descriptors from which two drawings are variants; by looking


DEFAULTS = DuplicateSettings()

DESCRIPTOR = np.dtype(
    [
        ("pixels", "S64"),  # SHA-256 of the decoded image, hex digits
        ("size", np.int32, 2),  # width, height of the image, px
        ("box", np.int32, 4),  # left, top, right, bottom of its content, px
        (
            "thumbnail",
            np.uint8,
            (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3),
        ),  # the content, squared on the background colour
        ("whole", np.uint64),  # pHash of the image
        ("content", np.uint64),  # pHash of its content
        ("colours", np.float32, (GRID, GRID, 3)),  # mean colour of the thumbnail's cells
        ("shape", np.float32, CELLS**2 * ORIENTATIONS),  # oriented gradients of the thumbnail
    ]
)


def describe_images(paths: Sequence[Path], settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Describe images, in parallel.

    Work is spread by joblib, so a surrounding ``joblib.parallel_config`` decides where it runs.

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.

    Returns
    -------
    numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,): about 31 kB an image.
    """
    descriptors = np.zeros(len(paths), DESCRIPTOR)
    for row, values in enumerate(in_parallel(describe_image, paths, "describe", settings)):
        descriptors[row] = values
    return descriptors


def describe_image(path: Path, settings: DuplicateSettings = DEFAULTS) -> tuple:
    """Read an image and describe it, as a tuple of the fields of ``DESCRIPTOR``.

    The background is the median colour of the border, the content the bounding box of all that
    differs from it, so that padding and small shifts vanish.
    """
    rgb = decode_image(read_file(Path(path)))
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    background = np.median(border, axis=0).astype(np.uint8)
    left, top, right, bottom = box = content_box(rgb, background, settings)
    thumbnail = square(rgb[top:bottom, left:right], background)
    cell = THUMBNAIL_SIDE // GRID
    return (
        hashlib.sha256(str(rgb.shape).encode() + rgb.tobytes()).hexdigest(),
        rgb.shape[1::-1],
        box,
        thumbnail,
        perceptual_hash(square(rgb, background)),
        perceptual_hash(thumbnail),
        thumbnail.reshape(GRID, cell, GRID, cell, 3).mean((1, 3)),
        shape_of(thumbnail, settings.faint),
    )


def content_box(
    rgb: np.ndarray, background: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what differs from the background; the whole where nothing does.

    What counts as different is a part of the image's own contrast: faint drawings are found, the
    noise of compression around strong ones is not, nor are specks of a pixel beside them.
    """
    difference = np.abs(cv2.blur(rgb, (3, 3)).astype(np.int16) - background).max(axis=2)
    content = difference > np.clip(
        settings.content_share * np.percentile(difference, 99), settings.min_content, settings.max_content
    )
    if not content.any():
        return 0, 0, rgb.shape[1], rgb.shape[0]
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def square(rgb, background):
    """Centre an image on a square of the background colour, ``THUMBNAIL_SIDE`` pixels wide."""
    height, width = rgb.shape[:2]
    side = max(height, width)
    canvas = np.full((side, side, 3), background, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = rgb
    return cv2.resize(
        canvas,
        (THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        interpolation=cv2.INTER_AREA if side > THUMBNAIL_SIDE else cv2.INTER_CUBIC,
    )


def perceptual_hash(rgb):
    """64-bit pHash as ``imagehash.phash`` computes it, as a number whose bits can be compared."""
    return np.packbits(imagehash.phash(Image.fromarray(rgb)).hash).view(">u8")[0].astype(np.uint64)


def shape_of(rgb: np.ndarray, faint: float = DEFAULTS.faint) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005), normalised, of unit length.

    Gradients are unsigned and normalised over blocks of 2 x 2 cells: a drawing in other colours has
    nearly the same descriptor. All zeros where there is no gradient.
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


def mirrored(shapes):
    """The shape descriptors of the images flipped left to right; same shape (n, d)."""
    cells = shapes.reshape(-1, CELLS, CELLS, ORIENTATIONS)
    return np.roll(cells[:, :, ::-1, ::-1], 1, axis=3).reshape(shapes.shape)  # 0 degrees stays 0


# --- Candidates -----------------------------------------------------------------------------------


def near_hashes(hashes, radius):
    """All pairs of different 64-bit hashes that differ in at most ``radius`` bits.

    Exact, and far below quadratic: hashes are cut into three parts, and two that are near agree in
    one part up to a single bit, so only those are looked at (multi-index hashing, Norouzi et al.
    2012, arXiv:1307.2982).

    Parameters
    ----------
    hashes : numpy.ndarray
        uint64, shape (n,), without repetition.
    radius : int
        At most 5.

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), positions i < j, sorted.

    Examples
    --------
    >>> near_hashes(np.array([0, 0b111, 1 << 63], np.uint64), 2).tolist()
    [[0, 2]]
    """
    if radius > MAX_RADIUS:
        raise ValueError(f"radius {radius}: at most {MAX_RADIUS} bits can be searched exactly")
    found = [np.empty((0, 2), np.int64)]
    for start, width in BANDS:
        keys = (hashes >> np.uint64(start) & np.uint64((1 << width) - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        for flipped in (0, *(1 << bit for bit in range(width))):
            first, second = _equal_keys(keys[order], keys[order] ^ flipped)
            first, second = order[first], order[second]
            near = (first < second) & (np.bitwise_count(hashes[first] ^ hashes[second]) <= radius)
            found.append(np.column_stack([first[near], second[near]]))
    return np.unique(np.concatenate(found), axis=0)


def _equal_keys(keys, wanted):
    """Positions (in ``wanted``, in ``keys``) of all equal values; ``keys`` is sorted."""
    left = np.searchsorted(keys, wanted, "left")
    counts = np.searchsorted(keys, wanted, "right") - left
    starts = np.repeat(left - (np.cumsum(counts) - counts), counts)
    return np.repeat(np.arange(len(wanted)), counts), starts + np.arange(counts.sum())


def hash_pairs(hashes: np.ndarray, radius: int, largest_bucket: int = DEFAULTS.largest_bucket) -> np.ndarray:
    """Pairs of files whose hashes differ in at most ``radius`` bits.

    A hash that more than ``largest_bucket`` files share stands for images without structure; it
    pairs none of them.

    Parameters
    ----------
    hashes : numpy.ndarray
        uint64, shape (n,).
    radius : int

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), i < j.
    """
    values, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts <= largest_bucket)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    same = np.column_stack([kept, kept])
    pairs = [np.empty((0, 2), np.int64)]
    for a, b in np.concatenate([same, kept[near_hashes(values[kept], radius)]]):
        pairs.append(np.stack(np.meshgrid(members[a], members[b]), -1).reshape(-1, 2))
    return unique_pairs(np.concatenate(pairs))


def neighbour_pairs(vectors, n_neighbours, queries=None, dimensions=32):
    """Pairs of each row with its nearest rows, after a principal component analysis.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape (n, d).
    n_neighbours : int
    queries : numpy.ndarray, optional
        float32, shape (n, d): search with these instead of the rows themselves.
    dimensions : int, default 32
        Kept of the d.

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), i < j.
    """
    if len(vectors) < 2:
        return np.empty((0, 2), np.int64)
    with np.errstate(invalid="ignore"):  # all rows equal: no variance to explain
        pca = PCA(min(dimensions, *vectors.shape), svd_solver="covariance_eigh").fit(vectors)
    points = pca.transform(vectors)
    asked = points if queries is None else pca.transform(queries)
    count = min(n_neighbours + (queries is None), len(points))
    near = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors(asked)[1]
    return unique_pairs(np.column_stack([np.repeat(np.arange(len(points)), count), near.ravel()]))


def unique_pairs(pairs):
    """Pairs of different positions, smaller one first, sorted, each once."""
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(pairs, axis=0)
