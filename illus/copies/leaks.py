"""Training folder, test folder -> which test files are copies of training files.

In: two folders of class folders. Out: one row per leaked file; the scores of a test without such files.
Pairs are proposed and compared as for duplicates, but only between the folders, and with a stricter limit for
plain images: two people may well draw the same disc.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from evaluate import Scores, natural_key, on_one_line, score
from illus.copies.candidates import hash_pairs, unique_pairs
from illus.copies.compare import plausible
from illus.copies.duplicates import distinct_images, pair_distances
from illus.copies.settings import DEFAULTS as DUPLICATES
from illus.copies.settings import DuplicateSettings
from illus.files.catalog import scan
from illus.files.descriptors import Descriptors
from illus.files.overrides import decided, relabel

COLUMNS = ["path", "copy_of", "relation", "distance", "class_name", "copy_class"]
JPEG_QUALITY = 50  # at which the detail of a thumbnail is measured
SHOWN = 10  # leaks that are named on a terminal; the table has all


@dataclass(frozen=True)
class LeakSettings:
    """Thresholds of the leak check, chosen on emoji20's training folder; of pairs, the duplicate finder's."""

    duplicates: DuplicateSettings = DUPLICATES
    near: float = 7.0  # distance up to which images are copies: benchmarks/leaks.py
    plain: float = 700.0  # bytes of detail below which that distance shrinks: benchmarks/leaks.py


DEFAULTS = LeakSettings()


class Images(NamedTuple):
    """The readable files of a folder and their distinct images, see ``distinct_images``."""

    files: pd.DataFrame
    descriptors: Descriptors


def find_leaks(training: str | Path, test: str | Path, settings: LeakSettings = DEFAULTS) -> pd.DataFrame:
    """The test files that are copies of training files: see :func:`leaks_between`, for two folders.

    evaluate.EvaluationError if one of them is no folder of class folders.
    """
    return leaks_between(describe_folder(training, settings), describe_folder(test, settings), settings)


def describe_folder(
    folder: str | Path,
    settings: LeakSettings = DEFAULTS,
    *,
    cache: Path | None = None,
    overrides: pd.DataFrame | None = None,
) -> Images:
    """Scan class folders and describe their images; what ``cache`` knows is not decoded again.

    Files that a person dropped (``overrides``) are left out; labels are those that a person decided on.
    """
    catalog = relabel(scan(folder, cache=cache), overrides)
    catalog = catalog[decided(catalog, overrides) != "drop"]
    return Images(*distinct_images(catalog, folder, cache=cache))


def leaks_between(training: Images, test: Images, settings: LeakSettings = DEFAULTS) -> pd.DataFrame:
    """The test files that are copies of training files, a row each, in natural order.

    Exact copies have the same decoded pixels, or bytes if nothing is to be seen in them; near copies have a
    distance (:func:`illus.copies.compare.distance`) below ``settings.near``. But the plainer two drawings
    are, the more alike they can be by chance: where one has less than ``settings.plain`` bytes of
    :func:`detail`, the allowed distance shrinks in proportion.

    Columns: ``path``, in the test folder; ``copy_of``, in the training folder: the most alike file, of
    equally alike ones one of the same class, then the best; ``relation``: ``exact`` or ``near``;
    ``distance``, in levels of 255, 0 for exact copies; ``class_name`` and ``copy_class``: the classes of the
    two files.
    """
    return resolve_leaks(training, test, compared_pairs(training, test, settings), settings)


def resolve_leaks(
    training: Images, test: Images, pairs: pd.DataFrame, settings: LeakSettings = DEFAULTS
) -> pd.DataFrame:
    """The table of :func:`leaks_between`, from the pairs of :func:`compared_pairs`."""
    near = pairs[is_copy(pairs, settings)].assign(relation="near")
    links = pd.concat([_equal(training, test), near], ignore_index=True)
    sources = training.files.rename(columns={"path": "copy_of", "class_name": "copy_class"})
    sources = sources[["copy_of", "copy_class", "image"]].assign(rank=range(len(sources)))
    rows = test.files[["path", "class_name", "image"]].merge(links, left_on="image", right_on="test")
    rows = rows.merge(sources, left_on="training", right_on="image")
    rows["other_class"] = rows.class_name != rows.copy_class
    rows = rows.sort_values(["relation", "distance", "other_class", "rank"]).drop_duplicates("path")
    rows = rows.sort_values("path", key=lambda paths: paths.map(natural_key), ignore_index=True)
    return rows[COLUMNS].round({"distance": 2})


def _equal(training: Images, test: Images) -> pd.DataFrame:
    """Pairs of images of the same pixels, or, where nothing is to be seen in them, of the same bytes."""
    tables = []
    for name, images in (("training", training), ("test", test)):
        blank, sha256 = images.descriptors["blank"], images.files.drop_duplicates("image").sha256
        same = pd.Series(images.descriptors["pixels"]).where(~blank, sha256.to_numpy())
        tables.append(pd.DataFrame({name: range(len(same)), "same": same}))
    pairs = tables[0].merge(tables[1], on="same").drop(columns="same")
    return pairs.assign(distance=0.0, relation="exact")


def compared_pairs(training: Images, test: Images, settings: LeakSettings = DEFAULTS) -> pd.DataFrame:
    """Pairs of a training and a test image that may be copies.

    Columns ``training`` and ``test`` (numbers of images), ``distance``, and ``detail`` of the plainer one.
    """
    n = len(training.descriptors)
    columns = np.concatenate([training.descriptors.columns, test.descriptors.columns])
    proposed = cross_pairs(training.descriptors, test.descriptors, settings.duplicates)
    pairs = np.add(proposed, [0, n])
    pairs = pairs[~columns["blank"][pairs].any(1)]
    pairs = pairs[plausible(columns, pairs, settings.duplicates)]
    needed, places = np.unique(pairs, return_inverse=True)
    images = [training.descriptors[needed[needed < n]], test.descriptors[needed[needed >= n] - n]]
    descriptors, places = np.concatenate(images), places.reshape(-1, 2)
    return pd.DataFrame(
        {
            "training": pairs[:, 0],
            "test": pairs[:, 1] - n,
            "distance": pair_distances(descriptors, places, settings.duplicates),
            "detail": [min(map(detail, descriptors["thumbnail"][pair])) for pair in places],
        }
    )


def is_copy(pairs: pd.DataFrame, settings: LeakSettings = DEFAULTS) -> pd.Series:
    """Which pairs, with ``distance`` and ``detail``, are copies; bool."""
    allowed = settings.near * (pairs.detail / settings.plain).clip(upper=1)
    return pairs.distance < allowed


def cross_pairs(
    training: Descriptors, test: Descriptors, settings: DuplicateSettings = DUPLICATES
) -> np.ndarray:
    """Pairs of a training and a test image, near by a hash, or neighbours by colour; int64, shape (n, 2)."""
    if not (len(training) and len(test)):
        return np.empty((0, 2), np.int64)
    n = len(training)
    grids = [images["colours"].reshape(len(images), -1) for images in (training, test)]
    count = min(settings.colour_neighbours, n)
    near = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(grids[0]).kneighbors(grids[1])[1]
    found = [np.column_stack([near.ravel(), n + np.repeat(np.arange(len(test)), count)])]
    for field in ("whole", "content"):
        hashes = np.concatenate([training[field], test[field]])
        found.append(hash_pairs(hashes, settings.hash_radius, settings.largest_bucket))
    pairs = unique_pairs(np.concatenate(found))
    return pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n)] - [0, n]


def detail(thumbnail: np.ndarray) -> int:
    """How much there is to see in a thumbnail: bytes of its JPEG beyond those of a blank one.

    A common measure of complexity (Machado et al. 2015, "Computerized measures of visual complexity").
    """
    return _jpeg_bytes(thumbnail) - _jpeg_bytes(np.full_like(thumbnail, 255))


def _jpeg_bytes(rgb: np.ndarray) -> int:
    return len(cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def scores_without(
    rows: Sequence[Mapping[str, str]], leaked: Iterable[str], class_names: Sequence[str]
) -> Scores | None:
    """Scores of a test without its leaked files, see :func:`evaluate.score`; None if no scored file is left.

    ``rows`` are those of :func:`evaluate.evaluate` for all files, ``leaked`` the column ``path`` of
    :func:`find_leaks`, ``class_names`` those of the model's description.
    """
    leaked, number = set(leaked), {name: i for i, name in enumerate(class_names)}
    left = [row for row in rows if row["predicted"] and row["path"] not in leaked]
    if not left:
        return None
    true, predicted = ([number[row[key]] for row in left] for key in ("class_name", "predicted"))
    return score(np.array(true), np.array(predicted), class_names)


def format_leaks(leaks: pd.DataFrame) -> str:
    """The table of :func:`find_leaks` for a terminal: counts and the first leaks, conflicts before others."""
    if leaks.empty:
        return "no test file is a copy of a training file"
    conflict = leaks.class_name != leaks.copy_class
    exact = int((leaks.relation == "exact").sum())
    lines = [
        f"test files that are copies of training files: {len(leaks):,} ({exact:,} exact, "
        f"{len(leaks) - exact:,} near; {conflict.sum():,} in another class)"
    ]
    for row in leaks.assign(agree=~conflict).sort_values("agree", kind="stable").head(SHOWN).itertuples():
        classes = "" if row.agree else f", {row.class_name} here, {row.copy_class} there"
        lines.append(f"  {row.path} <- {row.copy_of} ({row.relation}, distance {row.distance:.2f}{classes})")
    if len(leaks) > SHOWN:
        lines.append(f"  and {len(leaks) - SHOWN:,} more")
    return "\n".join(on_one_line(line) for line in lines)


def format_scores_without(scores: Scores, without: Scores | None) -> str:
    """One line on the scores of a test with and without its leaked files, see :func:`scores_without`."""
    if without is None:
        return "without them no image is left to score"
    macro, micro = (f"{without[key]:.4f} (with them {scores[key]:.4f})" for key in ("macro_f1", "micro_f1"))
    return f"without them macro F1 {macro}, micro F1 {micro}, {without['n_images']:,} images"
