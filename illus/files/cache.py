"""What was computed about files, or about pairs of images, kept from one run to the next.

In: keys (hashes of contents) and a function that computes rows for some of them. Out: the rows of all, and a
row for each key in ``<folder>/<stage>-<code>.sqlite``, with a column for each field. A value is bound to its
key by a digest, and the file's name to the code, the settings and the libraries that decide the values, so
that no wrong row is used. What is damaged, foreign or locked is computed instead.
"""

import functools
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from illus.hashing import HASH_DIGITS, code_of, digest

MAX_BYTES = 2_000_000_000  # of a stage's file: then the older half of its rows is deleted
TIMEOUT = 10.0  # seconds that another program may hold a file
ROWS_AT_ONCE = 1000  # in a transaction
CHECK_BYTES = 8  # of the digest that binds a row to its key
ALL_STAGES = ("illus/files/cache.py", "illus/files/decoded.py")  # on whose code the values of all rest
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
) -> None:
    """Fill in a row for each key: kept rows, and those of new keys, which are computed and then kept.

    ``keys`` differ from each other. ``tables``, one for each of ``stage.fields``, are arrays, or what rows
    are assigned to like theirs, with a row for each key. ``compute`` takes positions in ``keys``, and yields
    for each of them, in their order, a value for each of ``stage.fields``; if it fails, whole groups of
    ``ROWS_AT_ONCE`` that it yielded before are kept. ``settings`` decide the values too, by their ``repr``.
    The folder ``cache`` is made if it is missing; without one nothing is kept. One that is damaged, or cannot
    be read or written, gives a warning.
    """
    path = stage_path(cache, stage, settings)
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
            write_rows(path, [(keys[place], values) for place, values in rows], stage.fields)


def stage_path(cache: Path | None, stage: Stage, settings: object = None) -> Path | None:
    """Where the rows of a stage are kept; None without a cache."""
    return cache and Path(cache, f"{stage.name}-{code_key(stage.modules, repr(settings))}.sqlite")


def _assign(tables: Sequence[Any], place: int, values: Row) -> None:
    for table, value in zip(tables, values, strict=True):
        table[place] = value


@functools.cache
def code_key(modules: tuple[str, ...], settings: str) -> str:
    """A hash of all that decides values beside the content of files: code, libraries and settings."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return digest("\n".join([code_of([*ALL_STAGES, *modules]), *libraries, settings]))


def short_keys(keys: Sequence[bytes]) -> np.ndarray:
    """The first 8 bytes of keys; uint64, shape (n,). Enough to say that a content is probably known."""
    return np.array([int.from_bytes(key[:8], "big") for key in keys], np.uint64)


def stored_keys(path: Path) -> np.ndarray:
    """:func:`short_keys` of the rows that are kept, sorted."""
    keys: list[bytes] = []
    if path.exists():
        with _or_a_warning(path), _opened(path, 1) as rows:
            keys = [key for (key,) in rows.execute("SELECT key FROM kept") if isinstance(key, bytes)]
    return np.sort(short_keys(keys))


def read_rows(
    path: Path, keys: Sequence[bytes], fields: Sequence[np.dtype], wanted: Sequence[int] | None = None
) -> Iterator[tuple[int, Row]]:
    """The rows that are kept and not damaged: the position of the key, and a value for each wanted field."""
    wanted, places = wanted or range(len(fields)), {key: place for place, key in enumerate(keys)}
    if path.exists() and places:
        with _or_a_warning(path), _opened(path, len(fields)) as rows:
            columns = ", ".join(f"f{number}" for number in wanted)
            for key, *packed in rows.execute(f"SELECT key, {columns} FROM kept"):
                if key in places:
                    values = [_unpack(key, i, p, fields[i]) for i, p in zip(wanted, packed, strict=True)]
                    if all(value is not None for value in values):
                        yield places[key], values


def write_rows(path: Path, rows: Sequence[tuple[bytes, Row]], fields: Sequence[np.dtype]) -> None:
    """Keep values of the fields under their keys, and delete what another version of the code has kept."""
    stage = path.stem[: -HASH_DIGITS - 1]
    with _or_a_warning(path), _opened(path, len(fields)) as database:
        for other in path.parent.glob(f"{stage}-{'[0-9a-f]' * HASH_DIGITS}.sqlite"):
            if other != path:
                _delete(other)
        packed = [
            (key, *(_pack(key, i, value, fields[i]) for i, value in enumerate(values)))
            for key, values in rows
        ]
        with database:
            database.executemany(f"REPLACE INTO kept VALUES (?{', ?' * len(fields)})", packed)
        if path.stat().st_size > MAX_BYTES:
            middle = "SELECT (min(rowid) + max(rowid)) / 2 FROM kept"
            with database:
                database.execute(f"DELETE FROM kept WHERE rowid <= ({middle})")


def _pack(key: bytes, number: int, value: Any, field: np.dtype) -> bytes | None:
    if value is None:
        return None
    packed = zlib.compress(np.asarray(value, field.base).tobytes(), 1)
    return _check(key, number, packed) + packed


def _unpack(key: bytes, number: int, packed: object, field: np.dtype) -> np.ndarray | None:
    """The value of a field; None where it is missing or damaged."""
    if not isinstance(packed, bytes) or packed[:CHECK_BYTES] != _check(key, number, packed[CHECK_BYTES:]):
        return None
    raw = zlib.decompress(packed[CHECK_BYTES:])
    if len(raw) != field.itemsize:
        return None
    return np.frombuffer(raw, field.base).reshape(field.shape)


def _check(key: bytes, number: int, packed: bytes) -> bytes:
    salt = number.to_bytes(blake2b.SALT_SIZE, "big")
    return blake2b(packed, digest_size=CHECK_BYTES, key=key[:64], salt=salt).digest()


@contextmanager
def _opened(path: Path, n_fields: int) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=TIMEOUT)) as database:
        database.execute("PRAGMA auto_vacuum = FULL")
        columns = "".join(f", f{number} BLOB" for number in range(n_fields))
        database.execute(f"CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY{columns})")
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
