"""Errors of a scored classifier, the evidence for a class.

In: the rows that :func:`evaluate.evaluate` returns, or a model and images. Out: tables and arrays.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from scipy.sparse import csr_array

from illus.dataset.split import cluster_by_shape
from illus.files.descriptors import describe_images

DRAWS = 2000  # of a bootstrap


def scored_rows(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Rows from :func:`evaluate.evaluate` as a table, without unreadable files; ``probability`` as float."""
    table = pd.DataFrame(rows)
    return table[table.predicted != ""].astype({"probability": float}).reset_index(drop=True)


def bootstrap_f1(
    table: pd.DataFrame, class_names: Sequence[str], groups: Sequence[str] | None = None
) -> np.ndarray:
    """F1 of each class on resampled groups of images: the cluster bootstrap (Field and Welsh 2007), by class.

    Variants of one drawing are right or wrong together: resampled one by one, as if they were independent,
    they give intervals that are too narrow; so whole groups are drawn with replacement. Each class draws as
    many of its groups as it has: drawn from all classes together, a small class would often be missing, and
    what is predicted as it would make its F1 zero.

    ``table`` has ``class_name`` and ``predicted``. ``groups`` says what each row belongs to, by default to
    itself; a group with images of several classes is one in each. float64, shape (``DRAWS``, classes), of
    which the mean over classes is macro F1; NaN where the table has no image of a class, or a draw neither
    one of it nor one that is predicted as it.
    """
    k = len(class_names)
    texts = (table.class_name, table.predicted)
    true, predicted = (pd.Categorical(text, class_names).codes.astype(np.int64) for text in texts)
    names = pd.factorize(np.arange(len(table)) if groups is None else np.asarray(groups))[0]
    members = pd.DataFrame({"true": true, "name": names}).groupby(["true", "name"])
    group, n_groups = members.ngroup().to_numpy(), members.ngroups
    outcomes = csr_array((np.ones(len(table)), (group, true * k + predicted)), shape=(n_groups, k * k))
    rng = np.random.default_rng(0)
    of_class = members.size().groupby("true").size()  # groups of each class, in the order of their numbers
    weights = np.hstack([rng.multinomial(n, np.full(n, 1 / n), DRAWS) for n in of_class])
    drawn = (outcomes.T @ weights.T).T.reshape(DRAWS, k, k)
    with np.errstate(invalid="ignore"):
        f1 = 2 * drawn.diagonal(axis1=1, axis2=2) / (drawn.sum(1) + drawn.sum(2))
    f1[:, ~np.isin(np.arange(k), true)] = np.nan  # as in macro F1
    return f1


def interval(values: np.ndarray) -> tuple[float, float]:
    """The interval that holds the middle 95 % of resampled macro F1.

    ``values`` are float, shape (draws, k): F1 of classes, from :func:`bootstrap_f1`.
    """
    low, high = np.nanpercentile(np.nanmean(values, axis=1), [2.5, 97.5])
    return float(low), float(high)


def look_alikes(table: pd.DataFrame, folder: str | Path, least: int = 5) -> np.ndarray:
    """Each image's cluster of look-alikes, for :func:`bootstrap_f1` where no concepts are known; int, (n,).

    ``table`` has ``path``, relative to ``folder``, and ``class_name``. In a class with fewer than ``least``
    clusters each image gets a number of its own: drawn as one cluster, the class would not vary at all.
    """
    shapes = describe_images([Path(folder, path) for path in table.path])["shape"]
    clusters = pd.Series(cluster_by_shape(shapes, pd.factorize(table.class_name)[0], table.path), table.index)
    few = clusters.groupby(table.class_name).transform("nunique") < least
    return np.where(few, len(table) + np.arange(len(table)), clusters)


def most_confused(table: pd.DataFrame, max_pairs: int = 10) -> pd.DataFrame:
    """The pairs of classes that are confused most often.

    ``table`` has ``path``, ``class_name``, ``predicted``, ``probability``. One row per unordered pair:
    ``pair`` (tuple of str), ``images`` (int), ``share`` of all errors (float), ``paths`` (list of str, errors
    with the highest probability first).
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


def class_activation(
    model: keras.Model, images: np.ndarray, class_ids: Sequence[int], min_side: int = 12
) -> np.ndarray:
    """Where in an image the evidence for a class is: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).

    Uses the gradient of the class's score before the softmax with respect to the last feature map with sides
    of at least ``min_side`` pixels (the largest map, where there is none). ``model`` is from
    :func:`evaluate.build_network`, on TensorFlow; for one that averages others, the maps of its members are
    averaged. ``images`` are uint8, shape (n, side, side, 3), with one of ``class_ids`` each. The maps are
    float, shape (n, h, w), the maximum of each 1, or 0 where there is no evidence.
    """
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if members:
        maps = _mean_map([class_activation(member, images, class_ids, min_side) for member in members])
    else:
        maps = _gradient_map(model, images, class_ids, min_side)
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-9)


def _mean_map(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of maps (n, h, w), smaller ones enlarged bilinearly to the largest."""
    shape = max(m.shape[1:] for m in maps)
    return np.mean([np.asarray(ops.image.resize(m[..., None], shape))[..., 0] for m in maps], axis=0)


def _gradient_map(model: keras.Model, images: np.ndarray, ids: Sequence[int], min_side: int) -> np.ndarray:
    from tensorflow import GradientTape  # Keras has no gradients that work on every backend

    to_map, to_scores = _cut_at_map(model, model.layers[-1].input, min_side)
    maps = ops.convert_to_tensor(to_map.predict(images, verbose=0))
    with GradientTape() as tape:
        tape.watch(maps)
        total = ops.sum(ops.take_along_axis(to_scores(maps), np.asarray(ids)[:, None], axis=1))
    weights = ops.mean(tape.gradient(total, maps), axis=(1, 2), keepdims=True)
    return np.asarray(ops.relu(ops.sum(weights * maps, axis=-1)), np.float32)


def _cut_at_map(model: keras.Model, scores: keras.KerasTensor, least: int) -> tuple[keras.Model, keras.Model]:
    """The parts of a network up to its last map that is large enough, and from there to the scores."""
    maps = [layer.output for layer in model.layers if isinstance(layer, layers.ReLU)]
    side = min(least, max(x.shape[1] for x in maps))
    for features in [x for x in maps if x.shape[1] >= side][::-1]:
        with suppress(ValueError):  # where a shortcut goes round the map
            return keras.Model(model.input, features), keras.Model(features, scores)
    raise ValueError(f"{model.name} has no feature map that all of its evidence goes through")
