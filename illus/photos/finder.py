"""Catalog -> photos: which files are photographs among the drawings, without any label.

In: catalog and class folders. Out: photos.csv, one row per readable file. An autoencoder is trained on blocks
of the collection itself; where it gains nothing over a linear code, and DBSCAN finds such images together,
they are taken for photographs. A model that learns from these decides about all.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from illus.files.overrides import decided, print_applied
from illus.files.reading import kept_statistics
from illus.photos import autoencoder
from illus.photos.clusters import embed, name_photos, quantiles, reaches_zero, search_eps
from illus.photos.self_training import judge_in_rounds
from illus.photos.settings import DEFAULTS, PhotoSettings

COLUMNS = ["path", "score", "cluster", "is_photo"]


@dataclass
class Analysis:
    """Everything that :func:`analyse` found out, image by image."""

    gains: np.ndarray  # float (n, blocks), see autoencoder.measure_gains
    reaches: np.ndarray  # bool (n,), whose gain reaches zero
    points: np.ndarray  # float (n, 2), where DBSCAN looks
    gaps: np.ndarray  # k-distance curve, ascending
    eps: float
    cluster: np.ndarray  # int (n,), -1 for noise
    proposed: np.ndarray  # bool (n,), whom the clusters take for photographs
    rounds: list[np.ndarray]  # scores of each round, float (n,)
    score: np.ndarray  # above 0 for a photograph, (n,)
    is_photo: np.ndarray  # bool (n,)
    decided: bool  # False: it could not be decided, and nothing is removed
    verdict: str
    autoencoder: keras.Model | None = None
    linear: PCA | None = None
    losses: tuple[float, ...] = ()  # of each pass of the autoencoder's training


def find_photos(
    catalog: pd.DataFrame,
    folder: str | Path,
    seed: int = 0,
    duplicates: pd.DataFrame | None = None,
    settings: PhotoSettings = DEFAULTS,
    *,
    overrides: pd.DataFrame | None = None,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Find the photographs in a collection of drawings.

    No labels, no pretrained network, no truth; no setting says what a photograph looks like. Two things are
    presupposed: photographs are the minority, and what an autoencoder gains on them over a linear code of the
    same size is nothing. All else is read off the collection itself.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.files.catalog.scan`, in any order; rows with an error are left out.
    folder : str or Path
        What its paths are relative to.
    seed : int, default 0
    duplicates : pandas.DataFrame, optional
        ``path``, ``copy_of``: copies get what their best copy gets, and do not count. Without it
        files with the same bytes are copies.
    settings : PhotoSettings, optional
    overrides : pandas.DataFrame, optional
        From :func:`illus.files.overrides.read_overrides`: what a person keeps is no photo to remove; a
        printed line says how many such decisions there are.
    cache : Path, optional
        Folder for the statistics and blocks of contents, see :mod:`illus.files.cache`.

    Returns
    -------
    pandas.DataFrame
        One row per readable file, sorted by path: ``path``; ``score`` (float, higher is more
        photographic); ``cluster`` (int, of DBSCAN, -1 for none); ``is_photo`` (bool).
        ``attrs["verdict"]`` says in words what was decided.

    Warns
    -----
    UserWarning
        It cannot be decided (fewer than ``settings.min_images`` distinct images), or more than
        ``settings.max_share`` would be removed; nothing is.

    Examples
    --------
    >>> find_photos(pd.DataFrame(columns=["path", "sha256", "error"]), ".").columns.tolist()
    ['path', 'score', 'cluster', 'is_photo']
    """
    files, images = distinct_images(catalog, duplicates)
    if images.empty:
        table = pd.DataFrame(columns=COLUMNS)
        table.attrs["verdict"] = "no readable image"
        return table
    statistics, blocks = kept_statistics(catalog.set_index("path").loc[images].reset_index(), folder, cache)
    found = analyse(statistics, blocks, seed, settings)
    if not found.decided:
        warnings.warn(found.verdict, stacklevel=2)
    table = apply_keep_decisions(photos_table(files, found), catalog, overrides)
    table.attrs["verdict"] = found.verdict
    return table


def distinct_images(
    catalog: pd.DataFrame, duplicates: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """Readable files (``path``, ``image``: int), sorted by path, and the path of each image's best file.

    Files with the same bytes show one image, and so do those with the same ``copy_of`` in ``duplicates``. The
    paths of the best files are in the order of the numbers of images.
    """
    files = catalog[catalog.error == ""].sort_values("path", ignore_index=True)
    best = files.groupby("sha256").path.transform("first")
    if duplicates is not None:
        copies = duplicates[duplicates.copy_of != ""]
        copy_of = dict(zip(copies.path, copies.copy_of, strict=True))
        best = [copy_of.get(path, first) for path, first in zip(files.path, best, strict=True)]
    numbers, images = pd.factorize(pd.Series(best, dtype=str))
    return pd.DataFrame({"path": files.path, "image": numbers}), pd.Series(images)


def photos_table(files: pd.DataFrame, found: Analysis) -> pd.DataFrame:
    """The table that :func:`find_photos` returns."""
    return pd.DataFrame(
        {
            "path": files.path,
            "score": found.score.round(4)[files.image],
            "cluster": found.cluster[files.image],
            "is_photo": found.is_photo[files.image],
        }
    )


def apply_keep_decisions(
    table: pd.DataFrame, catalog: pd.DataFrame, overrides: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The table of :func:`photos_table` without ``is_photo`` where a person keeps the file."""
    readable = catalog[catalog.error == ""]
    print_applied("photos", readable, overrides, ("keep",))
    kept = readable.path[decided(readable, overrides) == "keep"]
    return table.assign(is_photo=table.is_photo & ~table.path.isin(kept))


def analyse(
    statistics: pd.DataFrame, blocks: np.ndarray, seed: int = 0, settings: PhotoSettings = DEFAULTS
) -> Analysis:
    """Look for photographs in distinct images by their statistics and blocks, see :func:`find_photos`."""
    rows = autoencoder.normalise(autoencoder.draw_blocks(blocks, seed))
    model, losses = autoencoder.train(rows, seed)
    linear = autoencoder.fit_linear(rows)
    gains = autoencoder.measure_gains(blocks, model, linear)
    found = separate(statistics.to_numpy(float), gains, seed, settings)
    found.autoencoder, found.linear, found.losses = model, linear, tuple(losses)
    return found


def separate(
    statistics: np.ndarray, gains: np.ndarray, seed: int = 0, settings: PhotoSettings = DEFAULTS
) -> Analysis:
    """Photographs from illustrations, by the autoencoder's gains and the statistics.

    ``statistics`` are float (n, 6), in any units, ``gains`` float (n, blocks), from
    :func:`illus.photos.autoencoder.measure_gains`. The result lacks the two codes and the losses.
    """
    reaches, features = reaches_zero(gains, settings.significance), quantiles(gains)
    points = embed(features)
    cluster, gaps, eps = search_eps(points, reaches, settings.min_samples, settings.max_points, seed)
    proposed = name_photos(cluster, reaches)
    limits = settings.regularisation, settings.bandwidth, settings.min_photos
    rounds = judge_in_rounds(statistics, features, proposed, *limits, seed)
    score = choose_score(rounds, gains.mean(1), reaches, settings)
    is_photo, certain, verdict = choose_removed(score, reaches, settings)
    return Analysis(
        gains, reaches, points, gaps, eps, cluster, proposed, rounds, score, is_photo, certain, verdict
    )


def choose_score(
    rounds: list[np.ndarray], gain: np.ndarray, reaches: np.ndarray, settings: PhotoSettings = DEFAULTS
) -> np.ndarray:
    """The scores of the last round, if what it found are photographs; else the gains, of zero at most.

    They are photographs if they are ``settings.min_photos`` or more, and most of them reach zero. ``rounds``
    are from :func:`illus.photos.self_training.judge_in_rounds`; ``gain`` (mean gains), ``reaches`` (whether
    they reach zero) and the result have the shape (n,).
    """
    if rounds:
        found = rounds[-1] > 0
        if found.sum() >= settings.min_photos and reaches[found].mean() > 0.5:
            return rounds[-1]
    return np.minimum(gain, 0).astype(float)


def choose_removed(
    score: np.ndarray, reaches: np.ndarray, settings: PhotoSettings = DEFAULTS
) -> tuple[np.ndarray, bool, str]:
    """Who is removed, bool (n,), whether that could be decided, and why, in words.

    ``score`` is from :func:`choose_score`, ``reaches`` as there, both of shape (n,).
    """
    found, n = score > 0, len(score)
    decided = False
    if n < settings.min_images:
        verdict = (
            f"too few distinct images to decide without labels ({n} of the {settings.min_images} needed)"
        )
    elif reaches.mean() > settings.max_share:
        verdict = f"more than half of the {n:,} images look like photographs; they are not rare strangers"
    elif found.mean() > settings.max_share:
        limit = f"{settings.max_share:.0%}"
        verdict = f"{found.mean():.1%} of the {n:,} images look like photographs, more than {limit}"
    else:
        decided = True
        verdict = f"{found.sum():,} of {n:,} images are photographs"
        if not found.any():
            verdict = f"no photographs: no group of the {n:,} images looks like any"
    if not decided:
        return np.zeros(n, bool), False, f"{verdict}; nothing is removed"
    return found, True, verdict
