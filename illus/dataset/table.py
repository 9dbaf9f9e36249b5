"""The only writer of dataset.csv.

In: the table of a data set and its work folder. Out: the file.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from illus.dataset.split import COLUMNS
from illus.files.tables import read_table
from illus.parallel import write_table

NAME = "dataset.csv"


def write_dataset(dataset: pd.DataFrame, work: Path) -> None:
    """Write ``dataset.csv``; ValueError where it could not be trained on."""
    if missing := [part for part in ("train", "validation") if part not in set(dataset.split)]:
        raise ValueError(f"the data set would have no image in {' and '.join(missing)}")
    shown = dataset[dataset.split == "train"].groupby("class_name").copies.sum()
    if never := shown.index[shown == 0].tolist():
        raise ValueError(f"no image of {', '.join(never)} would be shown in training: all have 0 copies")
    write_table(dataset[COLUMNS], work / NAME)


def remove_images(paths: Iterable[str], work: Path) -> pd.DataFrame:
    """Take images out of ``dataset.csv``; the others keep their parts and copies. Returns what is left.

    Raises
    ------
    FileNotFoundError
        There is no such table.
    ValueError
        A class or a part would have no image.
    """
    before = read_table(work / NAME)
    after = before[~before.path.isin(list(paths))].reset_index(drop=True)
    if lost := sorted(set(before.class_name) - set(after.class_name)):
        raise ValueError(f"no image of {', '.join(lost)} would be left in {work / NAME}")
    write_dataset(after, work)
    return after
