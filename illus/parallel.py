"""Parallel work with a progress bar; files that are written completely or not at all.

In: a function and its items, or a table. Out: a generator of results, or a CSV file. Joblib spreads the
work, so a surrounding ``joblib.parallel_config`` decides where it runs.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from evaluate import atomic_write

Item = TypeVar("Item")
Result = TypeVar("Result")


def progress(items: Iterable[Item], label: str, total: int, unit: str = "file") -> Iterable[Item]:
    """The same items, with a progress bar on standard error if that is a terminal."""
    return tqdm(items, label, total=total, unit=unit, mininterval=1, disable=None)


def in_parallel(
    function: Callable[..., Result],
    items: Sequence[Item],
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
        Must be picklable.
    items : sequence
    label : str
        Shown before the progress bar.
    *args
        Further arguments of the function, the same for every item.
    jobs : int, default -1
        Worker processes; -1 for one per core. None are started for at most two batches.
    batch_size : int, default 64
        Items that a worker takes at a time: enough for about a second.
    unit : str, default "file"
        What the progress bar counts.

    Returns
    -------
    iterable
        Results in the order of the items, each as soon as it and those before it are ready.
    """
    jobs = jobs if len(items) > 2 * batch_size else 1
    work = Parallel(n_jobs=jobs, return_as="generator", batch_size=batch_size)
    results: Generator[Result] = work(delayed(function)(item, *args) for item in items)
    return progress(results, label, len(items), unit)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame as CSV, without its index, as a whole; the folder of ``path`` must exist."""
    with atomic_write(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
