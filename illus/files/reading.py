"""Files -> all that is measured of them, by one reading of each, kept by content where there is a cache.

In: paths, or rows of the catalog. Out: facts, descriptors, photo statistics and blocks, appearance; the same
with and without a cache. Without one, only what is asked for is measured.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from evaluate import ImageDecodeError, read_file
from illus.files.cache import Stage, read_rows, short_keys, stage_path, stored_keys, write_rows
from illus.files.decoded import Decoded, decode
from illus.files.descriptors import DESCRIPTOR, Descriptors, describe
from illus.files.photo_statistics import (
    APPEARANCE,
    APPEARANCE_SIDE,
    LOOKS,
    PHOTO,
    STATISTICS,
    measure_appearance,
    measure_photo,
)
from illus.parallel import in_parallel

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


def measure_looks(image: Decoded) -> np.ndarray:
    """:func:`measure_appearance`; of a strip so thin that reducing would leave nothing, of a line."""
    height, width = image.small.shape[:2]
    scale = APPEARANCE_SIDE / max(height, width)
    if scale * min(height, width) > 0.5:
        return measure_appearance(image)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    line = cv2.resize(image.small, size, interpolation=cv2.INTER_AREA)
    return measure_appearance(replace(image, rgb=line))


MEASURES: dict[str, tuple[np.dtype, Callable[[Decoded], np.ndarray]]] = {
    "descriptor": (DESCRIPTOR, describe),
    "photo": (PHOTO, measure_photo),
    "appearance": (LOOKS, measure_looks),
}
MODULES = ("decoded", "descriptors", "photo_statistics", "reading")
READINGS = Stage(
    "readings",
    tuple(f"illus/files/{name}.py" for name in MODULES),
    (FACTS, *(dtype for dtype, _ in MEASURES.values())),
)
NONE_KNOWN = np.empty(0, np.uint64)
ROWS_AT_ONCE = 200  # that are written together: 50 kB each

NO_MEMORY = "not enough memory"

Reading = tuple[np.ndarray, dict[str, np.ndarray]]  # the facts of a file, and what was measured of it


def read_facts(paths: Sequence[Path], cache: Path | None = None) -> np.ndarray:
    """The facts of each file, read once; dtype ``FACTS``, shape (n,).

    Of contents that ``cache`` does not know, all is measured that the stages want.
    """
    path = stage_path(cache, READINGS)
    names, known = (tuple(MEASURES), stored_keys(path)) if path else ((), NONE_KNOWN)
    work = in_parallel(read_once, paths, "read", names, known)
    facts = np.fromiter((row[0] for row in _stored(path, work)), FACTS, len(paths))
    known_ones = np.flatnonzero((facts["width"] == 0) & (facts["error"] == ""))
    if path and len(known_ones):
        facts[known_ones] = _known_facts(path, facts["sha256"][known_ones])
        lost = known_ones[facts["width"][known_ones] + (facts["error"][known_ones] != "") == 0]
        again = in_parallel(read_once, [paths[i] for i in lost], "read", names, NONE_KNOWN)
        for place, row in zip(lost, _stored(path, again), strict=True):
            facts[place] = row[0]
    return facts


def _known_facts(path: Path, contents: np.ndarray) -> np.ndarray:
    """What is kept about contents; zeros where a row is damaged."""
    unique, number = np.unique(contents, return_inverse=True)
    facts, keys = np.zeros(len(unique), FACTS), [bytes.fromhex(content) for content in unique]
    for place, (value,) in read_rows(path, keys, READINGS.fields, [0]):
        facts[place] = value
    return facts[number]


def read_once(path: Path, names: Sequence[str], known: np.ndarray) -> Reading:
    """Read a file, and measure what is asked for, unless its content is known: then only its hash is told.

    ``names`` are keys of ``MEASURES``, ``known`` is from :func:`illus.files.cache.stored_keys`.
    """
    facts, values = np.zeros((), FACTS), dict[str, np.ndarray]()
    try:
        data = read_file(path)
        content = hashlib.sha256(data)
        facts["bytes"], facts["sha256"] = len(data), content.hexdigest()
        if not _is_known(content.digest(), known):
            image = decode(data)
            values |= {name: MEASURES[name][1](image) for name in names}
            for name in ("format", "mode", "width", "height"):
                facts[name] = getattr(image, name)
    except ImageDecodeError as error:
        facts["error"] = str(error)
    except (MemoryError, OSError, cv2.error) as error:
        if not (isinstance(error, MemoryError) or "memory" in str(error)):
            raise
        facts["error"] = NO_MEMORY
    return facts, values


def _is_known(key: bytes, known: np.ndarray) -> bool:
    (short,) = short_keys([key])
    return bool((known[np.searchsorted(known, short) :][:1] == short).any())


def _stored(path: Path | None, work: Iterable[Reading]) -> Iterator[Reading]:
    """The same readings; those that the bytes of the file decide are kept under the hash of these."""
    rows = iter(work)
    while part := list(islice(rows, ROWS_AT_ONCE)):
        if path:
            kept = [
                (bytes.fromhex(str(facts["sha256"])), (facts, *map(values.get, MEASURES)))
                for facts, values in part
                if _is_decided_by_bytes(facts)
            ]
            write_rows(path, kept, READINGS.fields)
        yield from part


def _is_decided_by_bytes(facts: np.ndarray) -> bool:
    measured = facts["width"] > 0 or facts["error"] not in ("", NO_MEMORY)
    return bool(measured and facts["sha256"] != "")


def kept_descriptors(files: pd.DataFrame, folder: str | Path, cache: Path | None = None) -> Descriptors:
    """:func:`illus.files.descriptors.describe_images` of files.

    ``files`` are readable rows of the catalog: ``path``, relative to ``folder``, and ``sha256``. What
    :func:`illus.files.catalog.scan` kept in the folder ``cache`` is read without opening the files.
    """
    once, number = _contents(files)
    descriptors = Descriptors(len(once), cache)
    _fill(once, folder, cache, "descriptor", descriptors)
    return descriptors[number]


def kept_statistics(
    files: pd.DataFrame, folder: str | Path, cache: Path | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """:func:`illus.files.photo_statistics.photo_statistics` of files, as for :func:`kept_descriptors`."""
    once, number = _contents(files)
    rows = np.empty(len(once), PHOTO)
    _fill(once, folder, cache, "photo", rows)
    return pd.DataFrame(rows["statistics"][number], columns=STATISTICS), rows["blocks"][number]


def kept_appearance(
    files: pd.DataFrame, folder: str | Path, cache: Path | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """What files look like, as for :func:`kept_descriptors`; no stage decides by it.

    The table is of :func:`illus.files.photo_statistics.measure_appearance`; with it come small copies, uint8,
    shape (n, 32, 32, 3).
    """
    once, number = _contents(files)
    rows = np.empty(len(once), LOOKS)
    _fill(once, folder, cache, "appearance", rows)
    return pd.DataFrame(rows["measures"][number], columns=APPEARANCE), rows["small"][number]


def _contents(files: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """A row of each content, and for each file the number of its content."""
    return files.drop_duplicates("sha256"), pd.factorize(files.sha256)[0]


# Any: of an array, and of Descriptors, rows are set
def _fill(files: pd.DataFrame, folder: str | Path, cache: Path | None, name: str, table: Any) -> None:
    """Fill in a measure of each file, of different contents: kept rows, and readings of the other files."""
    path, column = stage_path(cache, READINGS), 1 + list(MEASURES).index(name)
    keys, new = [bytes.fromhex(content) for content in files.sha256], np.ones(len(files), bool)
    for row, (value,) in read_rows(path, keys, READINGS.fields, [column]) if path else ():
        table[row], new[row] = value, False
    places = np.flatnonzero(new)
    paths = [Path(folder, files.path.iloc[place]) for place in places]
    work = in_parallel(read_once, paths, "read", tuple(MEASURES) if path else (name,), NONE_KNOWN)
    for place, (facts, values) in zip(places, _stored(path, work), strict=True):
        if facts["error"]:
            raise ImageDecodeError(f"{files.path.iloc[place]}: {facts['error']}")
        table[place] = values[name]
