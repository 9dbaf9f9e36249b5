"""Class folders -> catalog: one row per file, readable or not.

In: a folder of class folders. Out: a table that every later stage starts from.
"""

import hashlib
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from evaluate import ImageDecodeError, class_folders, list_files, open_image, read_file, to_rgb

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

    Raises
    ------
    evaluate.EvaluationError
        No such folder, or no class folders in it.
    """
    labelled = [(path, name) for name, sub in class_folders(folder).items() for path in list_files(sub)]
    rows = Parallel(n_jobs=-1, return_as="generator", batch_size=64)(
        delayed(describe_file)(path) for path, _ in labelled)
    rows = list(tqdm(rows, "scan", total=len(labelled), unit="file", mininterval=1))
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
