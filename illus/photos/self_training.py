"""Pseudo-labels -> the log odds of every image, and the threshold where fewest images lie.

In: features, and what the clusters say: 1 photo, 0 illustration, -1 open. Out: scores and a threshold.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HALVINGS = 2  # that log odds are averaged over
PLACES = np.linspace(-1, 1, 201)  # where a threshold can lie, between the medians of the two kinds
BIN_EDGES = np.linspace(-3, 3, 401)  # of the scores


def cross_judge(features: np.ndarray, label: np.ndarray, regularisation: float, seed: int = 0) -> np.ndarray:
    """Log odds of each image, by a logistic regression on the pseudo-labels of the other half.

    So a wrong pseudo-label can be outvoted: the model that judges an image was not fitted to it.

    Parameters
    ----------
    features : numpy.ndarray
        float, shape (n, d).
    label : numpy.ndarray
        int, shape (n,): 1, 0, or -1 where it is open; at least two of either kind.
    regularisation : float
        C of the logistic regression: smaller is stronger.
    seed : int, default 0
        Draws the halves.

    Returns
    -------
    numpy.ndarray
        float, shape (n,).
    """
    odds = np.zeros(len(label))
    for number in range(HALVINGS):
        half = halves(label, seed + number)
        for side in (0, 1):
            known = (half == side) & (label >= 0)
            model = make_pipeline(
                StandardScaler(),
                LogisticRegression(C=regularisation, class_weight="balanced", max_iter=3000),
            )
            model.fit(features[known], label[known])
            others = half != side
            odds[others] += model.decision_function(features[others]) / HALVINGS
    return odds


def halves(label: np.ndarray, seed: int) -> np.ndarray:
    """A random half of each kind; int (n,), 0 or 1. So neither half lacks pseudo-labels."""
    order = np.random.default_rng(seed).permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    half = np.empty(len(label), int)
    half[order] = np.arange(len(label)) % 2
    return half


def standardise(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Values in units in which the median illustration lies at -1 and the median photo at 1; float (n,)."""
    low, high = np.median(values[label == 0]), np.median(values[label == 1])
    return (2 * values - low - high) / (high - low)


def emptiest_place(score: np.ndarray, bandwidth: float) -> float:
    """Where between -1 and 1 the density of scores is lowest.

    The clusters' medians lie at -1 and 1 (:func:`standardise`); a border through the emptiest place between
    two clusters is the assumption of low-density separation (Chapelle and Zien 2005).

    Parameters
    ----------
    score : numpy.ndarray
        float, shape (n,).
    bandwidth : float
        Standard deviation of the Gaussian kernel.
    """
    counts = np.histogram(score, BIN_EDGES)[0]
    middles = (BIN_EDGES[1:] + BIN_EDGES[:-1]) / 2
    kernel = np.exp(-(((PLACES[:, None] - middles) / bandwidth) ** 2) / 2)
    return float(PLACES[(kernel @ counts).argmin()])
