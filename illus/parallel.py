"""Work on many items -> results in their order, with progress on a terminal; tables written whole.

In: a function and its items, or a table. Out: a generator, or a CSV file. Joblib spreads the work, so a
surrounding ``joblib.parallel_config`` decides where it runs.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def progress(items: Iterable[Item], label: str, total: int, unit: str = "file") -> Iterable[Item]:
    """A progress bar on a terminal, nothing elsewhere."""
    return tqdm(items, label, total=total, unit=unit, mininterval=1, disable=None)


def in_parallel(
    function: Callable[..., Result],
    items: Sequence,
    label: str,
    *args: object,
    jobs: int = -1,
    batch_size: int = 64,
    unit: str = "file",
) -> Iterable[Result]:
    """``function(item, *args)`` for every item, in order.

    Parameters
    ----------
    function : callable
        Picklable.
    items : sequence
    label : str
        Before the progress bar.
    *args
        Passed on.
    jobs : int, default -1
        Processes; -1 for one per core.
    batch_size : int, default 64
        Items that a process takes at a time.
    unit : str, default "file"

    Returns
    -------
    generator
    """
    work = Parallel(n_jobs=jobs, return_as="generator", batch_size=batch_size)
    results: Generator[Result] = work(delayed(function)(item, *args) for item in items)
    return progress(results, label, len(items), unit)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A path to write to instead, which replaces ``path`` when the block ends without an error.

    Readers see the old file or the whole new one. The path in between has the same ending.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame as CSV without its index; its folder must exist."""
    with atomic_write(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
