"""The only writer of dataset.csv; and photos.csv, where a notebook has looked at a part of the files.

In: the table of a data set, or of photographs, and the work folder. Out: the file.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from illus.dataset.split import COLUMNS
from illus.files.tables import read_table
from illus.parallel import write_table

NAME = "dataset.csv"
PHOTOS, PHOTOS_OF_A_PART = "photos.csv", "photos_of_a_part.csv"


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

    FileNotFoundError if there is no such table, ValueError if a class or a part would have no image.
    """
    before = read_table(work / NAME)
    after = before[~before.path.isin(list(paths))].reset_index(drop=True)
    if lost := sorted(set(before.class_name) - set(after.class_name)):
        raise ValueError(f"no image of {', '.join(lost)} would be left in {work / NAME}")
    write_dataset(after, work)
    return after


def write_photos(photos: pd.DataFrame, catalog: pd.DataFrame, work: Path) -> Path:
    """Write a table of photographs: as ``photos.csv`` only if every readable file is in it. Returns its path.

    So a look at a part of the files, as in the quick profile, does not pass for the stage of the whole.
    """
    is_whole = set(catalog.path[catalog.error == ""]) <= set(photos.path)
    path = work / (PHOTOS if is_whole else PHOTOS_OF_A_PART)
    write_table(photos, path)
    return path
