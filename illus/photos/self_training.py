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
    """Log odds of each image, by a logistic regression on the pseudo-labels of the other half; float (n,)."""
    odds = np.zeros(len(label))
    for number in range(HALVINGS):
        half = halves(label, seed + number)
        for side in (0, 1):
            known = (half == side) & (label >= 0)  # -1: it is open
            model = make_pipeline(
                StandardScaler(),
                LogisticRegression(C=regularisation, class_weight="balanced", max_iter=3000),
            )
            model.fit(features[known], label[known])
            others = half != side  # so that a wrong pseudo-label can be outvoted
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
    """Where between -1 and 1 the density of scores, by a Gaussian kernel of ``bandwidth``, is lowest."""
    # A border there is the assumption of low-density separation (Chapelle and Zien 2005).
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

    The first round sees ``statistics``, float (n, s), alone, which had no say so far: so what the gains
    propose, ``photos``, bool (n,), has to be confirmed by other evidence (Blum and Mitchell 1998,
    *Co-training*). The others see ``features``, float (n, d), too. It ends when a decision comes back, when
    there are fewer than ``least`` images of either kind, or after ``ROUNDS``. ``regularisation`` is the C of
    logistic regressions, smaller is stronger; ``bandwidth`` is of the kernel that finds the threshold.

    The scores are float (n,): above 0 for photographs, the medians of the two kinds 2 apart. There are none
    if too few photographs were proposed.
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
