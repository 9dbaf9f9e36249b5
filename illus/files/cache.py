"""What was computed about files, or about pairs of images, kept from one run to the next.

In: keys (hashes of contents) and a function that computes rows for some of them. Out: the rows of all, and a
row for each key in ``<folder>/<stage>-<code>.sqlite``. A row is bound to its key by a digest, and the
file's name to the code, the settings and the libraries that decide the values, so that no wrong row is used.
What is damaged, foreign or locked is computed instead.
"""

import functools
import hashlib
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from evaluate import ImageDecodeError, read_file
from illus.hashing import HASH_DIGITS, code_of, digest
from illus.parallel import progress

MAX_BYTES = 1_000_000_000  # of a stage's file: then the older half of its rows is deleted
TIMEOUT = 10.0  # seconds that another program may hold a file
ROWS_AT_ONCE = 1000  # in a transaction
CHECK_BYTES = 8  # of the digest that binds a row to its key
LIBRARIES = ("imagehash", "numpy", "opencv-python-headless", "pillow")  # that decide the values, too

Row = Sequence[Any]  # a value, scalar or array, for each field of a stage


@dataclass(frozen=True)
class Stage:
    """What is kept about a key, and by which code it is made."""

    name: str
    modules: tuple[str, ...]  # that decide the values, beside evaluate.py
    fields: tuple[np.dtype, ...]  # of a row


def cached(
    cache: Path | None,
    stage: Stage,
    keys: Sequence[bytes],
    tables: Sequence[Any],
    compute: Callable[[list[int]], Iterable[Row]],
    settings: object = None,
    files: Sequence[Path] | None = None,
) -> None:
    """Fill in a row for each key: kept rows, and those of new keys, which are computed and then kept.

    Parameters
    ----------
    cache : Path or None
        Folder for the cache, made if it is missing; None: everything is computed, nothing is kept.
    stage : Stage
    keys : sequence of bytes
        Different from each other.
    tables : sequence of arrays, or of what rows are assigned to like theirs
        One for each of ``stage.fields``, with a row for each key: filled in.
    compute : callable
        Takes positions in ``keys``; yields for each of them, in their order, a value for each of
        ``stage.fields``. If it fails, whole groups of ``ROWS_AT_ONCE`` that it yielded before are kept.
    settings : object, optional
        What else decides the values; its ``repr`` counts.
    files : sequence of Path, optional
        Files of which the keys are the SHA-256. One that has changed since is not kept.

    Warns
    -----
    UserWarning
        The cache is damaged, or cannot be read or written.
    """
    path = cache and Path(cache, f"{stage.name}-{code_key(stage.modules, repr(settings))}.sqlite")
    known = np.zeros(len(keys), bool)
    for place, values in read_rows(path, keys, stage.fields) if path else ():
        _assign(tables, place, values)
        known[place] = True
    new = np.flatnonzero(~known).tolist()
    computed = zip(new, compute(new), strict=True) if new else iter(())
    while rows := list(islice(computed, ROWS_AT_ONCE)):
        for place, values in rows:
            _assign(tables, place, values)
        if path:
            kept = [row for row in rows if files is None or hash_file(files[row[0]]) == keys[row[0]].hex()]
            write_rows(path, [(keys[place], values) for place, values in kept], stage.fields)


def _assign(tables: Sequence[Any], place: int, values: Row) -> None:
    for table, value in zip(tables, values, strict=True):
        table[place] = value


@functools.cache
def code_key(modules: tuple[str, ...], settings: str) -> str:
    """A hash of all that decides values beside the content of files: code, libraries and settings."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return digest(
        "\n".join([code_of(["evaluate.py", "illus/files/cache.py", *modules]), *libraries, settings])
    )


def hash_file(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits; empty where :func:`evaluate.read_file` refuses to read it."""
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except ImageDecodeError:
        return ""


def hash_files(paths: Sequence[Path]) -> list[str]:
    """:func:`hash_file` of each path, by threads: reading and hashing need no processes."""
    with ThreadPoolExecutor() as pool:
        return list(progress(pool.map(hash_file, paths), "hash", len(paths)))


def read_rows(path: Path, keys: Sequence[bytes], fields: Sequence[np.dtype]) -> Iterator[tuple[int, Row]]:
    """The rows that are kept and not damaged: the position of the key, and a value for each field."""
    places = {key: place for place, key in enumerate(keys)}
    if path.exists():
        with _or_a_warning(path), _opened(path) as rows:
            for key, packed in rows.execute("SELECT key, value FROM kept"):
                if key in places and (values := _unpack(key, packed, fields)) is not None:
                    yield places[key], values


def write_rows(path: Path, rows: Sequence[tuple[bytes, Row]], fields: Sequence[np.dtype]) -> None:
    """Keep values of the fields under their keys, and delete what another version of the code has kept."""
    stage = path.stem[: -HASH_DIGITS - 1]
    with _or_a_warning(path), _opened(path) as database:
        for other in path.parent.glob(f"{stage}-{'[0-9a-f]' * HASH_DIGITS}.sqlite"):
            if other != path:
                _delete(other)
        packed = [(key, _pack(key, values, fields)) for key, values in rows]
        with database:
            database.executemany("REPLACE INTO kept VALUES (?, ?)", packed)
        if path.stat().st_size > MAX_BYTES:
            middle = "SELECT (min(rowid) + max(rowid)) / 2 FROM kept"
            with database:
                database.execute(f"DELETE FROM kept WHERE rowid <= ({middle})")


def _pack(key: bytes, values: Row, fields: Sequence[np.dtype]) -> bytes:
    raw = [np.asarray(value, field.base).tobytes() for value, field in zip(values, fields, strict=True)]
    packed = zlib.compress(b"".join(raw), 1)
    return _check(key, packed) + packed


def _unpack(key: bytes, packed: object, fields: Sequence[np.dtype]) -> Row | None:
    """A value for each field; None where the row is damaged."""
    if not isinstance(packed, bytes) or packed[:CHECK_BYTES] != _check(key, packed[CHECK_BYTES:]):
        return None
    raw, start = zlib.decompress(packed[CHECK_BYTES:]), 0
    if len(raw) != sum(field.itemsize for field in fields):
        return None
    values = []
    for field in fields:
        count = field.itemsize // field.base.itemsize
        values.append(np.frombuffer(raw, field.base, count, start).reshape(field.shape))
        start += field.itemsize
    return values


def _check(key: bytes, packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=CHECK_BYTES, key=key[:64]).digest()


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as database:
        database.execute("PRAGMA auto_vacuum = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB)")
        yield database


@contextmanager
def _or_a_warning(path: Path) -> Iterator[None]:
    """An error with a database ends the block with a warning; a damaged file is deleted."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            _delete(path)
        warnings.warn(f"the cache {path} is not used: {error}; what it should hold is computed", stacklevel=5)


def _delete(path: Path) -> None:
    for name in (path.name, f"{path.name}-journal"):  # a journal would be applied to the next file
        with suppress(OSError):
            path.with_name(name).unlink()
