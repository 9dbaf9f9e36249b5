"""Images -> numbers in which photographs differ from drawings, and small copies.

In: image files. Out: a table of statistics, their votes, and thumbnails for the autoencoder.
Each statistic is a plain fact about pixels; none is learned, and none looks at colours as such.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from evaluate import decode_image, fit_image, read_file
from illus.parallel import in_parallel

THUMBNAIL = 64  # px, what the autoencoder sees
GRADIENT_SIDE = 96  # px, where gradients are measured, so that sizes can be compared
COLOUR_SIDE = 192  # px, longest side at which exact colours are counted
VOTES = {  # half way between a typical drawing and a typical photograph; the spread of drawings, signed
    "top_colour": (-1.65, -0.92),
    "smooth_colour": (-0.20, -1.28),
    "border": (0.35, -1.60),
    "gradient_spread": (1.85, -0.34),
    "steep": (-2.47, -0.70),
    "coherence": (1.78, -0.63),
    "texture_low": (-1.40, 0.83),
}
MAX_VOTE = 3.0  # a statistic's vote is clipped to this, so that none outvotes the others


def photo_statistics(paths: Sequence[Path]) -> tuple[pd.DataFrame, np.ndarray]:
    """Measure images, in parallel.

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.

    Returns
    -------
    statistics : pandas.DataFrame
        float32, one row per image, columns as :func:`image_statistics` names them.
    thumbnails : numpy.ndarray
        uint8, shape (n, 64, 64, 3), stretched.
    """
    thumbnails = np.empty((len(paths), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    rows = []
    for number, (row, thumbnail) in enumerate(in_parallel(_measure_file, paths, "photo statistics")):
        rows.append(row)
        thumbnails[number] = thumbnail
    return pd.DataFrame(rows, dtype=np.float32), thumbnails


def _measure_file(path):
    rgb = decode_image(read_file(Path(path)))
    return image_statistics(rgb), fit_image(rgb, THUMBNAIL, "stretch")


def image_statistics(rgb: np.ndarray) -> dict[str, float]:
    """The statistics of one image.

    Parameters
    ----------
    rgb : numpy.ndarray
        uint8, shape (height, width, 3).

    Returns
    -------
    dict of str to float
    """
    return colour_statistics(rgb) | gradient_statistics(fit_image(rgb, GRADIENT_SIDE, "stretch"))


def votes(statistics: pd.DataFrame) -> np.ndarray:
    """How photographic each statistic finds each image.

    Seven statistics vote, those whose levels hardly differ from one collection to another. The
    levels in ``VOTES`` are all that is known beforehand; they were read off clip art and website
    photographs that are in no set of this project's tables, and off emoji20 built with seed 1.

    Parameters
    ----------
    statistics : pandas.DataFrame
        From :func:`photo_statistics`.

    Returns
    -------
    numpy.ndarray
        float, shape (n, 7): above 0 for a photograph, in spreads of drawings, at most 3 either way.
    """
    levels = np.array(list(VOTES.values()))
    distances = (statistics[list(VOTES)].to_numpy(float) - levels[:, 0]) / levels[:, 1]
    return distances.clip(-MAX_VOTE, MAX_VOTE)


def colour_statistics(rgb: np.ndarray) -> dict[str, float]:
    """Exact colours and fine noise, at the image's own resolution.

    ``top_colour``: share of the most frequent colour, logit. ``far_equal``: share of pixels that
    have the colour of the pixel a quarter of the image away, within 1 level, logit. ``flat``: share
    of pixels whose 3 x 3 neighbourhood spans at most 3 levels, logit. ``smooth_colour``: share of the
    most frequent colour among smooth pixels, 6 bits a channel, logit; 0 where few are smooth.
    ``residual_shape``: how evenly the difference from a blurred copy is spread, log of its squared
    mean over its mean square.
    """
    scale = COLOUR_SIDE / max(rgb.shape[:2])
    if scale < 1:  # nearest, because any mean of pixels makes new colours
        size = [max(1, round(side * scale)) for side in rgb.shape[1::-1]]
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST)
    square = np.ones((3, 3), np.uint8)
    span = cv2.subtract(cv2.dilate(rgb, square), cv2.erode(rgb, square)).max(2)
    smooth = rgb[span <= 6]
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    residual = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.0))
    return {
        "top_colour": _logit(_largest_share(rgb.reshape(-1, 3), bits=8)),
        "far_equal": _logit(_equal_far_away(rgb)),
        "flat": _logit((span <= 3).mean()),
        "smooth_colour": _logit(_largest_share(smooth, bits=6) if len(smooth) > 20 else 0.0),
        "residual_shape": _evenness(residual),
    }


def gradient_statistics(rgb: np.ndarray) -> dict[str, float]:
    """How contrast is spread over an image of 96 x 96 pixels.

    ``border``: share of the outermost pixels within 6 levels of their median, logit.
    ``gradient_spread``: standard deviation of the log gradient; drawings have none or much.
    ``steep`` and ``middling``: shares of gradients over 60, and between 4 and 40 levels, logit.
    ``coherence``: how far gradients within about 5 pixels agree in direction, weighted by strength,
    logit. ``texture`` and ``texture_low``: strength of the gradients that do not agree, median and
    25th percentile, log2. ``quiet_patch``: 10th percentile of the contrast of 8 x 8 patches, log2.
    ``noise``: mean difference from the 3 x 3 median, log2. ``edge_shape``: as ``residual_shape``, of
    the Laplacian. Coherence after Kass and Witkin 1987, *Analyzing oriented patterns*.
    """
    outermost = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.float32)
    steps = rgb.astype(np.float32)
    across, down = np.abs(np.diff(steps, axis=1)).max(2)[:-1], np.abs(np.diff(steps, axis=0)).max(2)[:, :-1]
    gradient = np.hypot(across, down)
    levels = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    gray = levels.astype(np.float32)
    patches = gray.reshape(GRADIENT_SIDE // 8, 8, GRADIENT_SIDE // 8, 8).std((1, 3))
    disagreeing, coherence = _structure(gray)
    return {
        "border": _logit((np.abs(outermost - np.median(outermost, 0)).max(1) <= 6).mean()),
        "gradient_spread": np.log2(1 + gradient).std(),
        "steep": _logit((gradient > 60).mean()),
        "middling": _logit(((gradient > 4) & (gradient < 40)).mean()),
        "coherence": _logit(coherence),
        "texture": np.log2(0.1 + np.median(disagreeing)),
        "texture_low": np.log2(0.1 + np.percentile(disagreeing, 25)),
        "quiet_patch": np.log2(1 + np.percentile(patches, 10)),
        "noise": np.log2(0.1 + np.abs(gray - cv2.medianBlur(levels, 3)).mean()),
        "edge_shape": _evenness(np.abs(cv2.Laplacian(gray, cv2.CV_32F))),
    }


def _structure(gray):
    """Gradient energy across the main direction of each place, and coherence over the image."""
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.GaussianBlur(product, (5, 5), 1.2) for product in (dx * dx, dy * dy, dx * dy))
    along = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    return xx + yy - along, along.sum() / ((xx + yy).sum() + 1e-6)


def _largest_share(colours, bits):
    codes = (colours >> (8 - bits)).astype(np.int32) @ np.array([1 << 2 * bits, 1 << bits, 1], np.int32)
    return np.unique(codes, return_counts=True)[1].max() / len(codes)


def _equal_far_away(rgb):
    height, width = rgb.shape[:2]
    right, below = width // 4, height // 4  # 0 in a line of pixels, which then equals itself
    pairs = ((rgb[:, right:], rgb[:, : width - right]), (rgb[below:], rgb[: height - below]))
    return np.mean(np.concatenate([cv2.absdiff(*pair).max(2).ravel() <= 1 for pair in pairs]))


def _evenness(values):
    return np.log(values.mean() ** 2 / ((values**2).mean() + 1e-6) + 1e-6)


def _logit(share):
    """Log odds, so that differences near none and near all count; bounded by adding 2 %."""
    return np.log((share + 0.02) / (1.02 - share))


# --- Appearance: for looking at a data set, no stage decides by it -----------------------------------

APPEARANCE = ["brightness", "saturation", "colours", "flat", "noise"]
APPEARANCE_SIDE = 96  # px, longest side at which images are measured, so that sizes can be compared
FLAT_GRADIENT = 2.0  # levels per pixel: gradients below it are flat area


def appearance(paths: Sequence[Path], small: int = 32) -> tuple[pd.DataFrame, np.ndarray]:
    """Measure images, in parallel.

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.
    small : int, default 32
        Side of the small copies, px.

    Returns
    -------
    measures : pandas.DataFrame
        One row per image: ``brightness`` and ``saturation`` (means, 0 to 1), ``colours`` (distinct
        ones with 5 bits a channel), ``flat`` (share of pixels without gradient), ``noise`` (mean
        difference from the 3 x 3 median, levels).
    copies : numpy.ndarray
        uint8, shape (n, small, small, 3).
    """
    rows = list(in_parallel(_appearance_of, paths, "appearance", small))
    measures = pd.DataFrame([measures for measures, _ in rows], columns=APPEARANCE)
    return measures, np.array([copy for _, copy in rows], np.uint8).reshape(len(rows), small, small, 3)


def _appearance_of(path, small):
    rgb = decode_image(read_file(Path(path)))
    scale = min(1.0, APPEARANCE_SIDE / max(rgb.shape[:2]))
    image = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    value = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    noise = cv2.absdiff(gray, cv2.medianBlur(gray, 3)).mean()
    codes = (image >> 3).astype(np.uint32) @ np.array([1024, 32, 1], np.uint32)
    measures = (
        gray.mean() / 255,
        value[..., 1].mean() / 255,
        len(np.unique(codes)),
        (cv2.magnitude(dx, dy) < FLAT_GRADIENT).mean(),
        noise,
    )
    return measures, fit_image(rgb, small, "pad")
