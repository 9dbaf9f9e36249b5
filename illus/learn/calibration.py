"""How far predicted probabilities can be trusted: negative log-likelihood and calibration error.

In: probabilities and true classes. Out: a number each.
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


def calibration_error(probability: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599), in bins of equally many images.

    The mean absolute difference of a bin's mean ``probability``, float, shape (n,), of the predicted classes,
    and the share of them that is ``right``, bool, shape (n,).
    """
    order = np.argsort(probability, kind="stable")
    place = np.arange(len(order)) * bins // len(order)
    pairs = {"probability": np.asarray(probability)[order], "accuracy": np.asarray(right, float)[order]}
    by_bin = pd.DataFrame(pairs).groupby(place)
    mean = by_bin.mean()
    return float(np.average(abs(mean.probability - mean.accuracy), weights=by_bin.size()))
