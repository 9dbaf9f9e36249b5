"""Votes and codes -> clusters: in few dimensions, by DBSCAN with ``eps`` from the k-distance knee.

In: arrays of features. Out: points, and the cluster of each; -1 for noise.
"""

import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

CODE_DIRECTIONS = 2  # of the autoencoder's numbers, beside the votes


def scale(features: np.ndarray) -> np.ndarray:
    """Features with their medians at 0 and their spreads at 1, clipped at 4 spreads; float (n, d)."""
    low, middle, high = np.percentile(features, [16, 50, 84], axis=0)
    return ((features - middle) / np.maximum(1e-3, (high - low) / 2)).clip(-4, 4)


def embed(ballots: np.ndarray, codes: np.ndarray, dimensions: int) -> np.ndarray:
    """Votes and the main directions of the autoencoder's numbers, in principal components.

    Parameters
    ----------
    ballots : numpy.ndarray
        float, shape (n, votes): from :func:`illus.files.photo_statistics.votes`.
    codes : numpy.ndarray
        float, shape (n, 36): from :func:`illus.photos.autoencoder.encode_images`. Its two main directions
        count, scaled so that the wider has a standard deviation of one vote.
    dimensions : int

    Returns
    -------
    numpy.ndarray
        float, shape (n, dimensions).
    """
    directions = principal_components(scale(codes), CODE_DIRECTIONS)
    directions /= max(1e-9, directions.std(0).max())
    return principal_components(np.hstack([ballots, directions]), dimensions)


def principal_components(features: np.ndarray, dimensions: int) -> np.ndarray:
    """Principal components; float (n, dimensions), zeros where nothing differs."""
    points = np.zeros((len(features), dimensions))
    if np.ptp(features, axis=0).any():
        found = PCA(min(dimensions, *features.shape), random_state=0).fit_transform(features)
        points[:, : found.shape[1]] = found
    return points


def find_clusters(
    points: np.ndarray, min_samples: int, max_points: int, eps_factor: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    """DBSCAN with ``eps`` from the knee of the k-distance curve, on at most ``max_points`` points.

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
    eps_factor : float, default 1.0
        ``eps`` as a multiple of the knee.
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
    eps = max(eps_factor * knee(gaps), 1e-6)
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
