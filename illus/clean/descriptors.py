"""Images -> descriptors -> candidate pairs of duplicates.

In: image files. Out: hashes, a thumbnail of the drawn content and a shape descriptor of each image, and
the pairs that are similar in any of them. A pair is only a candidate: illus.clean.compare decides.
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
MAX_RADIUS = 5  # bits: at this distance, one of the three parts differs in at most one bit
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
    max_retry_distance: float = 35.0  # above it there is no second attempt: saves time; swept
    # What is a duplicate, and what a variant
    near: float = 6.0  # distance up to which two files are duplicates: the smallest with recall 0.98; swept
    unlike: float = 12.0  # distance to the kept file above which a chain of duplicates is cut; swept
    shape_neighbours: int = 6  # nearest shapes that may be variants; by eye, as no variants are planted
    mirror_neighbours: int = 3  # nearest mirrored shapes that may be variants; by eye
    min_shape_cosine: float = 0.95  # of the shape descriptors of two variants; by eye


DEFAULTS = DuplicateSettings()

DESCRIPTOR = np.dtype(
    [
        ("pixels", "S64"),  # SHA-256 of the decoded image, hex digits
        ("size", np.int32, 2),  # width, height of the image, px
        ("box", np.int32, 4),  # left, top, right, bottom of its content, px
        ("thumbnail", np.uint8, (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)),  # content on a square of background
        ("whole", np.uint64),  # pHash of the image
        ("content", np.uint64),  # pHash of its content
        ("colours", np.float32, (GRID, GRID, 3)),  # mean colour of the thumbnail's cells
        ("shape", np.float32, CELLS**2 * ORIENTATIONS),  # oriented gradients of the thumbnail
    ]
)


def describe_images(paths: Sequence[Path], settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Describe images, in parallel (see :func:`illus.parallel.in_parallel`).

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.
    settings : DuplicateSettings, optional

    Returns
    -------
    numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,): about 31 kB an image.

    Raises
    ------
    evaluate.ImageDecodeError
        A file cannot be read.
    """
    descriptors = np.zeros(len(paths), DESCRIPTOR)
    for row, values in enumerate(in_parallel(describe_image, paths, "describe", settings)):
        descriptors[row] = values
    return descriptors


def describe_image(path: str | Path, settings: DuplicateSettings = DEFAULTS) -> tuple:
    """Read an image and describe it, as a tuple of the fields of ``DESCRIPTOR``.

    The background is the median colour of the border, the content the bounding box of all that
    differs from it, so that padding and small shifts make no difference.
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


# --- Candidates -----------------------------------------------------------------------------------


def near_hashes(hashes: np.ndarray, radius: int) -> np.ndarray:
    """All pairs of different 64-bit hashes that differ in at most ``radius`` bits.

    Exact, and much faster than comparing all pairs: hashes are cut into three parts, and two near hashes
    differ in at most one bit of one part, so only such pairs are compared (multi-index hashing, Norouzi
    et al. 2012, arXiv:1307.2982).

    Parameters
    ----------
    hashes : numpy.ndarray
        uint64, shape (n,), all different.
    radius : int
        At most ``MAX_RADIUS``.

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), positions i < j, sorted.

    Raises
    ------
    ValueError
        The radius is too large.

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


def _equal_keys(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions in ``wanted`` and in ``keys`` of all equal values; ``keys`` is sorted."""
    left = np.searchsorted(keys, wanted, "left")
    counts = np.searchsorted(keys, wanted, "right") - left
    starts = np.repeat(left - (np.cumsum(counts) - counts), counts)
    return np.repeat(np.arange(len(wanted)), counts), starts + np.arange(counts.sum())


def hash_pairs(hashes: np.ndarray, radius: int, largest_bucket: int = DEFAULTS.largest_bucket) -> np.ndarray:
    """Pairs of files whose hashes differ in at most ``radius`` bits.

    Parameters
    ----------
    hashes : numpy.ndarray
        uint64, shape (n,).
    radius : int
        At most ``MAX_RADIUS``.
    largest_bucket : int
        Files whose hash is shared by more files than this are not paired.

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


def neighbour_pairs(
    vectors: np.ndarray, n_neighbours: int, queries: np.ndarray | None = None, dimensions: int = 32
) -> np.ndarray:
    """Pairs of each row with its nearest rows by Euclidean distance, after a principal component analysis.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape (n, d).
    n_neighbours : int
    queries : numpy.ndarray, optional
        float32, shape (n, d): row i is searched for as ``queries[i]`` instead of ``vectors[i]``.
    dimensions : int, default 32
        Principal components that are kept.

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


def unique_pairs(pairs: np.ndarray) -> np.ndarray:
    """Pairs of different positions, the smaller one first, sorted, each once; int64, shape (pairs, 2)."""
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(pairs, axis=0)
