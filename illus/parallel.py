"""Parallel work with a progress bar; files that are written completely or not at all.

In: a function and its items, or a table. Out: a generator of results, or a CSV file. Joblib spreads the
work over the cores of this machine or, within :func:`on_cluster`, over the workers of a Dask cluster.
"""

import csv
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import cv2
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import LokyBackend, get_active_backend
from tqdm import tqdm

from evaluate import EvaluationError, atomic_write

NOT_UTF8 = re.compile("[\ud800-\udfff]")  # how Python holds the bytes of a file name that are not UTF-8
Item = TypeVar("Item")
Result = TypeVar("Result")


def progress(items: Iterable[Item], label: str, total: int | None, unit: str = "file") -> Iterable[Item]:
    """The same items, with a progress bar on standard error if that is a terminal."""
    return tqdm(items, label, total=total, unit=unit, mininterval=1, disable=None)


def in_parallel(
    function: Callable[..., Result],
    items: Iterable[Item],
    label: str,
    *args: object,
    jobs: int = -1,
    batch_size: int = 64,
    unit: str = "file",
    total: int | None = None,
) -> Iterable[Result]:
    """``function(item, *args)`` for every item, in order, each as soon as it and those before it are ready.

    ``function`` must be picklable, and ``args`` small, as every task holds them. ``items`` are taken as
    workers get free, so they can be made one after another; without a length they need ``total``. ``label``
    is shown before the progress bar, which counts ``unit``. ``jobs`` are worker processes, -1 for one per
    core; none are started for at most two batches. ``batch_size`` items, enough for a tenth of a second, go
    to a worker at a time. ValueError if ``joblib.parallel_config`` names a backend that returns nothing
    before everything is done.
    """
    count = len(items) if isinstance(items, Sized) else total
    starts_processes = isinstance(get_active_backend()[0], LokyBackend)
    jobs = 1 if starts_processes and count is not None and count <= 2 * batch_size else jobs
    try:
        work = Parallel(n_jobs=jobs, return_as="generator", batch_size=batch_size)
    except ValueError as error:
        cure = "choose a joblib backend that does (loky, threading, dask); Ray's does not"
        raise ValueError(f"{error}: {cure}") from error
    call, here = delayed(_in_process), os.getpid()
    results: Generator[Result] = work(call(here, function, item, *args) for item in items)
    return progress(results, label, count, unit)


def _in_process(parent: int, function: Callable[..., Result], item: Item, *args: object) -> Result:
    if os.getpid() != parent:  # each core has a worker, and OpenCV would start threads for all cores in each
        cv2.setNumThreads(1)
    return function(item, *args)


@contextmanager
def on_cluster(address: str, *folders: str | Path) -> Iterator[None]:
    """Within the block, :func:`in_parallel` runs on the workers of a Dask cluster; the rest runs here.

    ``address`` is the scheduler's, for example ``tcp://host:8786``; OSError if none answers. Its workers
    import this package and see ``folders`` under the same names, else, and without the package
    ``distributed``, it is an evaluate.EvaluationError. A task whose worker is lost runs again on another
    one. While a cluster has only one core, joblib computes here.
    """
    try:
        from distributed import Client
    except ImportError:
        raise EvaluationError("a cluster needs the package distributed: pip install distributed") from None
    with Client(address, set_as_default=False) as client:
        for folder in folders:
            expected = _listing(folder)
            for worker, seen in client.run(_listing, folder, on_error="return").items():
                if seen != expected:
                    found = seen if isinstance(seen, Exception) else "it holds other names there"
                    raise EvaluationError(f"worker {worker} does not see the folder {folder}: {found}")
        with parallel_config("dask", client=client):
            yield


def _listing(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame as CSV, without its index, as a whole; the folder of ``path`` must exist.

    ValueError if a text is not UTF-8, as the name of a file whose letters are in another encoding.
    """
    try:
        with atomic_write(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n", quoting=_quoting(table))
    except UnicodeEncodeError as error:
        texts = (cell for column in table for cell in table[column] if isinstance(cell, str))
        name = next(filter(NOT_UTF8.search, texts), error.object)
        raise ValueError(f"the name {name!r} is not in UTF-8: rename the file or folder") from None


def _quoting(table: pd.DataFrame) -> int:
    """How texts are quoted: all, where one holds a carriage return, which readers take for a row's end."""
    texts = table.select_dtypes(["object", "string"])
    bare = any(texts[column].astype(str).str.contains("\r", regex=False).any() for column in texts)
    return csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
