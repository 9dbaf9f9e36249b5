"""Every figure, each a function that takes its axes.

In: tables and class folders. Out: drawings on matplotlib axes.
"""

from pathlib import Path

import numpy as np

from evaluate import decode_image, fit_image, natural_key, read_file


def class_gallery(axes, catalog, folder, labels=None, columns=18, size=64, seed=0):
    """One row of randomly drawn pictures per class.

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
        Side of a picture in pixels.
    seed : int, default 0
    """
    names = sorted(catalog.class_name.unique(), key=natural_key)
    sheet = np.full((len(names) * size, columns * size, 3), 255, np.uint8)
    for row, name in enumerate(names):
        paths = catalog.path[catalog.class_name == name]
        for column, path in enumerate(paths.sample(min(columns, len(paths)), random_state=seed)):
            picture = fit_image(decode_image(read_file(Path(folder, path))), size - 4, "pad")
            top, left = row * size + 2, column * size + 2
            sheet[top : top + size - 4, left : left + size - 4] = picture
    axes.imshow(sheet)
    axes.set_xticks([])
    axes.set_yticks((np.arange(len(names)) + 0.5) * size, [(labels or {}).get(n, n) for n in names])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
