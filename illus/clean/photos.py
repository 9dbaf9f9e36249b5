"""Catalog -> photos: which files are photographs among the drawings, without any label.

In: catalog and class folders. Out: photos.csv, one row per readable file. Statistics vote, an
autoencoder and DBSCAN give pseudo-labels, and a network trained on these decides the rest.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from illus.clean import autoencoder
from illus.clean.clusters import find_clusters, reduce
from illus.clean.mixture import Separation, fit_mixture
from illus.clean.photo_statistics import photo_statistics, votes
from illus.clean.self_training import cross_judge

COLUMNS = ["path", "score", "cluster", "is_photo"]


@dataclass(frozen=True)
class PhotoSettings:
    """Every threshold of the photo filter.

    Those without another origin were chosen on emoji20 built with seed 1 and on clip art with website photos
    that is not part of the repository; no committed script shows that choice.
    """

    min_images: int = 50  # distinct images below which no distribution is fitted; by looking
    max_share: float = 0.5  # a larger share is not removed: then photos are not the rare strangers
    dimensions: int = 2  # that DBSCAN sees, so that its points can be shown; by looking
    max_points: int = 4000  # that DBSCAN clusters, so that memory stays bounded
    min_samples: int = 20  # of DBSCAN; by looking
    margin: float = 0.15  # distance from the threshold from which an image is a pseudo-label; by looking
    rounds: int = 3  # of self-training; by looking
    min_pseudo_labels: int = 10  # of either kind, below which there is no self-training; by looking
    min_steps: int = 50  # batches that a network is trained with; by looking
    max_steps: int = 300  # likewise, for large sets: more gained nothing; by looking
    network_weight: float = 0.4  # of the network's log odds, beside the mean vote; by looking


DEFAULTS = PhotoSettings()


@dataclass
class Analysis:
    """Everything that :func:`analyse` found out, image by image."""

    statistics: pd.DataFrame
    votes: np.ndarray  # mean vote, (n,)
    first: Separation | None  # of the mean votes
    autoencoder: keras.Model | None
    losses: list
    errors: np.ndarray  # what the autoencoder got wrong, (n, 4), see illus.clean.autoencoder.error_statistics
    points: np.ndarray  # (n, 2), where DBSCAN looks
    gaps: np.ndarray  # k-distance curve, ascending
    eps: float
    cluster: np.ndarray  # int (n,), -1 for noise
    rounds: list  # evidence (n,) after each round of self-training
    final: Separation | None
    score: np.ndarray  # evidence less the threshold; above 0 for a photograph
    is_photo: np.ndarray  # bool (n,)
    verdict: str


def find_photos(
    catalog: pd.DataFrame,
    folder: str | Path,
    seed: int = 0,
    duplicates: pd.DataFrame | None = None,
    settings: PhotoSettings = DEFAULTS,
) -> pd.DataFrame:
    """Find the photographs in a collection of drawings.

    No labels, no pretrained network, no truth: what is known beforehand are the levels of seven
    statistics (:data:`illus.clean.photo_statistics.VOTES`). How many photographs there are, and where the
    border lies, is read off the collection itself.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.data.catalog.scan`, in any order; rows with an error are left out.
    folder : str or Path
        What its paths are relative to.
    seed : int, default 0
    duplicates : pandas.DataFrame, optional
        ``path``, ``copy_of``: copies get what their best copy gets, and do not count. Without it
        files with the same bytes are copies.
    settings : PhotoSettings, optional

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
    statistics, thumbnails = photo_statistics([Path(folder, path) for path in images])
    found = analyse(statistics, thumbnails, seed, settings)
    table = photos_table(files, found)
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


def analyse(
    statistics: pd.DataFrame, thumbnails: np.ndarray, seed: int = 0, settings: PhotoSettings = DEFAULTS
) -> Analysis:
    """Look for photographs in distinct images; see :func:`find_photos`.

    Parameters
    ----------
    statistics : pandas.DataFrame
    thumbnails : numpy.ndarray
        Both from :func:`illus.clean.photo_statistics.photo_statistics`.
    seed : int, default 0
    settings : PhotoSettings, optional

    Returns
    -------
    Analysis
    """
    ballots = votes(statistics)
    mean = ballots.mean(1)
    first = fit_mixture(mean) if len(mean) >= settings.min_images else None
    model, losses = autoencoder.train(thumbnails, seed)
    errors = autoencoder.reconstruction_errors(model, thumbnails)
    points = reduce(np.hstack([ballots, errors]), settings.dimensions)
    cluster, gaps, eps = find_clusters(points, settings.min_samples, settings.max_points, seed)
    rounds: list[np.ndarray] = []
    final = first
    if first and np.median(mean) < 0:
        rounds, final = self_train(thumbnails, model, mean, first, cluster, seed, settings)
    evidence = rounds[-1] if rounds else mean
    score = (evidence - (final.threshold if final else 0)).round(4)
    is_photo, verdict = choose_removed(score, final, mean, settings)
    return Analysis(
        statistics,
        mean,
        first,
        model,
        losses,
        errors,
        points,
        gaps,
        eps,
        cluster,
        rounds,
        final,
        score,
        is_photo,
        verdict,
    )


def name_clusters(cluster: np.ndarray, evidence: np.ndarray, threshold: float) -> np.ndarray:
    """Images whose cluster does not contradict them.

    A cluster is of photographs if its median image is above the threshold, of drawings otherwise.
    Noise belongs to no cluster, and nothing contradicts it.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).
    """
    middle = pd.Series(evidence).groupby(cluster).transform("median").to_numpy()
    return (cluster < 0) | ((middle > threshold) == (evidence > threshold))


def self_train(
    thumbnails: np.ndarray,
    model: keras.Model | None,
    mean: np.ndarray,
    first: Separation,
    cluster: np.ndarray,
    seed: int,
    settings: PhotoSettings = DEFAULTS,
) -> tuple[list[np.ndarray], Separation]:
    """Self-training: images that surely are one or the other are pseudo-labels for a network that judges all.

    Each image is judged by a network that was not trained with it (two folds), so that a wrong
    pseudo-label can be outvoted. Votes and network look at different things, and their sum decides
    better than either: co-training (Blum and Mitchell 1998).

    Returns
    -------
    rounds : list of numpy.ndarray
        Evidence after each round, float (n,): mean vote plus the networks' weighted mean log odds.
    final : Separation
        Of the last evidence; the one before, where a round finds no second kind.
    """
    evidence, final, rounds, judgements = mean, first, [], []
    steps = settings.min_steps, settings.max_steps
    for number in range(settings.rounds):
        is_photo = evidence > final.threshold
        sure = (np.abs(evidence - final.threshold) > settings.margin) & name_clusters(
            cluster, evidence, final.threshold
        )
        if min((is_photo & sure).sum(), (~is_photo & sure).sum()) < settings.min_pseudo_labels:
            break
        judgements.append(cross_judge(thumbnails, model, is_photo, sure, seed + number, *steps))
        evidence = mean + settings.network_weight * np.mean(judgements, 0)
        again = fit_mixture(evidence)
        if again is None:
            break
        final = again
        rounds.append(evidence)
    return rounds, final


def choose_removed(
    score: np.ndarray, final: Separation | None, mean: np.ndarray, settings: PhotoSettings = DEFAULTS
) -> tuple[np.ndarray, str]:
    """Who is removed, and why, in words.

    Returns
    -------
    is_photo : numpy.ndarray
        bool, shape (n,).
    verdict : str
    """
    none = np.zeros(len(score), bool)
    if len(score) < settings.min_images:
        verdict = (
            f"too few distinct images to decide without labels ({len(score)} of the {settings.min_images} "
            "needed); nothing is removed"
        )
    elif np.median(mean) >= 0:
        verdict = (
            f"more than half of the {len(score):,} images look like photographs; they are not "
            "rare strangers, so nothing is removed"
        )
    elif final is None:
        return none, f"no photographs: the scores of {len(score):,} images are of one kind"
    elif (score > 0).mean() > settings.max_share:
        share = (score > 0).mean()
        verdict = (
            f"{share:.0%} of the images would be removed, more than {settings.max_share:.0%}; nothing is"
        )
    else:
        return score > 0, f"{(score > 0).sum():,} of {len(score):,} images are photographs"
    warnings.warn(verdict, stacklevel=4)
    return none, verdict
