"""Work on many items -> results in their order, with progress on a terminal.

In: a function and its items. Out: a generator. Joblib spreads the work, so a surrounding
``joblib.parallel_config`` decides where it runs.
"""

from joblib import Parallel, delayed
from tqdm import tqdm


def progress(items, label, total, unit="file"):
    """A progress bar on a terminal, nothing elsewhere."""
    return tqdm(items, label, total=total, unit=unit, mininterval=1, disable=None)


def in_parallel(function, items, label, *args, jobs=-1, batch_size=64, unit="file"):
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
    results = work(delayed(function)(item, *args) for item in items)
    return progress(results, label, len(items), unit)
