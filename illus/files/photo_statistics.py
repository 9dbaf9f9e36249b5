"""Images -> six statistics in which photographs differ from illustrations, and blocks for the autoencoders.

In: image files. Out: a table of statistics, and blocks. Each statistic is a plain fact about pixels, of a
larger image than ``MAX_SIDE`` when reduced to it; none is learned, and none has a level that says what is a
photograph.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from evaluate import fit_image, read_file
from illus.files.decoded import LOOKED_AT, Decoded, decode
from illus.parallel import in_parallel

MAX_SIDE = LOOKED_AT  # px, longest side; larger images are reduced to it
BLOCK = 8  # px, side of the blocks that the autoencoders see: that of JPEG's, and as wide as an outline
BLOCKS = 64  # of an image
BLOCK_STEP = 4  # px, of the grid on which blocks begin
MIN_CONTRAST = 4.0  # levels, standard deviation below which a block shows nothing but a tone
STATISTICS = ("otsu_residual", "incoherence", "saturation", "border", "vivid", "flat")
FLAT_PATCH = 4.0  # variance, levels squared, below which a patch has no contrast
NO_CONTRAST = 0.1  # Otsu residual of an image without contrast: that of a drawing
MIN_FOREGROUND = 64  # px, below which the whole image is the foreground
SAME_LEVEL = 10  # levels by which background pixels differ from the background's colour at most
VIVID = 140  # levels of saturation


PHOTO = np.dtype(
    [
        ("statistics", np.float32, len(STATISTICS)),  # as image_statistics names them
        ("blocks", np.uint8, (BLOCKS, BLOCK, BLOCK, 3)),  # see cut_blocks
    ]
)


def photo_statistics(paths: Sequence[Path]) -> tuple[pd.DataFrame, np.ndarray]:
    """Statistics, float32, a row per image, and blocks, uint8 (n, 64, 8, 8, 3), of files, in parallel."""
    rows = np.fromiter(in_parallel(_measure_file, paths, "photo statistics"), PHOTO, len(paths))
    return pd.DataFrame(rows["statistics"], columns=STATISTICS), rows["blocks"]


def _measure_file(path: Path) -> np.ndarray:
    return measure_photo(decode(read_file(path)))


def shrink(rgb: np.ndarray) -> np.ndarray:
    """An image, reduced to ``MAX_SIDE`` px a side if it is larger."""
    scale = MAX_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = [max(1, round(side * scale)) for side in rgb.shape[1::-1]]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def measure_photo(image: Decoded) -> np.ndarray:
    """The statistics and the blocks of an image; dtype ``PHOTO``, shape ()."""
    rgb = shrink(image.small)
    statistics = image_statistics(rgb)
    return np.array(([statistics[name] for name in STATISTICS], cut_blocks(rgb)), PHOTO)


def image_statistics(rgb: np.ndarray) -> dict[str, float]:
    """The statistics of one image, uint8 (height, width, 3)."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    span = _largest(cv2.subtract(cv2.dilate(rgb, square), cv2.erode(rgb, square)))
    smallest = cv2.bitwise_not(_largest(cv2.bitwise_not(rgb)))
    saturation = cv2.subtract(_largest(rgb), smallest).astype(np.float32)
    inside = foreground(rgb)
    outermost = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.float32)
    uniform = np.abs(outermost - np.median(outermost, 0)).max(1) <= 6
    return {
        "otsu_residual": otsu_residual(gray),  # Otsu 1979: a drawing's patches have two tones, a photo's many
        "incoherence": incoherence(gray),  # Kass and Witkin 1987, "Analyzing oriented patterns"
        "saturation": float(saturation[inside].mean()),  # of the largest channel over the smallest, levels
        "border": _logit(uniform.mean()),  # share of the outermost pixels that are near their median
        # Athitsos and Swain 1997, "Distinguishing photographs and graphics on the World Wide Web"
        "vivid": _logit((saturation > VIVID).mean()),
        "flat": _logit((span[inside] == 0).mean()),  # share whose 3 x 3 neighbours are equal
    }


def foreground(rgb: np.ndarray) -> np.ndarray:
    """Pixels more than 2 px away from the most frequent colour, if enough, else all; bool (height, width)."""
    codes = _colour_codes(rgb)
    background = np.median(rgb[codes == np.bincount(codes.ravel()).argmax()], 0)
    distance = cv2.absdiff(rgb, np.broadcast_to(background, rgb.shape).astype(np.uint8))
    near = (_largest(distance) <= SAME_LEVEL).astype(np.uint8)
    inside = cv2.dilate(near, np.ones((5, 5), np.uint8)) == 0
    return inside if inside.sum() >= MIN_FOREGROUND else np.ones_like(inside)


def otsu_residual(gray: np.ndarray, side: int = 8) -> float:
    """Median over patches with contrast of the share of variance that Otsu's two levels leave."""
    rows, columns = gray.shape[0] // side, gray.shape[1] // side
    blocks = gray[: rows * side, : columns * side].reshape(rows, side, columns, side)
    levels = np.sort(blocks.transpose(0, 2, 1, 3).reshape(-1, side * side), axis=1)
    variance = levels.var(1)
    levels, variance = levels[variance > FLAT_PATCH], variance[variance > FLAT_PATCH]
    if len(levels) < 3:
        return NO_CONTRAST
    levels = levels - levels.mean(1, keepdims=True)  # so that float32 is exact enough
    below = levels.cumsum(1)[:, :-1]
    size = np.arange(1, side * side)
    between = (below**2 * (1 / size + 1 / (side * side - size))).max(1) / (side * side)
    return float(np.median(1 - between / variance))


def incoherence(gray: np.ndarray) -> float:
    """Mean over the pixels of the share of gradient across the main direction; ``gray``: float32 (h, w)."""
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.GaussianBlur(product, (5, 5), 1.2) for product in (dx * dx, dy * dy, dx * dy))
    across = np.maximum(xx + yy - np.sqrt((xx - yy) ** 2 + 4 * xy**2), 0)
    return float(np.sqrt(across / (xx + yy + 0.5)).mean())


def cut_blocks(rgb: np.ndarray) -> np.ndarray:
    """Blocks with contrast of uint8 RGB, at random places of a grid; uint8 (64, 8, 8, 3)."""
    rng = np.random.default_rng(zlib.crc32(rgb.tobytes()))  # the same for the same pixels
    down, right = (max(0, BLOCK - side) for side in rgb.shape[:2])
    rgb = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REFLECT)
    contrast = _contrast_of_blocks(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    # Of an image without contrast the block with most; where fewer have it than are wanted, they repeat.
    corners = BLOCK_STEP * np.argwhere(contrast >= min(MIN_CONTRAST, contrast.max()))
    drawn = corners[rng.permutation(len(corners))[np.arange(BLOCKS) % len(corners)]]
    return np.stack([rgb[y : y + BLOCK, x : x + BLOCK] for y, x in drawn])


def _contrast_of_blocks(gray: np.ndarray) -> np.ndarray:
    """Standard deviation of the block that begins at each place of the grid, levels."""
    total, squares = (sums.astype(np.float64) for sums in cv2.integral2(gray))

    def mean(sums: np.ndarray) -> np.ndarray:
        inside = sums[BLOCK:, BLOCK:] - sums[:-BLOCK, BLOCK:] - sums[BLOCK:, :-BLOCK] + sums[:-BLOCK, :-BLOCK]
        return inside[::BLOCK_STEP, ::BLOCK_STEP] / BLOCK**2

    return np.sqrt(np.maximum(0, mean(squares) - mean(total) ** 2))


def _largest(rgb: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel; with OpenCV, which is 10 times faster than numpy here."""
    red, green, blue = cv2.split(rgb)
    return cv2.max(cv2.max(red, green), blue)


def _colour_codes(rgb: np.ndarray) -> np.ndarray:
    """A number for each pixel's colour, of 5 bits a channel; int32 (height, width)."""
    red, green, blue = (channel.astype(np.int32) >> 3 for channel in cv2.split(rgb))
    return (red << 10) + (green << 5) + blue


def _logit(share: float) -> float:
    """Log odds, so that differences near none and near all count; bounded by adding 2 %."""
    return float(np.log((share + 0.02) / (1.02 - share)))


# --- Appearance: for looking at a data set, no stage decides by it -----------------------------------

APPEARANCE = ["brightness", "saturation", "colours", "flat", "noise"]
APPEARANCE_SIDE = 96  # px, longest side at which images are measured, so that sizes can be compared
FLAT_GRADIENT = 2.0  # levels per pixel: gradients below it are flat area


SMALL_SIDE = 32  # px, of the small copies
LOOKS = np.dtype(
    [("measures", np.float64, len(APPEARANCE)), ("small", np.uint8, (SMALL_SIDE, SMALL_SIDE, 3))]
)


def measure_appearance(image: Decoded) -> np.ndarray:
    """What an image looks like; dtype ``LOOKS``, shape ().

    ``brightness`` and ``saturation`` (means, 0 to 1), ``colours`` (distinct ones with 5 bits a channel),
    ``flat`` (share of pixels without gradient), ``noise`` (mean difference from the 3 x 3 median, levels).
    """
    rgb = image.small
    scale = min(1.0, APPEARANCE_SIDE / max(rgb.shape[:2]))
    shrunk = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    gray = cv2.cvtColor(shrunk, cv2.COLOR_RGB2GRAY)
    value = cv2.cvtColor(shrunk, cv2.COLOR_RGB2HSV)
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    noise = cv2.absdiff(gray, cv2.medianBlur(gray, 3)).mean()
    codes = _colour_codes(shrunk)
    measures = (
        gray.mean() / 255,
        value[..., 1].mean() / 255,
        len(np.unique(codes)),
        (cv2.magnitude(dx, dy) < FLAT_GRADIENT).mean(),
        noise,
    )
    return np.array((measures, fit_image(rgb, SMALL_SIDE, "pad")), LOOKS)
