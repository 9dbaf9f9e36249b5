"""Two pictures -> how different they are, once everything that copying may change is taken out.

In: fingerprints. Out: a distance; copies of one picture are near 0, real differences are far.
"""

import cv2
import numpy as np

from illus.fingerprints import SIDE

# Weights and limits were chosen on emoji20 built with seed 1; results are reported on seed 0.
SMALLEST = 24  # px, side of the smallest comparison
WINDOW = 8  # px, side of the window over which a difference is averaged
EDGE_ALLOWANCE = 0.1  # of the edge strength in the window: resampling blurs edges
GAIN, OFFSET = (0.85, 1.18), (-30.0, 30.0)  # mild changes of contrast and brightness
LIGHT_PENALTY = 0.2  # per level by which the light had to be changed
MARGIN_PENALTY = 20.0  # per unit of log ratio between the shares of the picture that content fills
DETAIL = 20.0  # mean gradient at which twice the difference is allowed as in a flat drawing
MAX_SCALE, MAX_SHEAR, MAX_SHIFT = 0.06, 0.015, 0.035  # of an alignment, as parts of the side
MAX_CELL_DIFFERENCE = 75.0  # levels, in any cell of the colour grid
MAX_MARGIN_RATIO = 1.19  # padding by 8 % on each side, and rounding
MAX_ASPECT = 0.05  # difference of the logarithms, beside a pixel of rounding
MEAN = np.full((1, 3), 1 / 3, np.float32)
YCC = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]], np.float32)
HOPELESS = 35.0  # distance from which no second attempt helps
STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)


def plausible(prints, pairs):
    """Which pairs can be copies at all, by content's aspect, margins and coarse colours.

    Parameters
    ----------
    prints : numpy.ndarray
        From :func:`illus.fingerprints.fingerprints`.
    pairs : numpy.ndarray
        int, shape (n, 2).

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).
    """
    first, second = pairs.T
    content = prints["box"][:, 2:] - prints["box"][:, :2]
    aspect, rounding = np.log(content[:, 0] / content[:, 1]), 0.5 / content.min(1)
    fill = np.log(content.max(1) / prints["size"].max(1))
    alike = np.abs(aspect[first] - aspect[second]) <= MAX_ASPECT + rounding[first] + rounding[second]
    alike &= np.abs(fill[first] - fill[second]) <= np.log(MAX_MARGIN_RATIO)
    rows = np.flatnonzero(alike)
    cells = np.abs(prints["colours"][first[rows]] - prints["colours"][second[rows]])
    alike[rows] = cells.max((1, 2, 3), initial=0) <= MAX_CELL_DIFFERENCE
    return alike


def distance(prints, i, j):
    """How different two pictures are.

    They are compared at the size of the smaller one: aligned by a small affine map (enhanced
    correlation coefficient, Evangelidis and Psarakis 2008), their light fitted, blurred alike. What
    counts is the largest difference over any ``WINDOW``, less what resampling does to edges, in
    relation to how detailed the drawing is. The best of all attempts counts.

    Parameters
    ----------
    prints : numpy.ndarray
        From :func:`illus.fingerprints.fingerprints`.
    i, j : int

    Returns
    -------
    float
        0 for the same pixels; copies are mostly below 6, different drawings above.
    """
    pair = prints[[i, j]]
    content = (pair["box"][:, 2:] - pair["box"][:, :2]).max(1)
    fill = np.log(content / pair["size"].max(1))
    side = int(np.clip(content.min(), SMALLEST, SIDE))
    a, b = (_resize(picture, side) for picture in pair["thumbnail"])
    a_known, b_known = (_known(*place, side) for place in zip(pair["box"], pair["size"], strict=True))
    views = [(a, b, a_known * b_known), *_aligned(a, b, a_known, b_known)]
    residuals = [_residual(*view) for view in views]
    if min(residuals) < HOPELESS:
        backward = list(_aligned(b, a, b_known, a_known))
        residuals += [_residual(*view) for view in backward]
        residuals += [_residual(view[0], *rest) + penalty
                      for view in views + backward for penalty, *rest in _lights(*view)]
    return min(residuals) + MARGIN_PENALTY * abs(fill[0] - fill[1])


def _resize(picture, side):
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _known(box, size, side):
    """1 where the picture is known: beyond a border that content touches, it is not."""
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


def _aligned(fixed, moving, fixed_known, moving_known):
    """The fixed picture, the moving one laid upon it, and where both are known; nothing if that fails."""
    side = len(fixed)
    gray = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (fixed, moving)]
    try:
        start = np.eye(2, 3, dtype=np.float32)
        _, warp = cv2.findTransformECC(*gray, start, cv2.MOTION_AFFINE, STEPS, None, 5)
    except cv2.error:  # nothing to hold on to
        return
    change = warp[:, :2] - np.eye(2)
    scale, stretch = np.trace(change) / 2, (change[0, 0] - change[1, 1]) / 2
    shear = max(abs(stretch), abs(change[0, 1]), abs(change[1, 0]))
    shift = np.abs(change.sum(1) * side / 2 + warp[:, 2]).max() / side
    if abs(scale) <= MAX_SCALE and shear <= MAX_SHEAR and shift <= MAX_SHIFT:
        how = cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(moving, warp, (side, side), flags=cv2.INTER_CUBIC | how,
                               borderMode=cv2.BORDER_REPLICATE)
        known = cv2.warpAffine(moving_known, warp, (side, side), flags=cv2.INTER_NEAREST | how)
        yield fixed, moved.clip(0, 255), fixed_known * known


def _lights(fixed, moved, known):
    """The moved picture brightened, and with its contrast changed, to fit the fixed one, with a penalty."""
    inner = (cv2.min(fixed, moved) > 8) & (cv2.max(fixed, moved) < 247) & (known > 0)[..., None]
    x, y = moved[inner], fixed[inner]
    if len(x) < 30:
        return
    settings = [(np.clip(np.dot(x, y) / np.dot(x, x), *GAIN), 0.0)]
    if x.std() > 5:
        gain = np.clip(((x - x.mean()) * (y - y.mean())).mean() / x.var(), *GAIN)
        settings.append((gain, np.clip(y.mean() - gain * x.mean(), *OFFSET)))
    for gain, offset in settings:
        lit = (np.float32(gain) * moved + np.float32(offset)).clip(0, 255)
        yield LIGHT_PENALTY * float(cv2.transform(cv2.absdiff(lit, moved), MEAN).max()), lit, known


def _residual(a, b, known):
    """Largest difference over any window, colour counting half, in units of the drawing's detail."""
    known = known[..., None]
    a, b = (cv2.GaussianBlur(p * known, (0, 0), 0.7) for p in (a, b))
    luma, *chroma = cv2.split(cv2.transform(a - b, YCC))
    difference = np.sqrt(luma**2 + 0.5 * (chroma[0] ** 2 + chroma[1] ** 2))
    edges = cv2.max(_gradient(a), _gradient(b))
    window = (WINDOW, WINDOW)
    worst = (cv2.blur(difference, window) - EDGE_ALLOWANCE * cv2.blur(edges, window)).max()
    return max(0.0, float(worst)) / (1 + float(edges.mean()) / DETAIL)


def _gradient(picture):
    """Strongest gradient of the three channels, levels per pixel."""
    dx, dy = (cv2.Sobel(picture, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    red, green, blue = cv2.split(cv2.magnitude(dx, dy))
    return cv2.max(cv2.max(red, green), blue) / 8
