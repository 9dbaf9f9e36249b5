"""Two images -> how different they are, apart from what copying may change.

In: descriptors. Out: a distance, small for duplicates and large for real differences.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from illus.copies.align import NO_MOVE, Aligner, farthest_move, inverse, is_small, rescaled, warped
from illus.copies.candidates import ROWS_AT_ONCE
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.files.cache import Stage, cached
from illus.files.descriptors import THUMBNAIL_SIDE, Descriptors
from illus.parallel import in_parallel

MEAN = np.full((1, 3), 1 / 3, np.float32)
YCC = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]], np.float32)  # JFIF
YCC[1:] *= 0.5**0.5  # the square of a colour difference counts half
SUM = np.ones((1, 3), np.float32)
BESIDE = np.ones((3, 3), np.uint8)
COARSE_SIDE, COARSE_WINDOW = 32, 3  # px, at which most pairs are told apart
COARSE_STEPS, FINE_STEPS = 4, 1  # of the alignment at that side, and at the full one
COARSE_LIMIT = 1.25  # times ``unlike``: of a thin outline the coarse comparison exaggerates
STILL = 0.1  # px along an axis, by which a map has to move some pixel to be one
SLACK = 1.5  # times the limits of an alignment, within which a coarse one is refined
FAR = 255.0  # levels: the distance of two images that share nothing that can be compared

BLUR = 0.7  # px, sd of the blur before two images are compared: about one step of resampling
UNSATURATED = (8, 247)  # levels between which brightness and contrast are fitted: others may be clipped
MIN_FITTED = 30  # levels of pixels, without which nothing is fitted
MIN_CONTRAST = 5  # levels, sd below which the contrast is not fitted: its gain would be noise
PAIRS_PER_TASK = 100  # compared by a worker at a time: a tenth of a second, less than 7 MB of descriptors
VIEWS = 8  # kept from one pair to the next, which mostly shares its first image; at most 0.6 MB each
DISTANCES = Stage(
    "distances",
    ("illus/files/descriptors.py", "illus/copies/align.py", "illus/copies/compare.py"),
    (np.dtype(np.float64),),
)


def plausible(
    descriptors: Descriptors | np.ndarray, pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Which pairs can be duplicates at all, by the aspect ratio of the content, margins and coarse colours.

    ``pairs`` is int, shape (n, 2); bool, shape (n,). Of an array only columns but ``thumbnail`` are needed.
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
    """:func:`distance` of every pair (int, shape (pairs, 2), all different), in parallel; float64, (pairs,).

    ``descriptors`` are of images of different pixels. ``cache`` is a folder for the distances of earlier
    runs, see :mod:`illus.files.cache`.
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
    descriptors, pairs = task
    comparison = _Comparison(descriptors, settings)
    return [comparison.distance(i, j) for i, j in pairs.tolist()]


def distance(
    descriptors: Descriptors | np.ndarray, i: int, j: int, settings: DuplicateSettings = DEFAULTS
) -> float:
    """How different images ``i`` and ``j`` are, in levels of 255; 0 for the same pixels.

    Of duplicates it is mostly below ``settings.near``, of different drawings above. They are compared at the
    size of the smaller one, aligned by a small affine map, brightness and contrast fitted, both blurred: the
    largest mean difference over any window, less what resampling does to edges, divided by how detailed the
    drawing is; unlike margins add to it. Of several attempts the smallest result counts; there is none after
    one below ``settings.sure``, nor where the images are far apart at ``COARSE_SIDE`` already, and the second
    image is held fixed only where holding the first leaves it open.
    """
    return _Comparison(np.asarray(descriptors[[i, j]]), settings).distance(0, 1)


class Seen(NamedTuple):
    """An image as it is compared."""

    smooth: np.ndarray  # float32, (side, side, 3)
    edges: np.ndarray  # float32, (side, side): strongest gradient of the channels, in levels per pixel


class Common(NamedTuple):
    """Where both images are known."""

    mask: np.ndarray  # float32, (side, side): 1 there
    fullest: float  # share of the window that knows most, 0 to 1


class _View:
    """An image at one side, with all that its comparisons with others share."""

    def __init__(self, descriptor: np.ndarray, side: int) -> None:
        self.image = _resize(descriptor["thumbnail"], side)
        self.known = _known(descriptor["box"], descriptor["size"], side)
        self.gray = cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)
        self.seen = _see(self.image)

    @cached_property
    def aligner(self) -> Aligner:
        return Aligner(self.gray, self.known)


class _Comparison:
    """Images of which pairs are compared, one after another."""

    def __init__(self, descriptors: np.ndarray, settings: DuplicateSettings) -> None:
        self.settings = settings
        self.content = (descriptors["box"][:, 2:] - descriptors["box"][:, :2]).max(1)
        self.fill = np.log(self.content / descriptors["size"].max(1))
        # no method: it would hold this object, and with it all images, until the next garbage collection
        self.view = lru_cache(VIEWS)(lambda row, side: _View(descriptors[row], side))

    def distance(self, i: int, j: int) -> float:
        settings = self.settings
        margin = settings.margin_penalty * abs(self.fill[i] - self.fill[j])
        smaller = min(self.content[i], self.content[j])
        side = int(np.clip(smaller, settings.smallest_side, THUMBNAIL_SIDE))
        coarse_side = min(COARSE_SIDE, side)
        coarse = _Level(self.view(i, coarse_side), self.view(j, coarse_side), COARSE_WINDOW, settings)
        warp = coarse.align(NO_MOVE, COARSE_STEPS)
        gap = coarse.gap(warp, settings.unlike)
        if COARSE_LIMIT * settings.unlike < gap < FAR:  # of a thin strip nothing is left at that side
            return gap + margin
        fine = _Level(self.view(i, side), self.view(j, side), settings.window, settings)
        warp = fine.align(rescaled(warp, side / coarse_side), FINE_STEPS)
        gap = fine.gap(warp, settings.sure)
        if settings.sure < gap < COARSE_LIMIT * settings.unlike:
            back = warp if warp is NO_MOVE else inverse(warp)
            gap = min(gap, fine.swapped().gap(back, settings.sure))
        return gap + margin


class _Level:
    """Two images at one side, and how different they are there."""

    def __init__(self, fixed: _View, moving: _View, window: int, settings: DuplicateSettings) -> None:
        self.fixed, self.moving, self.window, self.settings = fixed, moving, window, settings
        self.side = len(fixed.gray)

    @cached_property
    def unmoved(self) -> tuple[float, Common]:
        """The difference without any map, and where both images are known then."""
        known = self.common(self.fixed.known * self.moving.known)
        return self.difference(self.moving.seen, known), known

    def swapped(self) -> "_Level":
        """The same with the other image held fixed."""
        other = _Level(self.moving, self.fixed, self.window, self.settings)
        other.unmoved = self.unmoved
        return other

    def align(self, warp: np.ndarray, steps: int) -> np.ndarray:
        """A better map of the second image upon the first; none if it moves nothing, or far too much."""
        warp = self.fixed.aligner.align(self.moving.gray, warp, steps)
        return warp if self.is_small(warp, SLACK) and farthest_move(warp, self.side) > STILL else NO_MOVE

    def is_small(self, warp: np.ndarray, slack: float = 1.0) -> bool:
        limits = (self.settings.max_scale, self.settings.max_shear, self.settings.max_shift)
        return is_small(warp, self.side, *(slack * limit for limit in limits))

    def gap(self, warp: np.ndarray, enough: float) -> float:
        """The smallest difference, with and without the map and the fixed image's light, until ``enough``."""
        moving, (best, known) = self.moving.seen, self.unmoved
        if best > enough and warp is not NO_MOVE and self.is_small(warp):
            moved, moved_known = self.move(warp)
            gap = self.difference(moved, moved_known)
            if gap < best:
                moving, known, best = moved, moved_known, gap
        if enough < best < self.settings.max_retry_distance:
            for penalty, lit in _relit(self.fixed.seen.smooth, moving, known.mask, self.settings):
                if penalty < best:
                    best = min(best, self.difference(lit, known) + penalty)
        return best

    def common(self, mask: np.ndarray) -> Common:
        if cv2.countNonZero(mask) == mask.size:
            return Common(mask, 1.0)
        known = cv2.boxFilter(mask, -1, (self.window, self.window), normalize=False)
        return Common(mask, cv2.minMaxLoc(known)[1] / self.window**2)

    def move(self, warp: np.ndarray) -> tuple[Seen, Common]:
        moved = warped(self.moving.image, warp, cv2.INTER_CUBIC).clip(0, 255)
        known = warped(self.moving.known, warp, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        return _see(moved), self.common(cv2.erode(self.fixed.known * known, BESIDE))

    def difference(self, moving: Seen, known: Common) -> float:
        """Largest mean difference over any window, colour counting half, divided by the drawing's detail.

        Where what is known is narrower than a window, the mean is over what the fullest window knows.
        """
        fixed, window = self.fixed.seen, (self.window, self.window)
        if not known.fullest:
            return FAR
        change = cv2.transform(fixed.smooth - moving.smooth, YCC)
        change = cv2.sqrt(cv2.transform(cv2.multiply(change, change), SUM)) * known.mask
        edges = cv2.max(fixed.edges, moving.edges) * known.mask
        worst = cv2.minMaxLoc(cv2.blur(change - self.settings.edge_allowance * edges, window))[1]
        return max(0.0, worst) / known.fullest / (1 + cv2.mean(edges)[0] / self.settings.detail)


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _see(image: np.ndarray) -> Seen:
    smooth = cv2.GaussianBlur(image, (0, 0), BLUR)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    red, green, blue = cv2.split(cv2.add(cv2.multiply(dx, dx), cv2.multiply(dy, dy)))
    return Seen(smooth, cv2.sqrt(cv2.max(cv2.max(red, green), blue)))


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


def _relit(
    fixed: np.ndarray, moving: Seen, known: np.ndarray, settings: DuplicateSettings
) -> Iterator[tuple[float, Seen]]:
    """The moving image with the brightness, or with the contrast, of the fixed one; with penalties."""
    darkest, brightest = UNSATURATED
    smooth = moving.smooth
    inner = (cv2.min(fixed, smooth) > darkest) & (cv2.max(fixed, smooth) < brightest) & (known > 0)[..., None]
    weight, x, y = inner.astype(np.float32).ravel(), smooth.ravel(), fixed.ravel()
    count = float(weight.sum())
    if count < MIN_FITTED:
        return
    mean_x, mean_y = float(x @ weight) / count, float(y @ weight) / count
    centred = (x - np.float32(mean_x)) * weight
    power, common = float(centred @ centred), float(centred @ (y - np.float32(mean_y)))
    through_zero = (common + count * mean_x * mean_y) / (power + count * mean_x**2)
    lights = [(_clip(through_zero, settings.gain), 0.0)]
    if power > MIN_CONTRAST**2 * count:
        gain = _clip(common / power, settings.gain)
        lights.append((gain, _clip(mean_y - gain * mean_x, settings.offset)))
    for gain, offset in lights:
        lit = (np.float32(gain) * smooth + np.float32(offset)).clip(0, 255)
        change = cv2.minMaxLoc(cv2.transform(cv2.absdiff(lit, smooth), MEAN))[1]
        yield settings.light_penalty * change, Seen(lit, np.float32(gain) * moving.edges)


def _clip(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
