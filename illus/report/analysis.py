"""What a scored classifier gets wrong, how sure it was, and what it looked at.

In: the rows that :func:`evaluate.evaluate` gives, or a model and images. Out: tables and arrays.
"""

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from sklearn.metrics import confusion_matrix


def scored_rows(rows):
    """The rows of readable files as a table; ``probability`` as float."""
    table = pd.DataFrame(rows)
    return table[table.predicted != ""].astype({"probability": float}).reset_index(drop=True)


def bootstrap_f1(table, class_names, draws=2000, seed=0):
    """F1 of each class, if other images had been collected: the bootstrap of Efron 1979.

    Drawing images with replacement is drawing the confusion matrix from a multinomial distribution.
    Images count as independent, which variants of one drawing are not: intervals are, if anything,
    too narrow.

    Parameters
    ----------
    table : pandas.DataFrame
        ``class_name``, ``predicted``.
    class_names : list of str, length k
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


def most_confused(table, most=10):
    """The pairs of classes that are taken for each other most often.

    Parameters
    ----------
    table : pandas.DataFrame
        ``path``, ``class_name``, ``predicted``, ``probability``.
    most : int, default 10

    Returns
    -------
    pandas.DataFrame
        One row per unordered pair: ``pair`` (tuple of str), ``images`` (int), ``share`` of all errors
        (float), ``paths`` (list of str, the surest mistakes first).
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
    return pairs.sort_values("images", ascending=False, kind="stable").head(most).reset_index(drop=True)


def calibration(table, bins=10):
    """How often a prediction of some probability is right, in bins of equally many images.

    Parameters
    ----------
    table : pandas.DataFrame
        ``class_name``, ``predicted``, ``probability``.
    bins : int, default 10

    Returns
    -------
    curve : pandas.DataFrame
        ``probability`` and ``accuracy``, means of a bin, and ``images``.
    error : float
        Expected calibration error (Guo et al. 2017, arXiv:1706.04599): the mean difference of the two.
    """
    order = table.sort_values("probability", kind="stable")
    place = np.arange(len(order)) * bins // len(order)
    right = (order.class_name == order.predicted).astype(float)
    curve = (
        pd.DataFrame({"probability": order.probability, "accuracy": right})
        .groupby(place)
        .agg(probability=("probability", "mean"), accuracy=("accuracy", "mean"), images=("accuracy", "size"))
    )
    return curve, float(np.average(abs(curve.probability - curve.accuracy), weights=curve.images))


def class_activation(model, images, class_ids):
    """Where a class's evidence is: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).

    The gradient is that of the class's score before the softmax, at the last map of features. For a
    model that averages others it is the mean of theirs.

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
        float32, shape (n, h, w), each image's between 0 and 1.
    """
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if members:
        maps = np.mean([class_activation(member, images, class_ids) for member in members], axis=0)
    else:
        maps = _gradient_map(model, images, class_ids)
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-9)


def _gradient_map(model, images, class_ids):
    from tensorflow import GradientTape  # the one thing here that Keras has no words for

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
