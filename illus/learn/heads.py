"""Calibration: networks whose probabilities say how often they are right.

In: networks from :func:`evaluate.build_network`, images and labels. Out: a temperature, and such networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from keras import Model
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from evaluate import build_network
from illus.learn.networks import arrays_of

PREDICTION_BATCH = 256  # images
TEMPERATURES = (0.05, 20.0)  # limits of the search
CALIBRATION_BINS = 15  # as in Guo et al. 2017
SMALLEST = 1e-12  # a probability, so that its logarithm is finite


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, and what it changes on the images that it was fitted to."""

    temperature: float
    nll_before: float  # mean negative log-likelihood, nats
    nll_after: float
    ece_before: float  # expected calibration error, see calibration_error
    ece_after: float


def fit_temperature(
    models: Sequence[Model], images: np.ndarray, labels: np.ndarray, mirror: bool = False
) -> Calibration:
    """Fit the number by which what goes into the softmax is divided: temperature scaling.

    Minimises the negative log-likelihood (Guo et al. 2017, arXiv:1706.04599). ``models``, the members of an
    average, from :func:`evaluate.build_network`, get one temperature, which is fitted to their mean
    probabilities, those that are exported; where members disagree, the class of the mean may change.
    ``images`` are those of the validation part, uint8, shape (n, side, side, 3), ``labels`` int, shape (n,);
    ``mirror`` as of the average.
    """
    views = [images, images[:, :, ::-1]] if mirror else [images]
    to_scores = [Model(model.input, model.get_layer("score").output) for model in models]
    scores = [model.predict(view, PREDICTION_BATCH, verbose=0) for model in to_scores for view in views]

    def predict(temperature: float) -> np.ndarray:
        return np.mean([softmax(each / temperature, axis=1) for each in scores], axis=0)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(predict(float(np.exp(log_temperature))), labels)

    fitted = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    temperature = float(np.exp(fitted.x)) if fitted.fun < loss(0.0) else 1.0
    before, after = predict(1.0), predict(temperature)
    return Calibration(
        temperature,
        negative_log_likelihood(before, labels),
        negative_log_likelihood(after, labels),
        _error(before, labels),
        _error(after, labels),
    )


def with_temperature(model: Model, temperature: float) -> Model:
    """The same network, with what goes into its softmax divided by ``temperature``: the same classes."""
    return build_network(model.settings | {"temperature": temperature}, arrays_of(model))


def _error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    right = probabilities.argmax(1) == labels
    return calibration_error(probabilities.max(1), right, CALIBRATION_BINS)


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of minus the natural logarithm of the true class's probability."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, SMALLEST), dtype=np.float64).mean())


def calibration_error(probability: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599), in bins of equally many images."""
    order = np.argsort(probability, kind="stable")
    place = np.arange(len(order)) * bins // len(order)
    pairs = {"probability": np.asarray(probability)[order], "accuracy": np.asarray(right, float)[order]}
    by_bin = pd.DataFrame(pairs).groupby(place)
    mean = by_bin.mean()
    return float(np.average(abs(mean.probability - mean.accuracy), weights=by_bin.size()))
