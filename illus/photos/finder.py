"""Catalog -> photos: which files are photographs among the drawings, without any label.

In: catalog and class folders. Out: photos.csv, one row per readable file. Six statistics vote, an autoencoder
trained on the collection's own patches describes each image, DBSCAN finds the groups, and the rest is decided
by a model that is fitted to them.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from illus.files.overrides import decided, print_applied
from illus.files.photo_statistics import votes
from illus.files.reading import kept_statistics
from illus.photos import autoencoder
from illus.photos.clusters import embed, find_clusters
from illus.photos.self_training import cross_judge, emptiest_place, standardise
from illus.photos.settings import DEFAULTS, PhotoSettings

COLUMNS = ["path", "score", "cluster", "is_photo"]


@dataclass
class Analysis:
    """Everything that :func:`analyse` found out, image by image."""

    ballots: np.ndarray  # float (n, 6), see photo_statistics.votes
    codes: np.ndarray  # float (n, 36), see autoencoder.encode_images
    points: np.ndarray  # float (n, 3), where DBSCAN looks
    gaps: np.ndarray  # k-distance curve, ascending
    eps: float
    cluster: np.ndarray  # int (n,), -1 for noise
    label: np.ndarray  # int (n,), what the clusters say: 1 photo, 0 illustration, -1 open
    odds: np.ndarray | None  # log odds (n,); None where there are too few pseudo-labels
    score: np.ndarray  # above 0 for a photograph, (n,)
    is_photo: np.ndarray  # bool (n,)
    decided: bool  # False: it could not be decided, and nothing is removed
    verdict: str
    autoencoder: keras.Model | None = None
    losses: tuple[float, ...] = ()  # of each training batch of the autoencoder

    @property
    def vote(self) -> np.ndarray:
        """Mean vote of each image, float (n,)."""
        return self.ballots.mean(1)


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

    No labels, no pretrained network, no truth: what is known beforehand are the levels of six
    statistics (:data:`illus.files.photo_statistics.LEVELS`). How many photographs there are, and where the
    border lies, is read off the collection itself.

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
        Folder for the statistics and patches of contents, see :mod:`illus.files.cache`.

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
    statistics, patches = kept_statistics(catalog.set_index("path").loc[images].reset_index(), folder, cache)
    found = analyse(statistics, patches, seed, settings)
    if not found.decided:
        warnings.warn(found.verdict, stacklevel=2)
    table = apply_keep_decisions(photos_table(files, found), catalog, overrides)
    table.attrs["verdict"] = found.verdict
    return table


def distinct_images(
    catalog: pd.DataFrame, duplicates: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """Readable files with the number of the image they show, and each image's best file.

    Returns
    -------
    files : pandas.DataFrame
        ``path``, ``image`` (int), sorted by path.
    images : pandas.Series
        Path of each image's file, by its number.
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
    statistics: pd.DataFrame, patches: np.ndarray, seed: int = 0, settings: PhotoSettings = DEFAULTS
) -> Analysis:
    """Look for photographs in distinct images; see :func:`find_photos`.

    Parameters
    ----------
    statistics : pandas.DataFrame
    patches : numpy.ndarray
        Both from :func:`illus.files.photo_statistics.photo_statistics`.
    seed : int, default 0
    settings : PhotoSettings, optional

    Returns
    -------
    Analysis
    """
    model, losses = autoencoder.train(patches, seed)
    codes = autoencoder.encode_images(model, patches)
    found = separate(votes(statistics), codes, seed, settings)
    found.autoencoder, found.losses = model, tuple(losses)
    return found


def separate(
    ballots: np.ndarray, codes: np.ndarray, seed: int = 0, settings: PhotoSettings = DEFAULTS
) -> Analysis:
    """Photographs from illustrations, by what the statistics vote and what the autoencoder says.

    Parameters
    ----------
    ballots : numpy.ndarray
        float, shape (n, 6), from :func:`illus.files.photo_statistics.votes`.
    codes : numpy.ndarray
        float, shape (n, 36), from :func:`illus.photos.autoencoder.encode_images`.
    seed : int, default 0
    settings : PhotoSettings, optional

    Returns
    -------
    Analysis
        Without autoencoder and losses.
    """
    vote = ballots.mean(1)
    points = embed(ballots, codes, settings.dimensions)
    cluster, gaps, eps = find_clusters(
        points, settings.min_samples, settings.max_points, settings.eps_factor, seed
    )
    label = name_clusters(cluster, vote, settings)
    odds, score = score_images(np.hstack([ballots, codes]), vote, label, seed, settings)
    is_photo, decided, verdict = choose_removed(score, label, vote, settings)
    return Analysis(
        ballots, codes, points, gaps, eps, cluster, label, odds, score, is_photo, decided, verdict
    )


def name_clusters(cluster: np.ndarray, vote: np.ndarray, settings: PhotoSettings = DEFAULTS) -> np.ndarray:
    """Pseudo-labels: what the clusters' median votes say of their images.

    Noise is open. Where no cluster is of a kind, because its images are too few to be dense, noise that votes
    as clearly stands in for one.

    Parameters
    ----------
    cluster : numpy.ndarray
        int, shape (n,), -1 for noise.
    vote : numpy.ndarray
        float, shape (n,), mean votes.
    settings : PhotoSettings, optional

    Returns
    -------
    numpy.ndarray
        int, shape (n,): 1 photo, 0 illustration, -1 open.
    """
    middle = pd.Series(vote).groupby(cluster).transform("median").to_numpy()
    label = np.full(len(cluster), -1)
    label[(cluster >= 0) & (middle > settings.photo_vote)] = 1
    label[(cluster >= 0) & (middle < settings.illustration_vote)] = 0
    if not (label == 1).any():
        label[(cluster < 0) & (vote > settings.photo_vote)] = 1
    if not (label == 0).any():
        label[(cluster < 0) & (vote < settings.illustration_vote)] = 0
    return label


def score_images(
    features: np.ndarray,
    vote: np.ndarray,
    label: np.ndarray,
    seed: int = 0,
    settings: PhotoSettings = DEFAULTS,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Log odds by self-training, and scores that are above 0 for photographs.

    A score is the mean of vote and log odds, each in units in which the medians of the two kinds lie at -1
    and 1, less the emptiest place between them. With fewer than ``settings.min_pseudo_labels`` of a kind no
    model is fitted, and the pseudo-labels are the answer.

    Parameters
    ----------
    features : numpy.ndarray
        float, shape (n, d), of the model.
    vote, label : numpy.ndarray
        shape (n,): mean votes, and pseudo-labels from :func:`name_clusters`.
    seed : int, default 0
    settings : PhotoSettings, optional

    Returns
    -------
    odds : numpy.ndarray or None
        float, shape (n,).
    score : numpy.ndarray
        float, shape (n,).
    """
    if min((label == 0).sum(), (label == 1).sum()) < settings.min_pseudo_labels:
        beyond = vote - settings.photo_vote
        return None, np.where(label == 1, np.maximum(beyond, 0.01), np.minimum(beyond, 0.0))
    odds = cross_judge(features, label, settings.regularisation, seed)
    score = (standardise(vote, label) + standardise(odds, label)) / 2
    return odds, score - emptiest_place(score, settings.bandwidth)


def choose_removed(
    score: np.ndarray, label: np.ndarray, vote: np.ndarray, settings: PhotoSettings = DEFAULTS
) -> tuple[np.ndarray, bool, str]:
    """Who is removed, whether that could be decided, and why, in words.

    Parameters
    ----------
    score, label, vote : numpy.ndarray
        shape (n,), see :func:`score_images`.
    settings : PhotoSettings, optional

    Returns
    -------
    is_photo : numpy.ndarray
        bool, shape (n,).
    decided : bool
    verdict : str
    """
    found, n = score > 0, len(score)
    decided = False
    if n < settings.min_images:
        verdict = (
            f"too few distinct images to decide without labels ({n} of the {settings.min_images} needed)"
        )
    elif np.median(vote) >= 0:
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
