"""Class folders -> catalog: one row per file, readable or not.

In: a folder of class folders. Out: the table that every later stage starts from.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import ImageDecodeError, class_folders, list_files, open_image, read_file, to_rgb
from illus.files.cache import Stage, cached, hash_files
from illus.parallel import in_parallel

COLUMNS = ["path", "class_name", "bytes", "sha256", "format", "mode", "width", "height", "error"]
FACTS = np.dtype(
    [
        ("bytes", np.int64),
        ("sha256", "U64"),
        ("format", "U8"),
        ("mode", "U8"),
        ("width", np.int32),
        ("height", np.int32),
        ("error", "U300"),  # longer ones are cut
    ]
)
KEPT = Stage("facts", ("illus/files/catalog.py",), (FACTS,))


def scan(folder: str | Path, *, cache: Path | None = None) -> pd.DataFrame:
    """Read every file of a data set, in parallel (see :func:`illus.parallel.in_parallel`).

    Parameters
    ----------
    folder : str or Path
        Holds one sub-folder per class.
    cache : Path, optional
        Folder for what is known of contents, see :mod:`illus.files.cache`; without it every file is decoded.

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
        A folder holds nothing that could be an image: it is no class.

    Raises
    ------
    evaluate.EvaluationError
        There is no such folder, or it contains no class folders.
    """
    labelled = []
    for name, sub in class_folders(folder).items():
        labelled += [(path, name) for path in list_files(sub)]
    paths = [path for path, _ in labelled]
    facts = describe_files(paths) if cache is None else known_facts(paths, cache)
    places = [{"path": path.relative_to(folder).as_posix(), "class_name": name} for path, name in labelled]
    rows = [dict(zip(COLUMNS[2:], values, strict=True)) for values in facts.tolist()]
    return pd.DataFrame([{**place, **row} for place, row in zip(places, rows, strict=True)], columns=COLUMNS)


def describe_files(paths: Sequence[Path]) -> np.ndarray:
    """:func:`describe_file` of each path, in parallel; dtype ``FACTS``, shape (n,)."""
    return np.fromiter(_facts_of(paths), FACTS, len(paths))


def _facts_of(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    for row in in_parallel(describe_file, paths, "scan"):
        yield np.array(tuple(row[name] for name in COLUMNS[2:]), FACTS)


def known_facts(paths: Sequence[Path], cache: Path) -> np.ndarray:
    """As :func:`describe_files`, but contents that the cache knows are not decoded, and others only once."""
    hashes = np.array(hash_files(paths), "U64")
    facts = np.empty(len(paths), FACTS)
    closed, opened = np.flatnonzero(hashes == "").tolist(), np.flatnonzero(hashes != "").tolist()
    facts[closed] = describe_files([paths[i] for i in closed])
    contents, first, number = np.unique(hashes[opened], return_index=True, return_inverse=True)
    files = [paths[opened[i]] for i in first]
    keys = [bytes.fromhex(content) for content in contents]

    known = np.empty(len(keys), FACTS)

    def describe(new: list[int]) -> Iterator[tuple[np.ndarray]]:
        return ((row,) for row in _facts_of([files[i] for i in new]))

    cached(cache, KEPT, keys, [known], describe, files=files)
    facts[opened] = known[number]
    return facts


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
