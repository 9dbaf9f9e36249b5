"""Photographs of installed packages -> parts of them, no two alike.

In: ``photographs.csv``, npm and Python packages. Out: a table of pictures; of each the boxes to cut out.
"""

import csv
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evaluate import decode_image
from illus.emoji20.sources import HERE

PYTHON_PACKAGES = ("skimage", "sklearn", "matplotlib")
ODD_SHARE = 0.02  # of photographs from odd pictures, such as a scanned page or a brick wall
SMALLEST = 0.25  # side of a part, as a share of the largest part of that shape that the picture holds
SHAPES = (4 / 3, 3 / 2, 1.0, 3 / 4, 2 / 3)  # width : height that cameras have
MOST_SHARED = 0.4  # intersection over union of two parts of a picture, above which they show the same
FLAT = 12.0  # levels: a part with a smaller standard deviation of gray, such as an even sky, shows nothing
LOOKED_AT = 256  # px of a picture's shorter side, at which it is decided whether a part is flat
TRIES = 5000  # boxes that are drawn for a picture before it counts as used up


def load_pictures(packages: Path) -> pd.DataFrame:
    """The pictures that photographs are cut from, of packages that :func:`illus.emoji20.sources.install` put.

    ``source`` (package and file), ``file`` (path to read), ``odd`` (bool: no scene).
    """
    with open(HERE / "photographs.csv", encoding="utf-8", newline="") as table:
        rows = [
            (f"{row['package']}/{row['file']}", _installed(packages, row), row["odd"] == "yes")
            for row in csv.DictReader(table)
        ]
    return pd.DataFrame(rows, columns=["source", "file", "odd"])


def _installed(packages: Path, row: dict[str, str]) -> str:
    """Where a package's file is, of Python or of npm."""
    python = row["package"].split(".")[0] in PYTHON_PACKAGES
    root = files(row["package"]) if python else packages / "node_modules" / row["package"]
    return str(root / row["file"])


def choose_parts(pictures: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw ``count`` whole pictures and parts, evenly over the pictures, few of the odd ones.

    ``source``, ``file``, ``box`` (left, top, right, bottom; int, px). ValueError if the pictures have
    fewer parts that can be told apart.
    """
    odd = round(count * ODD_SHARE) if pictures.odd.any() else 0
    wanted = pd.Series(0, index=pictures.index)
    for group, number in ((pictures.index[pictures.odd], odd), (pictures.index[~pictures.odd], count - odd)):
        if number:
            wanted += (
                pd.Series(np.resize(rng.permutation(group), number))
                .value_counts()
                .reindex(pictures.index, fill_value=0)
            )
    rows = [
        (picture.source, picture.file, box)
        for picture, number in zip(pictures.itertuples(), wanted, strict=True)
        for box in draw_boxes(load(picture.file), number, rng)
    ]
    parts = pd.DataFrame(rows, columns=["source", "file", "box"])
    return parts.iloc[rng.permutation(len(parts))].reset_index(drop=True)


def draw_boxes(picture: Image.Image, count: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Boxes of the whole picture and of parts of it, down to ``SMALLEST``; no two show the same."""
    factor = max(1, min(picture.size) // LOOKED_AT)
    gray = np.asarray(picture.convert("L").reduce(factor), np.float32)
    boxes = [(0, 0, *picture.size)][:count]
    for _ in range(TRIES):
        if len(boxes) == count:
            return boxes
        shape = rng.choice(SHAPES)
        scale = np.exp(rng.uniform(np.log(SMALLEST), 0))
        height = scale * min(picture.width / shape, picture.height)
        width = height * shape
        left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
        box = (round(left), round(top), round(left + width), round(top + height))
        left, top, right, bottom = (edge // factor for edge in box)
        textured = gray[top:bottom, left:right].std() >= FLAT
        if textured and all(intersection_over_union(box, other) <= MOST_SHARED for other in boxes):
            boxes.append(box)
    raise ValueError(f"a picture of {picture.size} px has no {count} parts that can be told apart")


def intersection_over_union(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Share that two boxes have in common, of what they cover together.

    >>> intersection_over_union((0, 0, 2, 1), (1, 0, 3, 1))
    0.3333333333333333
    """
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@lru_cache(maxsize=2)
def load(file: str) -> Image.Image:
    """A picture as an RGB image."""
    return Image.fromarray(decode_image(Path(file).read_bytes()))


def cut(picture: Image.Image, box: tuple[int, int, int, int], side: int) -> Image.Image:
    """A part of a picture, resized so that its longest side has ``side`` pixels."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = side / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, box)
