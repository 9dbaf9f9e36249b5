"""How far predicted probabilities can be trusted: negative log-likelihood and calibration error.

In: probabilities and true classes. Out: two numbers, and the curve of a reliability diagram.
"""

import numpy as np
import pandas as pd

SMALLEST = 1e-12  # a probability, so that its logarithm is finite


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of minus the natural logarithm of the true class's probability.

    ``probabilities`` are float, shape (n, k), rows sum to 1; ``labels`` int, shape (n,), their columns.
    """
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, SMALLEST), dtype=np.float64).mean())


def calibration_error(probability: np.ndarray, right: np.ndarray, bins: int) -> tuple[pd.DataFrame, float]:
    """How often predictions of a given probability are right, in bins of equally many images.

    Parameters
    ----------
    probability, right : numpy.ndarray
        Shape (n,): float, of the predicted class, and bool, whether it is the true one.
    bins : int

    Returns
    -------
    curve : pandas.DataFrame
        One row per bin: means of ``probability`` and ``accuracy``, and the number of ``images``.
    error : float
        Expected calibration error (Guo et al. 2017, arXiv:1706.04599): the mean absolute difference of
        the two.
    """
    order = np.argsort(probability, kind="stable")
    place = np.arange(len(order)) * bins // len(order)
    pairs = {"probability": np.asarray(probability)[order], "accuracy": np.asarray(right, float)[order]}
    by_bin = pd.DataFrame(pairs).groupby(place)
    curve = by_bin.mean().assign(images=by_bin.size())
    return curve, float(np.average(abs(curve.probability - curve.accuracy), weights=curve.images))
