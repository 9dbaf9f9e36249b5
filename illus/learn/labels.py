"""Images whose label is probably wrong: networks that have not seen them reject it.

In: dataset.csv and the class folders. Out: labels.csv, a row for each image whose label is doubted, the
surest first. Nothing is removed or changed.

A label is doubted where another class is far more probable, by calibrated probabilities of a network that has
not seen the image. Confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating
uncertainty in dataset labels", JAIR 70) compares each probability with a threshold of its class instead. On
the same probabilities that finds fewer of the changed labels: see results/labels.csv, for the rule in a few
lines of our own and for its authors' library, cleanlab.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from evaluate import atomic_write
from illus.copies.groups import draw_groups
from illus.dataset.resample import IN_TRAINING, resample
from illus.hashing import digest
from illus.learn.batches import load_arrays
from illus.learn.heads import PREDICTION_BATCH, SMALLEST, fit_temperature, with_temperature
from illus.learn.plan import LABEL_CHECK
from illus.learn.settings import Config, code_hash, data_hash, run_id
from illus.learn.training import fit

COLUMNS = ["path", "class_name", "suggested", "score"]
DIGITS = 6  # of a score
SHOWN = 500  # images of the held-out fold that are scored after each epoch, to show how training goes


@dataclass(frozen=True)
class LabelSettings:
    """Settings of :func:`find_label_errors`."""

    network: Config = LABEL_CHECK
    folds: int = 3  # each network learns from two thirds; more folds cost as many more trainings
    min_groups: int = 10  # of different images in a class that is checked: three or four in each fold
    min_score: float = 0.99  # the label is 99 times less probable; other values: results/labels.csv
    min_steps: int = 30  # of an epoch, so that small collections are learned at all


DEFAULTS = LabelSettings()


def find_label_errors(
    dataset: pd.DataFrame,
    folder: str | Path,
    settings: LabelSettings = DEFAULTS,
    work: Path = Path("work/data"),
) -> pd.DataFrame:
    """Images whose label the networks reject, each judged by one that was trained on the other folds.

    ``dataset`` has the columns of dataset.csv. Duplicates and variants, which share a ``group``, are in one
    fold. The part ``test`` is not used; training and validation are, and balanced anew: ``copies`` is not.
    ``work`` is for the array cache and ``runs``; what was stopped resumes after its last epoch.

    Columns: ``path``, ``class_name``, ``suggested`` (the class that the network suggests), ``score`` (from
    ``min_score`` to 1, see :func:`suggest`), the surest first. ValueError if fewer than two classes can be
    checked, or a file cannot be read; a class that has too few different images is left out with a warning.
    """
    rows = checkable(dataset, settings.min_groups)
    probabilities = held_out_probabilities(rows, folder, settings, work)
    suggested, scores = suggest(probabilities, rows.class_id.to_numpy())
    names = rows.groupby("class_id").class_name.first().to_numpy()
    found = rows.assign(suggested=names[suggested], score=scores)[scores >= settings.min_score]
    found = found.sort_values(["score", "path"], ascending=[False, True])
    return found[COLUMNS].round({"score": DIGITS}).reset_index(drop=True)


def checkable(dataset: pd.DataFrame, min_groups: int) -> pd.DataFrame:
    """Rows of training and validation, of classes with enough different images; ``class_id`` from 0.

    Each image counts once (``copies`` 1). Raises and warns as :func:`find_label_errors`.
    """
    rows = dataset[dataset.split != "test"].assign(copies=1, group=dataset.group.astype(str))
    groups = rows.groupby("class_name", sort=False).group.nunique()
    few = groups.index[groups < min_groups].tolist()
    if len(groups) - len(few) < 2:
        raise ValueError(
            f"labels cannot be checked: two classes or more need at least {min_groups} different images each"
        )
    if few:
        text = ", ".join(f"{name} ({groups[name]})" for name in few)
        warnings.warn(
            f"labels are not checked in classes with fewer than {min_groups} different images: {text}",
            stacklevel=3,
        )
    rows = rows[~rows.class_name.isin(few)]
    return rows.assign(class_id=np.unique(rows.class_id, return_inverse=True)[1]).reset_index(drop=True)


# --- Networks that have not seen what they judge -----------------------------------------------------


@dataclass(frozen=True)
class Fold:
    """One network's training: what it learns from, and what it judges."""

    held: np.ndarray  # bool, shape (n,): the images that it judges
    rows: pd.DataFrame  # all images; those to learn from are in the part ``train``
    config: Config
    run_folder: Path  # checkpoint and stored probabilities


def make_folds(rows: pd.DataFrame, settings: LabelSettings, work: Path) -> list[Fold]:
    """The trainings of a label check; ``rows`` is from :func:`checkable`, ``work`` as there."""
    numbers = draw_folds(rows, settings.folds, settings.network.seed)
    found = []
    for number in range(settings.folds):
        held = numbers == number
        parts = np.where(held, "held out", "train").astype(object)
        out = np.flatnonzero(held)
        parts[out[:: -(-len(out) // SHOWN)]] = "validation"
        config = settings.network
        if config.steps_per_epoch is None:
            steps = max(settings.min_steps, int((~held).sum()) // config.batch_size)
            config = replace(config, steps_per_epoch=steps)
        split = resample(rows.assign(split=parts), IN_TRAINING, settings.network.seed)
        name = digest(f"{run_id(config, data_hash(split))} {code_hash()}")
        found.append(Fold(held, split, config, work / "runs" / name))
    return found


def draw_folds(rows: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Number of each image's fold, from 0; int, shape (n,). Whole groups, each class in equal shares."""
    fold = np.full(len(rows), folds - 1)
    rng = np.random.default_rng(seed)
    for number in range(folds - 1):
        free = np.flatnonzero(fold == folds - 1)
        left = rows.iloc[free]
        fold[free[draw_groups(left.class_name, left.group, 1 / (folds - number), rng)]] = number
    return fold


def train_fold(fold: Fold, images: np.ndarray) -> keras.Model:
    """The network of a fold, with the temperature that fits the held-out images best; resumes."""
    fold.run_folder.mkdir(parents=True, exist_ok=True)
    network, _ = fit(fold.rows, images, fold.config, fold.run_folder)
    labels = fold.rows.class_id.to_numpy()[fold.held]
    return with_temperature(network, fit_temperature([network], images[fold.held], labels).temperature)


def held_out_probabilities(
    rows: pd.DataFrame, folder: str | Path, settings: LabelSettings, work: Path
) -> np.ndarray:
    """Calibrated probabilities of each image, by the network that was trained on the other folds.

    ``rows`` are from :func:`checkable`, the others as for :func:`find_label_errors`. float32, shape (n,
    classes), rows sum to 1.
    """
    size, fit_to = settings.network.input_size, settings.network.fit
    images = load_arrays(rows, folder, size, fit_to, work / "cache")
    probabilities = np.zeros((len(rows), rows.class_id.nunique()), np.float32)
    for number, fold in enumerate(make_folds(rows, settings, work), 1):
        print(f"label check, network {number} of {settings.folds}", flush=True)
        stored = fold.run_folder / "held_out.npy"
        if not stored.exists():
            network = train_fold(fold, images)
            with atomic_write(stored) as partial, open(partial, "wb") as file:
                np.save(file, network.predict(images[fold.held], PREDICTION_BATCH, verbose=0))
        probabilities[fold.held] = np.load(stored)
    return probabilities


# --- What the probabilities say of a label -----------------------------------------------------------


def suggest(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable other class of each image, and how sure it is against the label.

    ``probabilities`` are float, shape (n, k), rows sum to 1, of networks that have not seen the image;
    ``labels`` int, shape (n,). The classes are int, shape (n,), never the label; the scores float64, shape
    (n,), from 0 to 1: the other class's share of the two probabilities. 0.5: both are as probable; 0.99: the
    label is 99 times less probable.
    """
    row = np.arange(len(labels))
    others = probabilities.astype(np.float64)
    own = np.maximum(others[row, labels], SMALLEST)
    others[row, labels] = -1.0
    best = others.max(1)
    return others.argmax(1), best / (best + own)
