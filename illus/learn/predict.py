"""Images without classes, weights -> the likeliest classes of each image, or why it cannot be read.

In: a folder of image files at any depth, and a weights file. Out: one row per file. Images are read, weights
are checked and classes predicted by evaluate.py, so its answers are the same.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import EvaluationError, inspect_weights, list_files, on_one_line, predict_files

SHOWN_ERRORS = 10  # unreadable files that are named on a terminal; the table has all


def predict(folder: str | Path, weights: str | Path, top: int = 3) -> pd.DataFrame:
    """Predict the classes of all images below a folder, with a progress bar on a terminal.

    Image files may be at any depth; the names of sub-folders mean nothing. Links are listed as unreadable,
    hidden folders and what operating systems leave there are left out, as in evaluate.py. The weights file
    may come from a stranger, see :func:`evaluate.load_classifier`. ``top`` above the number of classes gives
    all.

    One row per file, in natural order; all columns of str: ``path`` (relative to ``folder``, POSIX);
    ``class_1``, ``probability_1``, ``class_2``, ..., likeliest first (four decimals, as evaluate.py writes
    them; empty for an unreadable file); ``error``, why the file cannot be read, else empty.
    evaluate.EvaluationError if ``top`` is less than 1, there is no such folder, no file in it, no readable
    image, or the weights cannot be used.
    """
    folder = Path(folder)
    if top < 1:
        raise EvaluationError(f"top must be at least 1, not {top}")
    if not folder.is_dir():
        raise EvaluationError(f"{'not a' if folder.exists() else 'no such'} folder: {folder}")
    found = inspect_weights(weights)
    paths = list_files(folder)
    if not paths:
        raise EvaluationError(f"no files in {folder}")
    names = [path.relative_to(folder).as_posix() for path in paths]
    probabilities, readable, reasons = predict_files(weights, found, paths)
    if not readable.any():
        raise EvaluationError(f"no readable image in {folder}; the first file, {names[0]}: {reasons[0]}")
    table = likeliest(probabilities, found[0].class_names, top)
    table = table.set_index(np.flatnonzero(readable)).reindex(range(len(names)), fill_value="")
    table.insert(0, "path", names)
    return table.assign(error=[reasons.get(i, "") for i in range(len(names))])


def likeliest(probabilities: np.ndarray, class_names: list[str], top: int) -> pd.DataFrame:
    """The ``top`` classes of each image and their probabilities; of equal ones, the first in class order."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    chosen = np.take_along_axis(probabilities, order, axis=1)
    columns = {}
    for i in range(order.shape[1]):
        columns[f"class_{i + 1}"] = [class_names[label] for label in order[:, i]]
        columns[f"probability_{i + 1}"] = [f"{p:.4f}" for p in chosen[:, i]]
    return pd.DataFrame(columns, dtype=object)


def format_predictions(table: pd.DataFrame) -> str:
    """A few lines for a terminal on the table of :func:`predict`: images per class, and unreadable files."""
    read, unreadable = table[table.error == ""], table[table.error != ""]
    lines = [f"{len(read):,} images predicted, {len(unreadable):,} files not readable"]
    shown = unreadable.head(SHOWN_ERRORS)
    lines += [f"  not readable: {file.path!r}: {on_one_line(file.error)}" for file in shown.itertuples()]
    if len(unreadable) > len(shown):
        lines.append(f"  and {len(unreadable) - len(shown):,} more")
    groups = read.probability_1.astype(float).groupby(read.class_1)
    counts = groups.agg(["size", "median"]).sort_values("size", ascending=False, kind="stable")
    lines += ["", "images  median probability  class"]
    for name, size, median in counts.itertuples(name=None):
        lines.append(f"{size:6,}  {median:18.2f}  {name}")
    return "\n".join(lines)
