"""Errors of a scored classifier, its calibration, and the evidence in an image for a class.

In: the rows that :func:`evaluate.evaluate` returns, or a model and images. Out: tables and arrays.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from sklearn.metrics import confusion_matrix


def scored_rows(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Rows from :func:`evaluate.evaluate` as a table, without unreadable files; ``probability`` as float."""
    table = pd.DataFrame(rows)
    return table[table.predicted != ""].astype({"probability": float}).reset_index(drop=True)


def bootstrap_f1(
    table: pd.DataFrame, class_names: Sequence[str], draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """F1 of each class on resampled images: the bootstrap (Efron 1979).

    To draw images with replacement is to draw the confusion matrix from a multinomial distribution.
    Images are treated as independent. Variants of one drawing are not, so intervals may be too narrow.

    Parameters
    ----------
    table : pandas.DataFrame
        ``class_name``, ``predicted``.
    class_names : sequence of str, length k
    draws : int, default 2000
    seed : int, default 0

    Returns
    -------
    numpy.ndarray
        float64, shape (draws, k); their mean over classes is macro F1. NaN where a draw has no image
        of a class, neither true nor predicted.
    """
    counts = confusion_matrix(table.class_name, table.predicted, labels=class_names)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(counts.sum(), counts.ravel() / counts.sum(), draws).reshape(draws, *counts.shape)
    with np.errstate(invalid="ignore"):
        return 2 * drawn.diagonal(axis1=1, axis2=2) / (drawn.sum(1) + drawn.sum(2))


def most_confused(table: pd.DataFrame, max_pairs: int = 10) -> pd.DataFrame:
    """The pairs of classes that are confused most often.

    Parameters
    ----------
    table : pandas.DataFrame
        ``path``, ``class_name``, ``predicted``, ``probability``.
    max_pairs : int, default 10

    Returns
    -------
    pandas.DataFrame
        One row per unordered pair: ``pair`` (tuple of str), ``images`` (int), ``share`` of all errors
        (float), ``paths`` (list of str, errors with the highest probability first).
    """
    wrong = table[table.class_name != table.predicted]
    wrong = wrong.sort_values("probability", ascending=False, kind="stable")
    pair = pd.Series(
        [tuple(sorted(names)) for names in zip(wrong.class_name, wrong.predicted, strict=True)],
        wrong.index,
        dtype=object,
    )
    pairs = wrong.groupby(pair).path.agg(images="size", paths=list).rename_axis("pair").reset_index()
    pairs.insert(2, "share", pairs.images / max(1, len(wrong)))
    return pairs.sort_values("images", ascending=False, kind="stable").head(max_pairs).reset_index(drop=True)


def calibration(table: pd.DataFrame, bins: int = 10) -> tuple[pd.DataFrame, float]:
    """How often predictions of a given probability are right, in bins of equally many images.

    Parameters
    ----------
    table : pandas.DataFrame
        ``class_name``, ``predicted``, ``probability``.
    bins : int, default 10

    Returns
    -------
    curve : pandas.DataFrame
        One row per bin: means of ``probability`` and ``accuracy``, and the number of ``images``.
    error : float
        Expected calibration error (Guo et al. 2017, arXiv:1706.04599): the mean absolute difference of
        the two.
    """
    order = table.sort_values("probability", kind="stable")
    place = np.arange(len(order)) * bins // len(order)
    right = (order.class_name == order.predicted).astype(float)
    by_bin = pd.DataFrame({"probability": order.probability, "accuracy": right}).groupby(place)
    curve = by_bin.mean().assign(images=by_bin.size())
    return curve, float(np.average(abs(curve.probability - curve.accuracy), weights=curve.images))


def class_activation(model: keras.Model, images: np.ndarray, class_ids: Sequence[int]) -> np.ndarray:
    """Where in an image the evidence for a class is: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).

    Uses the gradient of the class's score before the softmax with respect to the last feature map. For a
    model that averages others, the maps of its members are averaged.

    Parameters
    ----------
    model : keras.Model
        From :func:`illus.learn.networks.build` or :func:`illus.learn.networks.average`; on TensorFlow.
    images : numpy.ndarray
        uint8, shape (n, side, side, 3).
    class_ids : sequence of int, length n

    Returns
    -------
    numpy.ndarray
        float, shape (n, h, w), the maximum of each image 1, or 0 where there is no evidence.
    """
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if members:
        maps = np.mean([class_activation(member, images, class_ids) for member in members], axis=0)
    else:
        maps = _gradient_map(model, images, class_ids)
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-9)


def _gradient_map(model: keras.Model, images: np.ndarray, class_ids: Sequence[int]) -> np.ndarray:
    from tensorflow import GradientTape  # Keras has no gradients that work on every backend

    head = model.layers[-1]
    features = [layer for layer in model.layers if isinstance(layer, layers.ReLU)][-1].output
    parts = keras.Model(model.input, [features, head.input])
    to_pooled = keras.Model(features, head.input)
    maps = ops.convert_to_tensor(parts.predict(images, verbose=0)[0])
    with GradientTape() as tape:
        tape.watch(maps)
        scores = ops.matmul(to_pooled(maps), head.kernel) + head.bias
        chosen = ops.sum(scores * ops.one_hot(np.asarray(class_ids), head.units))
    weights = ops.mean(tape.gradient(chosen, maps), axis=(1, 2), keepdims=True)
    return np.asarray(ops.relu(ops.sum(weights * maps, axis=-1)), np.float32)
