"""Features -> clusters: scaled, in a few dimensions, by DBSCAN with ``eps`` from the k-distance knee.

In: an array of features. Out: points, and the cluster of each; -1 for noise.
"""

import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors


def scale(features: np.ndarray) -> np.ndarray:
    """Features with their medians at 0 and their spreads at 1, clipped at 4 spreads; float (n, d)."""
    low, middle, high = np.percentile(features, [16, 50, 84], axis=0)
    return ((features - middle) / np.maximum(1e-3, (high - low) / 2)).clip(-4, 4)


def reduce(features: np.ndarray, dimensions: int) -> np.ndarray:
    """Scaled features in principal components; float (n, dimensions), zeros where nothing differs."""
    scaled = scale(features)
    if not np.ptp(scaled, axis=0).any():
        return np.zeros((len(features), dimensions))
    return PCA(dimensions, random_state=0).fit_transform(scaled)


def find_clusters(
    points: np.ndarray, min_samples: int, max_points: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    """DBSCAN with ``eps`` at the knee of the k-distance curve, on at most ``max_points`` points.

    The rest join the cluster of their nearest core point within ``eps``. So memory does not grow
    with the square of the points, and what counts as dense does not depend on how many there are.
    DBSCAN after Ester et al. 1996; knee after Satopää et al. 2011, *Finding a "kneedle" in a haystack*.

    Parameters
    ----------
    points : numpy.ndarray
        float, shape (n, d).
    min_samples : int
        Points within ``eps`` that make a point dense, itself counted.
    max_points : int
        Drawn at random where there are more.
    seed : int, default 0
        Draws the points.

    Returns
    -------
    cluster : numpy.ndarray
        int, shape (n,); 0 is the largest, -1 is noise.
    gaps : numpy.ndarray
        float, shape (at most max_points,): from :func:`k_distances`.
    eps : float
    """
    drawn = points[np.random.default_rng(seed).permutation(len(points))[:max_points]]
    gaps = k_distances(drawn, min_samples)
    eps = max(knee(gaps), 1e-6)
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(drawn)
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


def knee(ascending: np.ndarray) -> float:
    """The value where an ascending curve lies farthest below the line between its ends."""
    span = ascending[-1] - ascending[0]
    if span == 0:
        return float(ascending[-1])
    line = np.linspace(0, 1, len(ascending))
    return float(ascending[np.argmax(line - (ascending - ascending[0]) / span)])
