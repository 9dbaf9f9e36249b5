"""Pseudo-labels -> scores: rounds in which a model judges the images that it was not fitted to.

In: statistics, quantiles of the gains, and whom the clusters take for photographs. Out: the score of every
image, above 0 for photographs.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROUNDS = 16  # after which no agreement is waited for
HALVINGS = 2  # that log odds are averaged over
PLACES = np.linspace(-1, 1, 201)  # where a threshold can lie, between the medians of the two kinds
BIN_EDGES = np.linspace(-3, 3, 401)  # of the scores


def cross_judge(features: np.ndarray, label: np.ndarray, regularisation: float, seed: int = 0) -> np.ndarray:
    """Log odds of each image, by a logistic regression on the pseudo-labels of the other half; float (n,).

    So a wrong pseudo-label can be outvoted: the model that judges an image was not fitted to it.
    ``features`` are float (n, d), ``label`` 1 photo, 0 illustration, or -1 where it is open, with at
    least two of either kind; ``regularisation`` is the C of the regression, smaller is stronger; ``seed``
    draws the halves.
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
    """Where between -1 and 1 the density of scores, by a Gaussian kernel of ``bandwidth``, is lowest.

    The clusters' medians lie at -1 and 1 (:func:`standardise`); a border through the emptiest place
    between two clusters is the assumption of low-density separation (Chapelle and Zien 2005).
    """
    counts = np.histogram(score, BIN_EDGES)[0]
    middles = (BIN_EDGES[1:] + BIN_EDGES[:-1]) / 2
    kernel = np.exp(-(((PLACES[:, None] - middles) / bandwidth) ** 2) / 2)
    return float(PLACES[(kernel @ counts).argmin()])


def judge_in_rounds(
    statistics: np.ndarray,
    features: np.ndarray,
    photos: np.ndarray,
    regularisation: float,
    bandwidth: float,
    least: int,
    seed: int = 0,
) -> list[np.ndarray]:
    """Scores of each round: what a round takes for photographs is what the next one learns from.

    The first round sees the statistics alone, which had no say so far: so what the gains propose has to be
    confirmed by other evidence (Blum and Mitchell 1998, *Co-training*). The others see both. It ends when a
    decision comes back, or when too few photographs are left.

    Parameters
    ----------
    statistics, features : numpy.ndarray
        float, shapes (n, s) and (n, d): evidence of the first round, and what is added to it.
    photos : numpy.ndarray
        bool, shape (n,), from :func:`illus.photos.clusters.name_photos`.
    regularisation, bandwidth : float
        See :func:`cross_judge` and :func:`emptiest_place`.
    least : int
        Images of either kind below which no model is fitted.
    seed : int, default 0

    Returns
    -------
    list of numpy.ndarray
        float, shape (n,), a round each; above 0 for photographs, the medians of the two kinds 2 apart. Empty
        if too few were proposed.
    """
    scores, decisions = [], [photos]
    evidence = statistics
    for number in range(ROUNDS):
        label = decisions[-1].astype(int)
        if np.bincount(label, minlength=2).min() < least:
            break
        odds = standardise(cross_judge(evidence, label, regularisation, seed + HALVINGS * number), label)
        scores.append(odds - emptiest_place(odds, bandwidth))
        decision = scores[-1] > 0
        if number and any((decision == earlier).all() for earlier in decisions):
            break
        decisions.append(decision)
        evidence = np.hstack([statistics, features])
    return scores
