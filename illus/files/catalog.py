"""Class folders -> catalog: one row per file, readable or not.

In: a folder of class folders. Out: the table that every later stage starts from.
"""

from pathlib import Path

import pandas as pd

from evaluate import class_folders, list_files
from illus.files.layout import check_layout
from illus.files.reading import read_facts

COLUMNS = ["path", "class_name", "bytes", "sha256", "format", "mode", "width", "height", "error"]


def scan(folder: str | Path, *, cache: Path | None = None) -> pd.DataFrame:
    """Read every file of a data set once, in parallel (see :func:`illus.parallel.in_parallel`).

    Parameters
    ----------
    folder : str or Path
        Holds one sub-folder per class.
    cache : Path, optional
        Folder for what is known of contents, see :mod:`illus.files.cache`. With it all that the later stages
        want is measured in this one reading; without it only what the catalog says.

    Returns
    -------
    pandas.DataFrame
        One row per file, classes in class order, files in natural order: ``path`` (relative, POSIX),
        ``class_name``, ``bytes``, ``sha256`` (hex), ``format`` and ``mode`` (as Pillow names them), ``width``
        and ``height`` (px, upright), ``error`` (why the file cannot be read, empty if it can). An unreadable
        file has empty format and mode, and zero width and height.

    Raises
    ------
    evaluate.EvaluationError
        There is no such folder, or it contains no class folders. One that holds nothing that could be an
        image is no class, which a warning says.
    ValueError
        The sub-folders look like parts, see :func:`illus.files.layout.check_layout`.
    """
    classes = class_folders(folder)
    check_layout(folder)
    labelled = []
    for name, sub in classes.items():
        labelled += [(path, name) for path in list_files(sub)]
    paths = [path for path, _ in labelled]
    facts = read_facts(paths, cache)
    places = [{"path": path.relative_to(folder).as_posix(), "class_name": name} for path, name in labelled]
    rows = [dict(zip(COLUMNS[2:], values, strict=True)) for values in facts.tolist()]
    return pd.DataFrame([{**place, **row} for place, row in zip(places, rows, strict=True)], columns=COLUMNS)
