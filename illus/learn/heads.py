"""Other heads for a trained network: its nearest training features, and probabilities that are calibrated.

In: networks from :func:`illus.learn.networks.build`, images and labels. Out: models of built-in layers only,
which compute the same features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import KerasTensor, Model, layers
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from illus.learn.calibration import calibration_error, negative_log_likelihood

PREDICTION_BATCH = 256  # images
TEMPERATURES = (0.05, 20.0)  # limits of the search
CALIBRATION_BINS = 15  # as in Guo et al. 2017
SMALLEST = 1e-12  # length of a feature vector, against division by zero


@dataclass(frozen=True)
class NearestFeatures:
    """Settings of :func:`nearest_features`."""

    dimensions: int | None = 64  # of the stored features; None: as many as the network has
    max_per_class: int | None = 1000  # stored training images; None: all
    temperature: float = 0.02  # divides the cosines


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, and what it changes on the images that it was fitted to."""

    temperature: float
    nll_before: float  # mean negative log-likelihood, nats
    nll_after: float
    ece_before: float  # expected calibration error, see illus.learn.calibration.calibration_error
    ece_after: float


# --- Nearest training features ---------------------------------------------------------------------


def nearest_features(
    model: Model,
    images: np.ndarray,
    labels: np.ndarray,
    settings: NearestFeatures | None = None,
    seed: int = 0,
) -> Model:
    """The same network, which reads classes off its nearest training features instead of its last layer.

    A softmax of the cosines to all stored features, summed over those of a class: the non-parametric
    classifier of Wu et al. 2018 (arXiv:1805.01978). With fewer ``dimensions`` the features are projected
    on their first singular vectors, which changes scalar products the least (Eckart and Young 1936).

    Parameters
    ----------
    model : keras.Model
        From :func:`illus.learn.networks.build`.
    images : numpy.ndarray
        uint8, shape (n, side, side, 3), of the training part.
    labels : numpy.ndarray
        int, shape (n,), outputs of the model.
    settings : NearestFeatures, optional
    seed : int, default 0
        Which images are stored where a class has more than ``max_per_class``.

    Raises
    ------
    ValueError
        A class has no image, so that it could never be predicted.
    """
    settings = settings or NearestFeatures()
    n_classes = model.output_shape[-1]
    if missing := sorted(set(range(n_classes)) - set(np.unique(labels).tolist())):
        raise ValueError(f"no training images of the classes {missing}")
    stored = _sample(labels, settings.max_per_class, seed)
    pooled = model.layers[-1].input
    memory = Model(model.input, pooled).predict(images[stored], PREDICTION_BATCH, verbose=0)
    memory = unit_rows(memory)
    x = layers.UnitNormalization(dtype="float32")(pooled)
    if settings.dimensions and settings.dimensions < memory.shape[1]:
        projection = np.linalg.svd(memory, full_matrices=False)[2][: settings.dimensions].T
        memory = unit_rows(memory @ projection)
        x = layers.UnitNormalization(dtype="float32")(_constant(x, projection, "projection"))
    cosines = _constant(x, memory.T, "memory")
    scores = layers.Rescaling(1 / settings.temperature, dtype="float32", name="sharpness")(cosines)
    return Model(model.input, _probabilities(scores, np.eye(n_classes)[labels[stored]]), name=model.name)


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Rows divided by their length, float32; rows of zeros stay as they are."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, SMALLEST), np.float32)


def _sample(labels: np.ndarray, max_per_class: int | None, seed: int) -> np.ndarray:
    """Rows of at most ``max_per_class`` images of each class, drawn at random, in ascending order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    kept = [order[labels[order] == label][:max_per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(kept))


# --- Calibration -----------------------------------------------------------------------------------


def fit_temperature(
    models: Sequence[Model], images: np.ndarray, labels: np.ndarray, mirrored: bool = False
) -> Calibration:
    """Fit the number by which what goes into the softmax is divided: temperature scaling.

    Minimises the negative log-likelihood (Guo et al. 2017, arXiv:1706.04599). Members of an average get one
    temperature, which is fitted to their mean probabilities, those that are exported; where members
    disagree, the class of the mean may change.

    Parameters
    ----------
    models : sequence of keras.Model
        From :func:`illus.learn.networks.build` or :func:`nearest_features`: the members.
    images, labels : numpy.ndarray
        As for :func:`nearest_features`, of the validation part.
    mirrored : bool, default False
        The average is over mirror images too, see :func:`illus.learn.networks.average`.
    """
    views = [images, images[:, :, ::-1]] if mirrored else [images]
    found: list[tuple[np.ndarray, np.ndarray | None]] = []
    for model in models:
        scores, classes = _scores(model)
        to_scores = Model(model.input, scores)
        found += [(to_scores.predict(view, PREDICTION_BATCH, verbose=0), classes) for view in views]

    def predict(temperature: float) -> np.ndarray:
        each = [(softmax(scores / temperature, axis=1), classes) for scores, classes in found]
        return np.mean([p if classes is None else p @ classes for p, classes in each], axis=0)

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
    """The same network, with what goes into its softmax divided by ``temperature``.

    ``model`` is from :func:`illus.learn.networks.build` or :func:`nearest_features`. Of the former the
    predicted classes stay the same.
    """
    scores, classes = _scores(model)
    scaled = layers.Rescaling(1 / temperature, dtype="float32", name="temperature")(scores)
    return Model(model.input, _probabilities(scaled, classes), name=model.name)


def _error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    right = probabilities.argmax(1) == labels
    return calibration_error(probabilities.max(1), right, CALIBRATION_BINS)[1]


# --- The layers of a head --------------------------------------------------------------------------


def _scores(model: Model) -> tuple[KerasTensor, np.ndarray | None]:
    """What goes into a network's softmax, and which class each number stands for (None: one for each)."""
    head = model.layers[-1]
    found = [layer for layer in model.layers if isinstance(layer, layers.Softmax)]
    if found:
        return found[-1].input, head.get_weights()[0]
    linear = layers.Dense(head.units, dtype="float32", name="score")
    scores = linear(head.input)
    linear.set_weights(head.get_weights())
    return scores, None


def _probabilities(scores: KerasTensor, classes: np.ndarray | None) -> KerasTensor:
    """Softmax of the scores, and its sum over each class: ``classes`` has a row per score, one-hot."""
    if classes is None:
        return layers.Softmax(dtype="float32", name="probability")(scores)
    return _constant(layers.Softmax(dtype="float32")(scores), classes, "probability")


def _constant(x: KerasTensor, matrix: np.ndarray, name: str) -> KerasTensor:
    """A product with a matrix that is not trained, shape (inputs, outputs)."""
    layer = layers.Dense(matrix.shape[1], use_bias=False, trainable=False, dtype="float32", name=name)
    y = layer(x)
    layer.set_weights([matrix])
    return y
