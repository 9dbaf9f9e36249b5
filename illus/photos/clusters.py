"""Gains -> clusters: quantiles in the plane, DBSCAN with ``eps`` from the k-distance knee, and their names.

In: the gains of each image's blocks. Out: points, the cluster of each, -1 for noise, and which of them are
taken for photographs: those whose gain reaches zero.
"""

import numpy as np
from scipy.stats import norm
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

QUANTILES = (10, 25, 50, 75, 90)  # per cent
DIMENSIONS = 2  # that DBSCAN sees: they hold nearly all that differs between quantiles
EPS_FACTORS = np.arange(12, 2, -1) / 10  # of the knee, at which eps is tried


def quantiles(gains: np.ndarray) -> np.ndarray:
    """Quantiles of the gains of each image's blocks; float (n, 5)."""
    return np.percentile(gains, QUANTILES, axis=1).T


def reaches_zero(gains: np.ndarray, significance: float) -> np.ndarray:
    """Whether the mean gain of an image cannot be told from zero, or lies above it; bool (n,).

    A one-sided test by the spread of the image's own blocks: of a photograph an autoencoder can say no more
    than a linear code can. ``gains`` are float (n, blocks); ``significance`` is the chance at which a gain of
    zero would be taken for less.
    """
    error = gains.std(1) / np.sqrt(gains.shape[1])
    return gains.mean(1) > norm.ppf(significance) * error


def embed(features: np.ndarray) -> np.ndarray:
    """Principal components, not rescaled; float (n, 2), zeros where nothing differs."""
    points = np.zeros((len(features), DIMENSIONS))
    if np.ptp(features, axis=0).any():
        found = PCA(min(DIMENSIONS, *features.shape), random_state=0).fit_transform(features)
        points[:, : found.shape[1]] = found
    return points


def draw_points(points: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """At most so many points, at random."""
    return points[np.random.default_rng(seed).permutation(len(points))[:most]]


def find_clusters(points: np.ndarray, drawn: np.ndarray, eps: float, min_samples: int) -> np.ndarray:
    """DBSCAN of drawn points (Ester et al. 1996); all others join the nearest core point within ``eps``.

    So memory does not grow with the square of the points. ``points`` are float (n, d), ``drawn`` those of
    them that are clustered, from :func:`draw_points`; ``min_samples`` counts the point itself. int (n,):
    0 is the largest cluster, -1 is noise.
    """
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(drawn)
    if not len(model.components_):
        return np.full(len(points), -1)
    labels = model.labels_[model.core_sample_indices_]
    rank = np.argsort(np.argsort(-np.bincount(labels), kind="stable"))
    distance, nearest = NearestNeighbors(n_neighbors=1).fit(model.components_).kneighbors(points)
    return np.where(distance[:, 0] <= eps, rank[labels[nearest[:, 0]]], -1)


def name_photos(cluster: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Images that are taken for photographs: members of clusters in which most reach zero; bool (n,).

    Not of the largest one: photographs are the minority, which is all that is presupposed. Noise speaks for
    itself, because photographs that are too few to be dense are noise. ``cluster`` is int (n,), from
    :func:`find_clusters`, ``reaches`` bool (n,), from :func:`reaches_zero`.
    """
    photos = (cluster < 0) & reaches
    for number in range(1, cluster.max() + 1):
        photos |= (cluster == number) & (reaches[cluster == number].mean() > 0.5)
    return photos


def search_eps(
    points: np.ndarray, reaches: np.ndarray, min_samples: int, most: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    """Clusters at the ``eps`` at which most images are taken for photographs.

    ``eps`` is tried at multiples of the knee of the k-distances, from above: where it is too large
    photographs merge with drawings, where it is too small both fall apart into noise. ``points`` are float
    (n, d), of which DBSCAN clusters at most ``most``, drawn by ``seed``; ``reaches`` is from
    :func:`reaches_zero`. Returns what :func:`find_clusters` does, the :func:`k_distances` of the points
    drawn, and ``eps``.
    """
    drawn = draw_points(points, most, seed)
    gaps = k_distances(drawn, min_samples)
    tried = np.maximum(EPS_FACTORS * knee(gaps), 1e-6)
    clusters = [find_clusters(points, drawn, eps, min_samples) for eps in tried]
    best = int(np.argmax([name_photos(cluster, reaches).sum() for cluster in clusters]))
    return clusters[best], gaps, float(tried[best])


def k_distances(points: np.ndarray, min_samples: int) -> np.ndarray:
    """Radius of each point within which there are ``min_samples`` points, itself counted; ascending.

    DBSCAN counts like this too: with ``eps`` from here a point is dense if its own distance is not above it.

    >>> k_distances(np.array([[0.0], [1.0], [3.0]]), 2).tolist()
    [1.0, 1.0, 2.0]
    """
    count = min(min_samples, len(points))
    return np.sort(NearestNeighbors(n_neighbors=count).fit(points).kneighbors(points)[0][:, -1])


def knee(ascending: np.ndarray) -> float:
    """The value where an ascending curve lies farthest below the line between its ends.

    After Satopää et al. 2011, *Finding a "kneedle" in a haystack*.
    """
    span = ascending[-1] - ascending[0]
    if span == 0:
        return float(ascending[-1])
    line = np.linspace(0, 1, len(ascending))
    return float(ascending[np.argmax(line - (ascending - ascending[0]) / span)])
