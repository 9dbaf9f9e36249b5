"""Sheets of images: galleries, pairs, thumbnails, evidence; each a function that takes its axes.

In: paths of images, relative to ``folder``, or arrays. Out: drawings on matplotlib ``axes``. ``labels`` maps
class names to what is shown for them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from evaluate import decode_image, fit_image, natural_key, read_file
from illus.report.figures import literal

CAPTION = 12  # characters in a line above an image


def class_gallery(
    axes: Axes,
    catalog: pd.DataFrame,
    folder: str | Path,
    labels: Mapping[str, str] | None = None,
    columns: int = 18,
    size: int = 64,
) -> None:
    """One row of at most ``columns`` randomly drawn images per class of a catalog, ``size`` pixels wide."""
    names = sorted(catalog.class_name.unique(), key=natural_key)
    rows = []
    for name in names:
        paths = catalog.path[catalog.class_name == name]
        rows.append(paths.sample(min(columns, len(paths)), random_state=0).tolist())
    image_rows(axes, rows, folder, [(labels or {}).get(n, n) for n in names], columns, size)


def image_rows(
    axes: Axes,
    rows: Sequence[Sequence[str]],
    folder: str | Path,
    labels: Sequence[str],
    columns: int | None = None,
    size: int = 64,
) -> None:
    """Rows of images of ``size`` pixels, each with a label at its left; an empty path leaves its place white.

    At most ``columns`` in a row; by default as many as the longest row has.
    """
    columns = columns or max(map(len, rows), default=1)
    sheet = np.full((max(1, len(rows)) * size, columns * size, 3), 255, np.uint8)
    for row, paths in enumerate(rows):
        for column, path in enumerate(paths[:columns]):
            top, left = row * size + 2, column * size + 2
            if path:
                sheet[top : top + size - 4, left : left + size - 4] = _read(folder, path, size - 4)
    show_sheet(axes, sheet, labels)


def _read(folder: str | Path, path: str, size: int) -> np.ndarray:
    return fit_image(decode_image(read_file(Path(folder, path))), size, "pad")


def show_sheet(axes: Axes, sheet: np.ndarray, labels: Sequence[str]) -> None:
    """Show a uint8 RGB sheet of equally high rows, with a label at the left of each row."""
    height = len(sheet) / max(1, len(labels))
    axes.imshow(sheet)
    axes.set_xticks([])
    axes.set_yticks((np.arange(len(labels)) + 0.5) * height, list(map(literal, labels)))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def pairs_sheet(
    axes: Axes,
    pairs: Sequence[Sequence[str]],
    folder: str | Path,
    captions: Sequence[str],
    columns: int = 6,
    size: int = 72,
) -> None:
    """Pairs or longer rows of images, each under its caption; the word ``none`` if there are none.

    ``pairs`` are paths, ``columns`` pairs stand beside one another, an image is ``size`` pixels wide.
    """
    width = max(map(len, pairs), default=2) * size + 16
    head = 4 + 14 * max((caption.count("\n") + 1 for caption in captions), default=1)
    height = size + head + 4
    sheet = np.full((max(1, -(-len(pairs) // columns)) * height, columns * width, 3), 255, np.uint8)
    if not pairs:
        axes.text(columns * width / 2, height / 2, "none", ha="center")
    for number, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        top, left = number // columns * height, number % columns * width
        for side, path in enumerate(pair):
            x = left + side * size
            sheet[top + head : top + head + size - 4, x : x + size - 4] = _read(folder, path, size - 4)
        axes.text(left, top + head - 5, literal(caption), fontsize=8)
    show_sheet(axes, sheet, [])


def thumbnail_scatter(axes: Axes, points: np.ndarray, thumbnails: np.ndarray, cells: int = 24) -> None:
    """A scatter plot of thumbnails, one for each occupied cell of a grid; outliers are left out.

    ``points`` are float, shape (n, 2), ``thumbnails`` uint8, shape (n, side, side, 3), and ``cells`` those
    along a side of the grid.
    """
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    places = ((points - low) / np.maximum(high - low, 1e-9) * cells).astype(int)
    inside = np.flatnonzero(((places >= 0) & (places < cells)).all(1))
    sheet = np.full((cells * 32, cells * 32, 3), 255, np.uint8)
    for row in inside:
        x, y = places[row][0] * 32, (cells - 1 - places[row][1]) * 32
        sheet[y : y + 30, x : x + 30] = cv2.resize(thumbnails[row], (30, 30), interpolation=cv2.INTER_AREA)
    show_sheet(axes, sheet, [])


def activation_sheet(
    axes: Axes, images: np.ndarray, maps: np.ndarray, captions: Sequence[str], title: str = "", size: int = 96
) -> None:
    """Images in a row, with captions above, and below them the same images under their heat maps.

    ``images`` are uint8, shape (n, side, side, 3), ``maps`` float from 0 to 1, shape (n, h, w), from
    :func:`illus.report.analysis.class_activation`. Long lines of captions are wrapped.
    """
    shown = [cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST) for image in images]
    levels = [(255 * cv2.resize(m, (size, size)).clip(0, 1)).astype(np.uint8) for m in maps]
    heat = [cv2.applyColorMap(level, cv2.COLORMAP_JET)[..., ::-1] for level in levels]  # BGR to RGB
    below = [cv2.addWeighted(a, 0.45, b, 0.55, 0) for a, b in zip(shown, heat, strict=True)]
    show_sheet(axes, np.vstack([np.hstack(shown), np.hstack(below)]), ["image", "evidence"])
    wrapped = ["\n".join(fill(line, CAPTION) for line in caption.splitlines()) for caption in captions]
    for number, caption in enumerate(wrapped):
        axes.text((number + 0.5) * size, -4, literal(caption), ha="center", va="bottom", fontsize=8)
    axes.set_title(title, pad=18 + 12 * max(caption.count("\n") for caption in wrapped))
