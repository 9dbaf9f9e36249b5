"""Files -> what the stages measure of them, kept from run to run where there is a cache (illus.cache).

In: rows of the catalog. Out: descriptors, photo statistics and patches, the same with and without a cache.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from illus.cache import Arrays, Stage, cached
from illus.clean.descriptors import DEFAULTS, DESCRIPTOR, DuplicateSettings, describe_images
from illus.clean.photo_statistics import LEVELS, PATCH, PATCHES, photo_statistics

DESCRIPTORS = Stage("descriptors", ("illus/clean/descriptors.py",), (DESCRIPTOR,))
PHOTO_FEATURES = Stage(
    "photo_features",
    ("illus/clean/photo_statistics.py",),
    (np.dtype((np.float32, len(LEVELS))), np.dtype((np.uint8, (PATCHES, PATCH, PATCH, 3)))),
)


def kept_descriptors(
    files: pd.DataFrame,
    folder: str | Path,
    settings: DuplicateSettings = DEFAULTS,
    cache: Path | None = None,
) -> np.ndarray:
    """:func:`illus.clean.descriptors.describe_images` of files.

    Parameters
    ----------
    files : pandas.DataFrame
        Readable rows of the catalog, of different ``sha256``.
    folder : str or Path
        What ``path`` is relative to.
    settings : DuplicateSettings, optional
    cache : Path, optional
    """
    paths, keys = _paths_and_keys(files, folder)

    def describe(new: list[int]) -> Arrays:
        return [describe_images([paths[i] for i in new], settings)]

    return cached(cache, DESCRIPTORS, keys, describe, settings, paths)[0]


def kept_statistics(
    files: pd.DataFrame, folder: str | Path, cache: Path | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """:func:`illus.clean.photo_statistics.photo_statistics` of files, as for :func:`kept_descriptors`."""
    paths, keys = _paths_and_keys(files, folder)

    def measure(new: list[int]) -> Arrays:
        statistics, patches = photo_statistics([paths[i] for i in new])
        return [statistics.to_numpy(), patches]

    statistics, patches = cached(cache, PHOTO_FEATURES, keys, measure, files=paths)
    return pd.DataFrame(statistics, columns=list(LEVELS)), patches


def _paths_and_keys(files: pd.DataFrame, folder: str | Path) -> tuple[list[Path], list[bytes]]:
    return [Path(folder, path) for path in files.path], [bytes.fromhex(content) for content in files.sha256]
