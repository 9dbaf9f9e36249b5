"""What was computed about files, or about pairs of images, kept from one run to the next.

In: keys (hashes of contents) and a function that computes arrays for some of them. Out: the arrays for all,
and a row for each key in ``<folder>/<stage>-<code>.sqlite``. A row is bound to its key by a digest, and the
file's name to the code, the settings and the libraries that decide the values, so that no wrong row is used.
What is damaged, foreign or locked is computed instead.
"""

import functools
import hashlib
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from evaluate import ImageDecodeError, read_file
from illus.hashing import HASH_DIGITS, code_of, digest
from illus.parallel import progress

MAX_BYTES = 1_000_000_000  # of a stage's file: then the older half of its rows is deleted
TIMEOUT = 10.0  # seconds that another program may hold a file
ROWS_AT_ONCE = 1000  # in a transaction
CHECK_BYTES = 8  # of the digest that binds a row to its key
LIBRARIES = ("imagehash", "numpy", "opencv-python-headless", "pillow")  # that decide the values, too

Arrays = list[np.ndarray]  # of equal length, a row of each for each key


@dataclass(frozen=True)
class Stage:
    """What is kept about a key, and by which code it is made."""

    name: str
    modules: tuple[str, ...]  # that decide the values, beside evaluate.py
    fields: tuple[np.dtype, ...]  # of a row, one for each array


def cached(
    cache: Path | None,
    stage: Stage,
    keys: Sequence[bytes],
    compute: Callable[[list[int]], Arrays],
    settings: object = None,
    files: Sequence[Path] | None = None,
) -> Arrays:
    """Arrays with a row for each key: kept ones, and those of new keys, which are computed and then kept.

    Parameters
    ----------
    cache : Path or None
        Folder for the cache, made if it is missing; None: everything is computed, nothing is kept.
    stage : Stage
    keys : sequence of bytes
        Different from each other.
    compute : callable
        Takes m positions in ``keys``; returns an array of shape (m, ...) for each of
        ``stage.fields``.
    settings : object, optional
        What else decides the values; its ``repr`` counts.
    files : sequence of Path, optional
        Files of which the keys are the SHA-256. One that has changed since is not kept.

    Returns
    -------
    list of numpy.ndarray
        One for each of ``stage.fields``, shape (n, ...), the same as ``compute`` gives for all keys.

    Warns
    -----
    UserWarning
        The cache is damaged, or cannot be read or written.
    """
    if cache is None:
        return compute(list(range(len(keys))))
    path = Path(cache, f"{stage.name}-{code_key(stage.modules, repr(settings))}.sqlite")
    arrays = [np.empty(len(keys), field) for field in stage.fields]
    new = np.flatnonzero(~read_rows(path, keys, arrays)).tolist()
    if not new:
        return arrays
    computed = compute(new)
    kept = range(len(new)) if files is None else unchanged([files[i] for i in new], [keys[i] for i in new])
    write_rows(path, ((keys[new[i]], [array[i] for array in computed]) for i in kept))
    if len(new) == len(keys):  # not a second copy of everything
        return computed
    for array, values in zip(arrays, computed, strict=True):
        array[new] = values
    return arrays


@functools.cache
def code_key(modules: tuple[str, ...], settings: str) -> str:
    """A hash of all that decides values beside the content of files: code, libraries and settings."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return digest("\n".join([code_of(["evaluate.py", "illus/cache.py", *modules]), *libraries, settings]))


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


def unchanged(paths: Sequence[Path], keys: Sequence[bytes]) -> list[int]:
    """Positions of the files whose SHA-256 is their key."""
    return [
        i for i, (key, found) in enumerate(zip(keys, hash_files(paths), strict=True)) if found == key.hex()
    ]


def read_rows(path: Path, keys: Sequence[bytes], arrays: Arrays) -> np.ndarray:
    """Fill in the rows that are kept; returns which those are, bool, shape (n,)."""
    known = np.zeros(len(keys), bool)
    places = {key: place for place, key in enumerate(keys)}
    if path.exists():
        with _or_a_warning(path), _opened(path) as rows:
            for key, packed in rows.execute("SELECT key, value FROM kept"):
                place = places.get(key)
                if place is not None:
                    known[place] = _unpack(key, packed, [array[place : place + 1] for array in arrays])
    return known


def write_rows(path: Path, rows: Iterator[tuple[bytes, Arrays]]) -> None:
    """Keep rows of arrays under their keys, and delete what another version of the code has kept."""
    stage = path.stem[: -HASH_DIGITS - 1]
    with _or_a_warning(path), _opened(path) as database:
        for other in path.parent.glob(f"{stage}-{'[0-9a-f]' * HASH_DIGITS}.sqlite"):
            if other != path:
                _delete(other)
        while packed := [(key, _pack(key, values)) for key, values in islice(rows, ROWS_AT_ONCE)]:
            with database:
                database.executemany("REPLACE INTO kept VALUES (?, ?)", packed)
            if path.stat().st_size > MAX_BYTES:
                middle = "SELECT (min(rowid) + max(rowid)) / 2 FROM kept"
                with database:
                    database.execute(f"DELETE FROM kept WHERE rowid <= ({middle})")


def _pack(key: bytes, values: Arrays) -> bytes:
    packed = zlib.compress(b"".join(value.tobytes() for value in values), 1)
    return _check(key, packed) + packed


def _unpack(key: bytes, packed: object, values: Arrays) -> bool:
    """Fill in one row of each array; False where it is damaged."""
    if not isinstance(packed, bytes) or packed[:CHECK_BYTES] != _check(key, packed[CHECK_BYTES:]):
        return False
    raw, start = zlib.decompress(packed[CHECK_BYTES:]), 0
    if len(raw) != sum(value.nbytes for value in values):
        return False
    for value in values:
        value[:] = np.frombuffer(raw, value.dtype, value.size, start).reshape(value.shape)
        start += value.nbytes
    return True


def _check(key: bytes, packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=CHECK_BYTES, key=key[:64]).digest()


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, TIMEOUT)) as database:
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
