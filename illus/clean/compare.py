"""Two images -> how different they are, once everything that copying may change is taken out.

In: descriptors. Out: a distance; duplicates of one image are near 0, real differences are far.
"""

import cv2
import numpy as np

from illus.clean.descriptors import DEFAULTS, THUMBNAIL_SIDE, DuplicateSettings

MEAN = np.full((1, 3), 1 / 3, np.float32)
YCC = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]], np.float32)  # JFIF
ECC_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
ECC_FILTER = 5  # px, of the Gaussian that OpenCV's alignment smooths with: its default
BLUR = 0.7  # px, sd of the blur before two images are compared: about one step of resampling


def plausible(
    descriptors: np.ndarray, pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Which pairs can be copies at all, by content's aspect, margins and coarse colours.

    Parameters
    ----------
    descriptors : numpy.ndarray
        From :func:`illus.clean.descriptors.describe_images`.
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
    rows = np.flatnonzero(alike)
    cells = np.abs(descriptors["colours"][first[rows]] - descriptors["colours"][second[rows]])
    alike[rows] = cells.max((1, 2, 3), initial=0) <= settings.max_cell_difference
    return alike


def distance(descriptors: np.ndarray, i: int, j: int, settings: DuplicateSettings = DEFAULTS) -> float:
    """How different two images are.

    They are compared at the size of the smaller one: aligned by a small affine map (enhanced
    correlation coefficient, Evangelidis and Psarakis 2008), their light fitted, blurred alike. What
    counts is the largest difference over any ``settings.window``, less what resampling does to edges, in
    relation to how detailed the drawing is. The best of all attempts counts.

    Parameters
    ----------
    descriptors : numpy.ndarray
        From :func:`illus.clean.descriptors.describe_images`.
    i, j : int
    settings : DuplicateSettings, optional

    Returns
    -------
    float
        0 for the same pixels; duplicates are mostly below ``settings.near``, different drawings above.
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
            _residual(view[0], *rest, settings) + penalty
            for view in views + backward
            for penalty, *rest in _lights(*view, settings)
        ]
    return min(residuals) + settings.margin_penalty * abs(fill[0] - fill[1])


def _resize(image, side):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _known(box, size, side):
    """1 where the image is known: beyond a border that content touches, it is not."""
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


def _aligned(fixed, moving, fixed_known, moving_known, settings):
    """The fixed image, the moving one laid upon it, and where both are known; nothing if that fails."""
    side = len(fixed)
    gray = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (fixed, moving)]
    try:
        start = np.eye(2, 3, dtype=np.float32)
        _, warp = cv2.findTransformECC(*gray, start, cv2.MOTION_AFFINE, ECC_STEPS, None, ECC_FILTER)
    except cv2.error:  # nothing to hold on to
        return
    change = warp[:, :2] - np.eye(2)
    scale, stretch = np.trace(change) / 2, (change[0, 0] - change[1, 1]) / 2
    shear = max(abs(stretch), abs(change[0, 1]), abs(change[1, 0]))
    shift = np.abs(change.sum(1) * side / 2 + warp[:, 2]).max() / side
    if abs(scale) <= settings.max_scale and shear <= settings.max_shear and shift <= settings.max_shift:
        how = cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(
            moving, warp, (side, side), flags=cv2.INTER_CUBIC | how, borderMode=cv2.BORDER_REPLICATE
        )
        known = cv2.warpAffine(moving_known, warp, (side, side), flags=cv2.INTER_NEAREST | how)
        yield fixed, moved.clip(0, 255), fixed_known * known


def _lights(fixed, moved, known, settings):
    """The moved image brightened, and with its contrast changed, to fit the fixed one, with a penalty."""
    inner = (cv2.min(fixed, moved) > 8) & (cv2.max(fixed, moved) < 247) & (known > 0)[..., None]
    x, y = moved[inner], fixed[inner]
    if len(x) < 30:
        return
    lights = [(np.clip(np.dot(x, y) / np.dot(x, x), *settings.gain), 0.0)]
    if x.std() > 5:
        gain = np.clip(((x - x.mean()) * (y - y.mean())).mean() / x.var(), *settings.gain)
        lights.append((gain, np.clip(y.mean() - gain * x.mean(), *settings.offset)))
    for gain, offset in lights:
        lit = (np.float32(gain) * moved + np.float32(offset)).clip(0, 255)
        yield settings.light_penalty * float(cv2.transform(cv2.absdiff(lit, moved), MEAN).max()), lit, known


def _residual(a, b, known, settings):
    """Largest difference over any window, colour counting half, in units of the drawing's detail."""
    known = known[..., None]
    a, b = (cv2.GaussianBlur(p * known, (0, 0), BLUR) for p in (a, b))
    luma, *chroma = cv2.split(cv2.transform(a - b, YCC))
    difference = np.sqrt(luma**2 + 0.5 * (chroma[0] ** 2 + chroma[1] ** 2))
    edges = cv2.max(_gradient(a), _gradient(b))
    window = (settings.window, settings.window)
    worst = (cv2.blur(difference, window) - settings.edge_allowance * cv2.blur(edges, window)).max()
    return max(0.0, float(worst)) / (1 + float(edges.mean()) / settings.detail)


def _gradient(image):
    """Strongest gradient of the three channels, levels per pixel."""
    dx, dy = (cv2.Sobel(image, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    red, green, blue = cv2.split(cv2.magnitude(dx, dy))
    return cv2.max(cv2.max(red, green), blue) / 8
