"""Class folders -> catalog: one row per file, readable or not.

In: a folder of class folders. Out: the table that every later stage starts from.
"""

import hashlib
import warnings
from pathlib import Path

import pandas as pd

from evaluate import ImageDecodeError, class_folders, list_files, open_image, read_file, to_rgb
from illus.parallel import in_parallel

COLUMNS = ["path", "class_name", "bytes", "sha256", "format", "mode", "width", "height", "error"]


def scan(folder: str | Path) -> pd.DataFrame:
    """Read every file of a data set once, in parallel (see :func:`illus.parallel.in_parallel`).

    Parameters
    ----------
    folder : str or Path
        Holds one sub-folder per class.

    Returns
    -------
    pandas.DataFrame
        One row per file, classes in class order, files in natural order: ``path`` (relative,
        POSIX), ``class_name``, ``bytes``, ``sha256`` (hex), ``format`` and ``mode`` (as Pillow
        names them), ``width`` and ``height`` (px, upright), ``error`` (why the file cannot be read,
        empty if it can). An unreadable file has empty format and mode, and zero width and height.

    Warns
    -----
    UserWarning
        A class folder is empty; it gets no row.

    Raises
    ------
    evaluate.EvaluationError
        There is no such folder, or it contains no class folders.
    """
    labelled = []
    for name, sub in class_folders(folder).items():
        files = list_files(sub)
        labelled += [(path, name) for path in files]
        if not files:
            warnings.warn(f"class folder {name} is empty, so it is not counted as a class", stacklevel=2)
    rows = in_parallel(describe_file, [path for path, _ in labelled], "scan")
    places = [{"path": path.relative_to(folder).as_posix(), "class_name": name} for path, name in labelled]
    return pd.DataFrame(
        [{**place, **facts} for place, facts in zip(places, rows, strict=True)], columns=COLUMNS
    )


def describe_file(path: str | Path) -> dict[str, str | int]:
    """The catalog's columns on the content of one file: all but ``path`` and ``class_name``."""
    facts: dict[str, str | int] = {**dict.fromkeys(COLUMNS[2:], ""), "bytes": 0, "width": 0, "height": 0}
    try:
        data = read_file(Path(path))
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        image = open_image(data)
        height, width = to_rgb(image).shape[:2]
        facts |= {"format": image.format or "", "mode": image.mode, "width": width, "height": height}
    except ImageDecodeError as error:
        facts["error"] = str(error)
    return facts
