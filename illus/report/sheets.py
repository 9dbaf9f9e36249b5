"""Sheets of images: galleries, pairs, reconstructions; each a function that takes its axes.

In: paths or arrays of images. Out: drawings on matplotlib axes.
"""

from pathlib import Path

import cv2
import numpy as np

from evaluate import decode_image, fit_image, natural_key, read_file


def class_gallery(axes, catalog, folder, labels=None, columns=18, size=64, seed=0):
    """One row of randomly drawn images per class.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    catalog : pandas.DataFrame
        ``path``, ``class_name``; readable files only.
    folder : str or Path
        What the paths are relative to.
    labels : dict of str to str, optional
        Text shown for a class instead of its name.
    columns : int, default 18
    size : int, default 64
        Side of an image in pixels.
    seed : int, default 0
    """
    names = sorted(catalog.class_name.unique(), key=natural_key)
    rows = []
    for name in names:
        paths = catalog.path[catalog.class_name == name]
        rows.append(paths.sample(min(columns, len(paths)), random_state=seed).tolist())
    image_rows(axes, rows, folder, [(labels or {}).get(n, n) for n in names], columns, size)


def image_rows(axes, rows, folder, labels, columns=None, size=64):
    """Images side by side, one row of them per label.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    rows : list of list of str
        Paths of images.
    folder : str or Path
        What the paths are relative to.
    labels : list of str
        One per row, at its left.
    columns : int, optional
        Places in a row; more images are left out. By default those of the longest row.
    size : int, default 64
        Side of an image in pixels.
    """
    columns = columns or max(map(len, rows), default=1)
    sheet = np.full((max(1, len(rows)) * size, columns * size, 3), 255, np.uint8)
    for row, paths in enumerate(rows):
        for column, path in enumerate(paths[:columns]):
            image = fit_image(decode_image(read_file(Path(folder, path))), size - 4, "pad")
            top, left = row * size + 2, column * size + 2
            sheet[top : top + size - 4, left : left + size - 4] = image
    show_sheet(axes, sheet, labels)


def show_sheet(axes, sheet, labels):
    """A sheet of images in equally high rows, with a label at the left of each row."""
    height = len(sheet) / max(1, len(labels))
    axes.imshow(sheet)
    axes.set_xticks([])
    axes.set_yticks((np.arange(len(labels)) + 0.5) * height, labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def pairs_sheet(axes, pairs, folder, captions, columns=6, size=72):
    """Pairs of images, each with a caption above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    pairs : list of (str, str)
        Paths of images.
    folder : str or Path
    captions : list of str
        One per pair.
    columns : int, default 6
        Pairs in a row.
    size : int, default 72
        Side of an image in pixels.
    """
    width, height, head = 2 * size + 16, size + 22, 18
    sheet = np.full((max(1, -(-len(pairs) // columns)) * height, columns * width, 3), 255, np.uint8)
    if not pairs:
        axes.text(columns * width / 2, height / 2, "none", ha="center")
    for number, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        top, left = number // columns * height, number % columns * width
        for side, path in enumerate(pair):
            x = left + side * size
            image = fit_image(decode_image(read_file(Path(folder, path))), size - 4, "pad")
            sheet[top + head : top + head + size - 4, x : x + size - 4] = image
        axes.text(left, top + head - 5, caption, fontsize=7)
    show_sheet(axes, sheet, [])


def mean_images(axes, copies, class_names, columns=10):
    """The mean image of each class, names above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    copies : numpy.ndarray
        uint8, shape (n, side, side, 3).
    class_names : pandas.Series
        Of each copy.
    columns : int, default 10
    """
    names, side, head = sorted(class_names.unique(), key=natural_key), copies.shape[1], 8
    sheet = np.full((-(-len(names) // columns) * (side + head), columns * (side + 2), 3), 255, np.uint8)
    for number, name in enumerate(names):
        top, left = number // columns * (side + head) + head, number % columns * (side + 2)
        sheet[top : top + side, left : left + side] = copies[(class_names == name).to_numpy()].mean(0)
        axes.text(left + side / 2, top - 1, name, fontsize=8, ha="center")
    show_sheet(axes, sheet, [])


def sizes_sheet(axes, paths, folder, sizes, size=96):
    """The same images as networks of several input sizes see them; one row per size."""
    images = [decode_image(read_file(Path(folder, path))) for path in paths]
    rows = [
        np.hstack(
            [
                cv2.resize(fit_image(image, side, "pad"), (size, size), interpolation=cv2.INTER_NEAREST)
                for image in images
            ]
        )
        for side in sizes
    ]
    show_sheet(axes, np.vstack(rows), [f"{side} px" for side in sizes])


def thumbnail_scatter(axes, points, thumbnails, cells=24):
    """Thumbnails where their points are, one for each occupied cell of a grid."""
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    places = ((points - low) / np.maximum(high - low, 1e-9) * cells).astype(int)
    inside = np.flatnonzero(((places >= 0) & (places < cells)).all(1))
    sheet = np.full((cells * 32, cells * 32, 3), 255, np.uint8)
    for row in inside:
        x, y = places[row][0] * 32, (cells - 1 - places[row][1]) * 32
        sheet[y : y + 30, x : x + 30] = cv2.resize(thumbnails[row], (30, 30), interpolation=cv2.INTER_AREA)
    show_sheet(axes, sheet, [])


def reconstruction_sheet(axes, thumbnails, reconstructions):
    """Images, what an autoencoder makes of them, and three times the difference, in three rows."""
    made = (reconstructions.clip(0, 1) * 255).astype(np.uint8)
    wrong = cv2.convertScaleAbs(np.hstack(np.abs(made.astype(np.float32) - thumbnails).mean(3)), alpha=3)
    sheet = np.vstack([np.hstack(thumbnails), np.hstack(made), cv2.cvtColor(wrong, cv2.COLOR_GRAY2RGB)])
    show_sheet(axes, sheet, ["image", "reconstruction", "3 x difference"])


def activation_sheet(axes, images, maps, captions, size=96):
    """Images in a row, below them the same with what a network looked at, captions above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    maps : numpy.ndarray
        float, shape (n, h, w), 0 to 1.
    captions : list of str, length n
    size : int, default 96
        Side of an image in pixels.
    """
    shown = [cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST) for image in images]
    heat = [
        cv2.applyColorMap((255 * cv2.resize(m, (size, size)).clip(0, 1)).astype(np.uint8), cv2.COLORMAP_JET)[
            ..., ::-1
        ]
        for m in maps
    ]
    below = [cv2.addWeighted(image, 0.45, warm, 0.55, 0) for image, warm in zip(shown, heat, strict=True)]
    show_sheet(axes, np.vstack([np.hstack(shown), np.hstack(below)]), ["image", "evidence"])
    for number, caption in enumerate(captions):
        axes.text((number + 0.5) * size, -4, caption, ha="center", va="bottom", fontsize=7)
