"""Pictures -> what they look like in numbers: light, colour, flatness, noise, and a small copy.

In: picture files. Out: a table and an array, for looking at a data set; no stage decides by them.
"""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from evaluate import decode_image, fit_image, read_file
from illus.parallel import in_parallel

MEASURES = ["brightness", "saturation", "colours", "flat", "noise"]
SIDE = 96  # px, longest side at which pictures are measured, so that sizes can be compared
FLAT = 2.0  # levels per pixel: gradients below it are flat area


def appearance(paths, small=32):
    """Measure pictures, in parallel.

    Parameters
    ----------
    paths : sequence of Path
        Readable picture files.
    small : int, default 32
        Side of the small copies, px.

    Returns
    -------
    measures : pandas.DataFrame
        One row per picture: ``brightness`` and ``saturation`` (means, 0 to 1), ``colours`` (distinct
        ones with 5 bits a channel), ``flat`` (share of pixels without gradient), ``noise`` (mean
        difference from the 3 x 3 median, levels).
    copies : numpy.ndarray
        uint8, shape (n, small, small, 3).
    """
    rows = list(in_parallel(_measure, paths, "appearance", small))
    measures = pd.DataFrame([measures for measures, _ in rows], columns=MEASURES)
    return measures, np.array([copy for _, copy in rows], np.uint8).reshape(len(rows), small, small, 3)


def _measure(path, small):
    rgb = decode_image(read_file(Path(path)))
    scale = min(1.0, SIDE / max(rgb.shape[:2]))
    picture = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    value = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    noise = cv2.absdiff(gray, cv2.medianBlur(gray, 3)).mean()
    codes = (picture >> 3).astype(np.uint32) @ np.array([1024, 32, 1], np.uint32)
    measures = (gray.mean() / 255, value[..., 1].mean() / 255, len(np.unique(codes)),
                (cv2.magnitude(dx, dy) < FLAT).mean(), noise)
    return measures, fit_image(rgb, small, "pad")
