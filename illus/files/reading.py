"""Files -> what the stages measure of them, kept from run to run where there is a cache (illus.files.cache).

In: rows of the catalog. Out: descriptors, photo statistics and patches, the same with and without a cache.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from illus.files.cache import Stage, cached
from illus.files.descriptors import DESCRIPTOR, Descriptors, describe_image
from illus.files.photo_statistics import LEVELS, PATCH, PATCHES, photo_statistics
from illus.parallel import in_parallel

DESCRIPTORS = Stage("descriptors", ("illus/files/descriptors.py",), (DESCRIPTOR,))
PHOTO_FEATURES = Stage(
    "photo_features",
    ("illus/files/photo_statistics.py",),
    (np.dtype((np.float32, len(LEVELS))), np.dtype((np.uint8, (PATCHES, PATCH, PATCH, 3)))),
)


def kept_descriptors(files: pd.DataFrame, folder: str | Path, cache: Path | None = None) -> Descriptors:
    """:func:`illus.files.descriptors.describe_images` of files.

    Parameters
    ----------
    files : pandas.DataFrame
        Readable rows of the catalog, of different ``sha256``.
    folder : str or Path
        What ``path`` is relative to.
    cache : Path, optional
    """
    paths, keys = _paths_and_keys(files, folder)
    descriptors = Descriptors(len(paths), cache)

    def describe(new: list[int]) -> Iterable[tuple[np.ndarray]]:
        return ((row,) for row in in_parallel(describe_image, [paths[i] for i in new], "describe"))

    cached(cache, DESCRIPTORS, keys, [descriptors], describe, files=paths)
    return descriptors


def kept_statistics(
    files: pd.DataFrame, folder: str | Path, cache: Path | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """:func:`illus.files.photo_statistics.photo_statistics` of files, as for :func:`kept_descriptors`."""
    paths, keys = _paths_and_keys(files, folder)
    tables = [np.empty(len(paths), field) for field in PHOTO_FEATURES.fields]

    def measure(new: list[int]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        found, cut = photo_statistics([paths[i] for i in new])
        return zip(found.to_numpy(), cut, strict=True)

    cached(cache, PHOTO_FEATURES, keys, tables, measure, files=paths)
    return pd.DataFrame(tables[0], columns=list(LEVELS)), tables[1]


def _paths_and_keys(files: pd.DataFrame, folder: str | Path) -> tuple[list[Path], list[bytes]]:
    return [Path(folder, path) for path in files.path], [bytes.fromhex(content) for content in files.sha256]
