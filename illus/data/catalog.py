"""Class folders -> catalog: one row per file, readable or not.

In: a folder of class folders. Out: a table that every later stage starts from.
"""

import hashlib
import warnings
from pathlib import Path

import pandas as pd

from evaluate import ImageDecodeError, class_folders, list_files, open_image, read_file, to_rgb
from illus.parallel import in_parallel

COLUMNS = ["path", "class_name", "bytes", "sha256", "format", "mode", "width", "height", "error"]


def scan(folder):
    """Read every file of a data set once.

    Work is spread by joblib, so a surrounding ``joblib.parallel_config`` decides where it runs.

    Parameters
    ----------
    folder : str or Path
        Holds one sub-folder per class.

    Returns
    -------
    pandas.DataFrame
        One row per file, classes in class order, files in natural order: ``path`` (relative,
        POSIX), ``class_name``, ``bytes``, ``sha256`` (hex), ``format`` and ``mode`` (as Pillow
        names them), ``width`` and ``height`` (px, upright), ``error`` (why it cannot be read,
        else empty). A broken file has empty format and mode, and zero size.

    Warns
    -----
    UserWarning
        A class folder without files; it gets no row.

    Raises
    ------
    evaluate.EvaluationError
        No such folder, or no class folders in it.
    """
    labelled = []
    for name, sub in class_folders(folder).items():
        files = list_files(sub)
        labelled += [(path, name) for path in files]
        if not files:
            warnings.warn(f"class folder {name} is empty: it is not a class", stacklevel=2)
    rows = in_parallel(describe_file, [path for path, _ in labelled], "scan")
    places = [{"path": path.relative_to(folder).as_posix(), "class_name": name} for path, name in labelled]
    return pd.DataFrame([p | r for p, r in zip(places, rows, strict=True)], columns=COLUMNS)


def describe_file(path):
    """What the catalog says of one file's content, as a dict."""
    facts = dict.fromkeys(COLUMNS[2:], "") | {"bytes": 0, "width": 0, "height": 0}
    try:
        data = read_file(Path(path))
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        image = open_image(data)
        height, width = to_rgb(image).shape[:2]
        facts |= {"format": image.format, "mode": image.mode, "width": width, "height": height}
    except ImageDecodeError as error:
        facts["error"] = str(error)
    return facts
