"""Catalog -> photos: which files are photographs among the drawings, without any label.

In: catalog and class folders. Out: photos.csv, one row per readable file. Statistics vote, an
autoencoder and DBSCAN say who is surely what, and a network taught by these decides the rest.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from illus.clean import autoencoder
from illus.clean.mixture import Separation, fit_mixture
from illus.clean.photo_statistics import photo_statistics, votes

COLUMNS = ["path", "score", "cluster", "is_photo"]
FEWEST = 50  # images below which no distribution is fitted
MOST = 0.5  # a larger share of photographs is not removed
DIMENSIONS, SAMPLE, MIN_SAMPLES = 2, 4000, 20
SURE = 0.15  # distance from the threshold from which an image may teach
ROUNDS, MIN_PSEUDO_LABELS = 3, 10
FEWEST_STEPS, MOST_STEPS = 50, 300  # batches that a network is taught with
WEIGHT = 0.4  # of the network's log odds, beside the mean vote


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
    rounds: list  # evidence (n,) after each round of teaching
    final: Separation | None
    score: np.ndarray  # evidence less the threshold; above 0 for a photograph
    is_photo: np.ndarray  # bool (n,)
    verdict: str


def find_photos(catalog, folder, seed=0, duplicates=None, most=MOST):
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
    most : float, default 0.5
        More than this share of the distinct images is not removed.

    Returns
    -------
    pandas.DataFrame
        One row per readable file, sorted by path: ``path``; ``score`` (float, higher is more
        photographic); ``cluster`` (int, of DBSCAN, -1 for none); ``is_photo`` (bool).
        ``attrs["verdict"]`` says in words what was decided.

    Warns
    -----
    UserWarning
        It cannot be decided (fewer than 50 distinct images), or more than ``most`` would be
        removed; nothing is.

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
    found = analyse(*photo_statistics([Path(folder, path) for path in images]), seed, most)
    table = photos_table(files, found)
    table.attrs["verdict"] = found.verdict
    return table


def distinct_images(catalog, duplicates=None):
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


def photos_table(files, found):
    """The table that :func:`find_photos` returns."""
    return pd.DataFrame(
        {
            "path": files.path,
            "score": found.score.round(4)[files.image],
            "cluster": found.cluster[files.image],
            "is_photo": found.is_photo[files.image],
        }
    )


def analyse(statistics, thumbnails, seed=0, most=MOST):
    """Look for photographs in distinct images; see :func:`find_photos`.

    Parameters
    ----------
    statistics : pandas.DataFrame
    thumbnails : numpy.ndarray
        Both from :func:`illus.clean.photo_statistics.photo_statistics`.
    seed : int, default 0
    most : float, default 0.5

    Returns
    -------
    Analysis
    """
    ballots = votes(statistics)
    mean = ballots.mean(1)
    first = fit_mixture(mean) if len(mean) >= FEWEST else None
    model, losses = autoencoder.train(thumbnails, seed)
    errors = autoencoder.reconstruction_errors(model, thumbnails)
    points = reduce(np.hstack([ballots, errors]))
    cluster, gaps, eps = find_clusters(points, seed)
    rounds, final = [], first
    if first and np.median(mean) < 0:
        rounds, final = self_train(thumbnails, model, mean, first, cluster, seed)
    evidence = rounds[-1] if rounds else mean
    score = (evidence - (final.threshold if final else 0)).round(4)
    is_photo, verdict = choose_removed(score, final, mean, most)
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


def scale(features):
    """Features with their medians at 0 and their spreads at 1, clipped at 4 spreads; float (n, d)."""
    low, middle, high = np.percentile(features, [16, 50, 84], axis=0)
    return ((features - middle) / np.maximum(1e-3, (high - low) / 2)).clip(-4, 4)


def reduce(features):
    """Scaled features in two principal components; float (n, 2), zeros where nothing differs."""
    scaled = scale(features)
    if not np.ptp(scaled, axis=0).any():
        return np.zeros((len(features), DIMENSIONS))
    return PCA(DIMENSIONS, random_state=0).fit_transform(scaled)


def find_clusters(points, seed=0):
    """DBSCAN with ``eps`` at the knee of the k-distance curve, on at most 4,000 points.

    The rest join the cluster of their nearest core point within ``eps``. So memory does not grow
    with the square of the points, and what counts as dense does not depend on how many there are.
    DBSCAN after Ester et al. 1996; knee after Satopää et al. 2011, *Finding a "kneedle" in a haystack*.

    Parameters
    ----------
    points : numpy.ndarray
        float, shape (n, d).
    seed : int, default 0
        Draws the points.

    Returns
    -------
    cluster : numpy.ndarray
        int, shape (n,); 0 is the largest, -1 is noise.
    gaps : numpy.ndarray
        float, shape (at most 4,000,): from :func:`k_distances`.
    eps : float
    """
    drawn = points[np.random.default_rng(seed).permutation(len(points))[:SAMPLE]]
    gaps = k_distances(drawn, MIN_SAMPLES)
    eps = max(float(knee(gaps)), 1e-6)
    model = DBSCAN(eps=eps, min_samples=MIN_SAMPLES).fit(drawn)
    cluster = np.full(len(points), -1)
    if len(model.components_):
        labels = model.labels_[model.core_sample_indices_]
        rank = np.argsort(np.argsort(-np.bincount(labels), kind="stable"))
        distance, nearest = NearestNeighbors(n_neighbors=1).fit(model.components_).kneighbors(points)
        cluster = np.where(distance[:, 0] <= eps, rank[labels[nearest[:, 0]]], -1)
    return cluster, gaps, eps


def k_distances(points: np.ndarray, min_samples: int) -> np.ndarray:
    """Radius of each point within which there are ``min_samples`` points, itself counted; ascending.

    DBSCAN counts like this too: with ``eps`` from here a point is dense if its own distance is not above it.

    Examples
    --------
    >>> k_distances(np.array([[0.0], [1.0], [3.0]]), 2).tolist()
    [1.0, 1.0, 2.0]
    """
    count = min(min_samples, len(points))
    return np.sort(NearestNeighbors(n_neighbors=count).fit(points).kneighbors(points)[0][:, -1])


def knee(ascending):
    """The value where an ascending curve lies farthest below the line between its ends."""
    span = ascending[-1] - ascending[0]
    if span == 0:
        return ascending[-1]
    line = np.linspace(0, 1, len(ascending))
    return ascending[np.argmax(line - (ascending - ascending[0]) / span)]


def name_clusters(cluster, evidence, threshold):
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


def self_train(thumbnails, model, mean, first, cluster, seed):
    """Self-training: images that are surely one or the other teach a network, which judges all.

    Each image is judged by a network that was not taught with it (two folds), so that a wrong
    teacher can be outvoted. Votes and network look at different things, and their sum decides
    better than either: co-training (Blum and Mitchell 1998).

    Returns
    -------
    rounds : list of numpy.ndarray
        Evidence after each round, float (n,): mean vote plus 0.4 of the networks' mean log odds.
    final : Separation
        Of the last evidence; the one before, where a round finds no second kind.
    """
    evidence, final, rounds, judgements = mean, first, [], []
    for number in range(ROUNDS):
        is_photo = evidence > final.threshold
        sure = (np.abs(evidence - final.threshold) > SURE) & name_clusters(cluster, evidence, final.threshold)
        if min((is_photo & sure).sum(), (~is_photo & sure).sum()) < MIN_PSEUDO_LABELS:
            break
        judgements.append(cross_judge(thumbnails, model, is_photo, sure, seed + number))
        evidence = mean + WEIGHT * np.mean(judgements, 0)
        again = fit_mixture(evidence)
        if again is None:
            break
        final = again
        rounds.append(evidence)
    return rounds, final


def cross_judge(thumbnails, model, is_photo, sure, seed):
    """Log odds of each image by a network taught with sure images of the other half; float (n,)."""
    half = halves(sure * (1 + is_photo), seed)
    odds = np.empty(len(thumbnails))
    steps = int(np.clip(len(thumbnails) // 4, FEWEST_STEPS, MOST_STEPS))
    for side in (0, 1):
        teachers = [np.flatnonzero(sure & (half == side) & (is_photo == kind)) for kind in (False, True)]
        judge = classifier(model, steps, seed)
        judge.fit(PseudoLabelBatches(thumbnails, teachers, steps, seed), shuffle=False, verbose=0)
        others = half != side
        odds[others] = autoencoder.apply(judge, thumbnails[others])[:, 0]
    return odds


def halves(kinds, seed):
    """A random half of each kind; int (n,), 0 or 1. So neither half lacks teachers."""
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(kinds[order], kind="stable")]
    half = np.empty(len(kinds), int)
    half[order] = np.arange(len(kinds)) % 2
    return half


def classifier(model, steps, seed):
    """The autoencoder's encoder, copied, with a head for one log odds."""
    keras.utils.set_random_seed(seed)
    encoder = keras.Model(model.input, model.get_layer("code").input)
    copied = keras.models.clone_model(encoder)
    copied.set_weights(encoder.get_weights())
    x = layers.Conv2D(48, 3, padding="same", use_bias=False, name="judge_convolution")(copied.output)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    network = keras.Model(copied.input, layers.Dense(1, name="odds")(layers.Dropout(0.3)(x)), name="judge")
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02)
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    network.compile(keras.optimizers.AdamW(schedule), loss, jit_compile=False)
    return network


class PseudoLabelBatches(keras.utils.PyDataset):
    """Batches of 72 sure drawings and 24 sure photographs, half of them mirrored, a third upside down."""

    def __init__(self, thumbnails, teachers, steps, seed):
        super().__init__()
        self.thumbnails, self.teachers, self.steps, self.seed = thumbnails, teachers, steps, seed

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        rng = np.random.default_rng([self.seed, step])
        rows = [rng.choice(kind, size) for kind, size in zip(self.teachers, (72, 24), strict=True)]
        batch = self.thumbnails[np.concatenate(rows)]
        batch[::2] = batch[::2, :, ::-1]
        batch[::3] = batch[::3, ::-1]
        return batch, np.repeat(np.float32([0, 1]), [72, 24])[:, None]


def choose_removed(score, final, mean, most):
    """Who is removed, and why, in words.

    Returns
    -------
    is_photo : numpy.ndarray
        bool, shape (n,).
    verdict : str
    """
    none = np.zeros(len(score), bool)
    if len(score) < FEWEST:
        verdict = (
            f"too few distinct images to decide without labels ({len(score)} of the {FEWEST} "
            "needed); nothing is removed"
        )
    elif np.median(mean) >= 0:
        verdict = (
            f"more than half of the {len(score):,} images look like photographs; they are not "
            "rare strangers, so nothing is removed"
        )
    elif final is None:
        return none, f"no photographs: the scores of {len(score):,} images are of one kind"
    elif (score > 0).mean() > most:
        verdict = f"{(score > 0).mean():.0%} of the images would be removed, more than {most:.0%}; nothing is"
    else:
        return score > 0, f"{(score > 0).sum():,} of {len(score):,} images are photographs"
    warnings.warn(verdict, stacklevel=4)
    return none, verdict
