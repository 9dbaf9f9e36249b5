"""Two images -> how different they are, apart from what copying may change.

In: descriptors. Out: a distance, small for duplicates and large for real differences.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from illus.copies.candidates import ROWS_AT_ONCE
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.files.cache import Stage, cached
from illus.files.descriptors import THUMBNAIL_SIDE, Descriptors
from illus.parallel import in_parallel

MEAN = np.full((1, 3), 1 / 3, np.float32)
YCC = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]], np.float32)  # JFIF
ECC_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)

BLUR = 0.7  # px, sd of the blur before two images are compared: about one step of resampling
UNSATURATED = (8, 247)  # levels between which brightness and contrast are fitted: others may be clipped
MIN_FITTED = 30  # levels of pixels, without which nothing is fitted
MIN_CONTRAST = 5  # levels, sd below which the contrast is not fitted: its gain would be noise
PAIRS_PER_TASK = 100  # compared by a worker at a time: about a second, and less than 7 MB of descriptors
DISTANCES = Stage(
    "distances", ("illus/files/descriptors.py", "illus/copies/compare.py"), (np.dtype(np.float64),)
)

View = tuple[np.ndarray, np.ndarray, np.ndarray]  # two images, and 1 where the content of both is known


def plausible(
    descriptors: Descriptors | np.ndarray, pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Which pairs can be duplicates at all, by the aspect ratio of the content, margins and coarse colours.

    Parameters
    ----------
    descriptors : Descriptors or numpy.ndarray
        Of images; of an array, only columns other than ``thumbnail`` are needed.
    pairs : numpy.ndarray
        int, shape (n, 2).
    settings : DuplicateSettings, optional

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).
    """
    first, second = pairs.T
    content = descriptors["box"][:, 2:] - descriptors["box"][:, :2]
    aspect, rounding = np.log(content[:, 0] / content[:, 1]), 0.5 / content.min(1)
    fill = np.log(content.max(1) / descriptors["size"].max(1))
    alike = np.abs(aspect[first] - aspect[second]) <= settings.max_aspect + rounding[first] + rounding[second]
    alike &= np.abs(fill[first] - fill[second]) <= np.log(settings.max_margin_ratio)
    left = np.flatnonzero(alike)
    for rows in np.array_split(left, len(left) // ROWS_AT_ONCE + 1):
        cells = np.abs(descriptors["colours"][first[rows]] - descriptors["colours"][second[rows]])
        alike[rows] = cells.max((1, 2, 3), initial=0) <= settings.max_cell_difference
    return alike


def pair_distances(
    descriptors: Descriptors | np.ndarray,
    pairs: np.ndarray,
    settings: DuplicateSettings = DEFAULTS,
    cache: Path | None = None,
) -> np.ndarray:
    """:func:`distance` of every pair, in parallel; float64, shape (pairs,).

    Parameters
    ----------
    descriptors : Descriptors or numpy.ndarray
        Of images of different pixels.
    pairs : numpy.ndarray
        int, shape (pairs, 2), all different.
    settings : DuplicateSettings, optional
    cache : Path, optional
        Folder for the distances of earlier runs, see :mod:`illus.files.cache`.
    """

    def compare(new: list[int]) -> Iterable[tuple[float]]:
        parts = np.array_split(pairs[new], len(new) // PAIRS_PER_TASK + 1)
        tasks = (_task(descriptors, part) for part in parts)
        work = in_parallel(
            _distances, tasks, "compare", settings, batch_size=1, unit="part", total=len(parts)
        )
        return ((gap,) for part in work for gap in part)

    distances = np.empty(len(pairs))
    keys = [bytes.fromhex((a + b).decode()) for a, b in descriptors["pixels"][pairs].tolist()]
    cached(cache, DISTANCES, keys, [distances], compare, settings)
    return distances


def _task(descriptors: Descriptors | np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The descriptors that some pairs need, and the pairs as positions in them: no worker gets the others."""
    needed, positions = np.unique(pairs, return_inverse=True)
    return np.asarray(descriptors[needed]), positions.reshape(-1, 2)


def _distances(task: tuple[np.ndarray, np.ndarray], settings: DuplicateSettings) -> list[float]:
    return [distance(task[0], i, j, settings) for i, j in task[1]]


def distance(
    descriptors: Descriptors | np.ndarray, i: int, j: int, settings: DuplicateSettings = DEFAULTS
) -> float:
    """How different two images are.

    They are compared at the size of the smaller one: aligned by a small affine map (enhanced
    correlation coefficient, Evangelidis and Psarakis 2008), brightness and contrast fitted, both blurred.
    The result is the largest mean difference over any window, less what resampling does to edges, divided
    by how detailed the drawing is. Of several attempts the smallest result counts.

    Parameters
    ----------
    descriptors : Descriptors or numpy.ndarray
        Descriptors of images, or an array of dtype ``DESCRIPTOR``.
    i, j : int
        Positions of the two images.
    settings : DuplicateSettings, optional

    Returns
    -------
    float
        In levels of 255. 0 for the same pixels; of duplicates mostly below ``settings.near``, of different
        drawings above.
    """
    pair = descriptors[[i, j]]
    content = (pair["box"][:, 2:] - pair["box"][:, :2]).max(1)
    fill = np.log(content / pair["size"].max(1))
    side = int(np.clip(content.min(), settings.smallest_side, THUMBNAIL_SIDE))
    a, b = (_resize(image, side) for image in pair["thumbnail"])
    a_known, b_known = (_known(*place, side) for place in zip(pair["box"], pair["size"], strict=True))
    views = [(a, b, a_known * b_known), *_aligned(a, b, a_known, b_known, settings)]
    residuals = [_residual(*view, settings) for view in views]
    if min(residuals) < settings.max_retry_distance:
        backward = list(_aligned(b, a, b_known, a_known, settings))
        residuals += [_residual(*view, settings) for view in backward]
        residuals += [
            _residual(*relit, settings) + penalty
            for view in views + backward
            for penalty, relit in _relit(*view, settings)
        ]
    return min(residuals) + settings.margin_penalty * abs(fill[0] - fill[1])


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _known(box: np.ndarray, size: np.ndarray, side: int) -> np.ndarray:
    """1 where the image is known, 0 in the margin beyond an edge that cuts the content off."""
    (left, top, right, bottom), (width, height) = box, size
    known = np.ones((side, side), np.float32)
    scale = side / max(right - left, bottom - top)
    x, y = (side - (right - left) * scale) / 2, (side - (bottom - top) * scale) / 2
    if left == 0:
        known[:, : round(x)] = 0
    if right == width:
        known[:, side - round(x) :] = 0
    if top == 0:
        known[: round(y)] = 0
    if bottom == height:
        known[side - round(y) :] = 0
    return known


def _aligned(
    fixed: np.ndarray,
    moving: np.ndarray,
    fixed_known: np.ndarray,
    moving_known: np.ndarray,
    settings: DuplicateSettings,
) -> Iterator[View]:
    """The fixed image, the moving one aligned with it, and where both are known; nothing if that fails."""
    side = len(fixed)
    template, image = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (fixed, moving))
    try:
        start = np.eye(2, 3, dtype=np.float32)
        _, warp = cv2.findTransformECC(template, image, start, cv2.MOTION_AFFINE, ECC_STEPS)
    except cv2.error:  # the images have too little structure, or too little in common
        return
    change = warp[:, :2] - np.eye(2)
    scale, stretch = np.trace(change) / 2, (change[0, 0] - change[1, 1]) / 2
    shear = max(abs(stretch), abs(change[0, 1]), abs(change[1, 0]))
    shift = np.abs(change.sum(1) * side / 2 + warp[:, 2]).max() / side
    if abs(scale) <= settings.max_scale and shear <= settings.max_shear and shift <= settings.max_shift:
        cubic, nearest = (cv2.WARP_INVERSE_MAP | method for method in (cv2.INTER_CUBIC, cv2.INTER_NEAREST))
        moved = cv2.warpAffine(moving, warp, (side, side), flags=cubic, borderMode=cv2.BORDER_REPLICATE)
        known = cv2.warpAffine(moving_known, warp, (side, side), flags=nearest)
        yield fixed, moved.clip(0, 255), fixed_known * known


def _relit(
    fixed: np.ndarray, moved: np.ndarray, known: np.ndarray, settings: DuplicateSettings
) -> Iterator[tuple[float, View]]:
    """The moved image with the brightness, or with the contrast, of the fixed one; with penalties."""
    darkest, brightest = UNSATURATED
    inner = (cv2.min(fixed, moved) > darkest) & (cv2.max(fixed, moved) < brightest) & (known > 0)[..., None]
    x, y = moved[inner], fixed[inner]
    if len(x) < MIN_FITTED:
        return
    lights = [(np.clip(np.dot(x, y) / np.dot(x, x), *settings.gain), 0.0)]
    if x.std() > MIN_CONTRAST:
        gain = np.clip(((x - x.mean()) * (y - y.mean())).mean() / x.var(), *settings.gain)
        lights.append((gain, np.clip(y.mean() - gain * x.mean(), *settings.offset)))
    for gain, offset in lights:
        lit = (np.float32(gain) * moved + np.float32(offset)).clip(0, 255)
        change = float(cv2.transform(cv2.absdiff(lit, moved), MEAN).max())
        yield settings.light_penalty * change, (fixed, lit, known)


def _residual(a: np.ndarray, b: np.ndarray, known: np.ndarray, settings: DuplicateSettings) -> float:
    """Largest mean difference over any window, colour counting half, divided by the drawing's detail."""
    known = known[..., None]
    a, b = (cv2.GaussianBlur(p * known, (0, 0), BLUR) for p in (a, b))
    luma, *chroma = cv2.split(cv2.transform(a - b, YCC))
    difference = np.sqrt(luma**2 + 0.5 * (chroma[0] ** 2 + chroma[1] ** 2))
    edges = cv2.max(_gradient(a), _gradient(b))
    window = (settings.window, settings.window)
    worst = (cv2.blur(difference, window) - settings.edge_allowance * cv2.blur(edges, window)).max()
    return max(0.0, float(worst)) / (1 + float(edges.mean()) / settings.detail)


def _gradient(image: np.ndarray) -> np.ndarray:
    """Strongest gradient of the three channels, in levels per pixel."""
    dx, dy = (cv2.Sobel(image, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    red, green, blue = cv2.split(cv2.magnitude(dx, dy))
    return cv2.max(cv2.max(red, green), blue) / 8
