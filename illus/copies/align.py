"""Two images of one side -> the small affine map that lays one upon the other.

In: gray images, float32, square. Out: maps, float64 (2, 3), in pixels from the centre, so that one found at a
small side serves as the start at a larger one.
"""

import cv2
import numpy as np

SMOOTHING = (5, 5)  # px, of the Gaussian that both images are smoothed with before gradients are taken
MIN_INNER = 0.5  # share of an image's contrast without its frame, below which the frame is used, too
MIN_STRUCTURE = 1.0  # levels, sd of an image below which there is nothing to align by
MIN_COMMON = 0.3  # share of the fixed image's contrast that the other must have in common with it
FRAME = 0.04  # share of the side
DAMPING = 1e-3  # share of the curvature: keeps in place what the image does not determine
NO_MOVE = np.eye(2, 3)


class Aligner:
    """A fixed image, with which others are aligned step by step.

    Gauss-Newton in the inverse compositional form (Baker and Matthews 2004, "Lucas-Kanade 20 years on"): the
    gradients are those of the fixed image, taken once. Brightness and contrast are projected out, as by the
    enhanced correlation coefficient (Evangelidis and Psarakis 2008).
    """

    def __init__(self, gray: np.ndarray, known: np.ndarray) -> None:
        smooth = cv2.GaussianBlur(gray, SMOOTHING, 0)
        weight = _without_frame(known)
        target, whole = _centred(smooth, weight), _centred(smooth, known)
        if target @ target < MIN_INNER * (whole @ whole):  # a plain rectangle has nothing but its outline
            weight, target = known, whole
        self.power = float(target @ target)
        self.has_structure = self.power > MIN_STRUCTURE**2 * float(weight.sum())
        if self.has_structure:
            self.seen_by, self.solution = _solver(smooth, weight.ravel(), target)

    def align(self, gray: np.ndarray, warp: np.ndarray, steps: int) -> np.ndarray:
        """The map that lays another image upon this one, from a first guess."""
        if not self.has_structure:
            return warp
        smooth = cv2.GaussianBlur(gray, SMOOTHING, 0)
        for _ in range(steps):
            seen = self.seen_by @ warped(smooth, warp, cv2.INTER_LINEAR).ravel()
            common = float(seen[-1])
            if common < MIN_COMMON * self.power:
                break
            # as if of the same contrast
            change = (self.solution @ seen).reshape(2, 3) * (self.power / common)
            warp = warp - warp[:, :2] @ change  # the inverse of a small change, after the map
        return warp


def _without_frame(known: np.ndarray) -> np.ndarray:
    """Where an image is known, but for the frame into which a map can move what lies beyond the other."""
    frame = max(1, round(FRAME * len(known)))
    inner = np.zeros_like(known)
    inner[frame:-frame, frame:-frame] = known[frame:-frame, frame:-frame]
    return inner


def _centred(smooth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Differences from the mean, 0 where there is no weight; float32, (pixels,)."""
    mean = float((smooth * weight).sum()) / max(1.0, float(weight.sum()))
    return ((smooth - np.float32(mean)) * weight).ravel()


def _solver(smooth: np.ndarray, weight: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What turns an image into a change of the map's six numbers.

    Two matrices, float32 (8, pixels) and float64 (6, 8), one applied after the other; the last row of the
    first is the target.
    """
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    across = np.arange(len(smooth), dtype=np.float32) - np.float32(len(smooth) - 1) / 2
    down = across[:, None]
    rows = np.empty((8, smooth.size), np.float32)
    for row, steepest in zip(rows, (dx * across, dx * down, dx, dy * across, dy * down, dy), strict=False):
        np.multiply(steepest.ravel(), weight, out=row)
    rows[6:] = weight, target
    products, blind = (rows @ rows.T).astype(np.float64), np.eye(8)
    for known in (6, 7):  # the six become blind to brightness and contrast
        share = (blind @ products[:, known])[:6] / products[known, known]
        blind[:6, known] -= share
    curvature = (blind @ products @ blind.T)[:6, :6]
    curvature.flat[::7] *= 1 + DAMPING
    curvature.flat[::7] += 1e-9
    return rows, np.linalg.solve(curvature, blind[:6])


def warped(
    image: np.ndarray, warp: np.ndarray, interpolation: int, border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    """An image seen through a map."""
    side = len(image)
    centre = (side - 1) / 2
    corner = warp.copy()
    corner[:, 2] += centre - (warp[:, 0] + warp[:, 1]) * centre
    flags = cv2.WARP_INVERSE_MAP | interpolation
    return cv2.warpAffine(image, corner, (side, side), flags=flags, borderMode=border)


def is_small(warp: np.ndarray, side: int, scale: float, shear: float, shift: float) -> bool:
    """Whether a map is within limits; ``shift`` is a share of the side."""
    (xx, xy, x), (yx, yy, y) = warp.tolist()
    return (
        abs(xx + yy - 2) / 2 <= scale
        and max(abs(xx - yy) / 2, abs(xy), abs(yx)) <= shear
        and max(abs(x), abs(y)) <= shift * side
    )


def farthest_move(warp: np.ndarray, side: int) -> float:
    """The most by which a map moves a pixel along either axis, corners included; px."""
    turned = np.abs(warp[:, :2] - NO_MOVE[:, :2]).sum(1) * side / 2
    return float((turned + np.abs(warp[:, 2])).max())


def rescaled(warp: np.ndarray, factor: float) -> np.ndarray:
    """The same map of images whose side is larger by a factor."""
    return warp * [1, 1, factor]


def inverse(warp: np.ndarray) -> np.ndarray:
    """The map back."""
    linear = np.linalg.inv(warp[:, :2])
    return np.column_stack([linear, -linear @ warp[:, 2]])
