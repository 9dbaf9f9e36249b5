"""How well wrong labels are found. Writes results/labels.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.labels [--seeds 0 1 2]

A share of the labels of emoji20's cleaned training images (``work/emoji20/dataset.csv``) is changed at
random, each to any of the other classes, then looked for. All methods get the same probabilities, of networks
that have not seen the image. ``auroc`` and ``precision`` are of the order that a method puts the images in,
precision among as many as were changed. ``flagged`` are those that it calls wrong, with their precision and
recall; ``suggested_right`` is how often, among the flagged that were changed, the most probable other class
is the one before the change. ``accuracy`` is the networks', against the labels before the change. cleanlab
runs in the peers' virtual environment.

Networks are trained for minutes and kept in ``work/emoji20/runs``; a stopped benchmark resumes.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.duplicates import peers_python
from benchmarks.measure import measure_program
from evaluate import import_keras

import_keras()

from sklearn.metrics import roc_auc_score  # noqa: E402

from benchmarks.records import write_record  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.learn.labels import DEFAULTS, checkable, held_out_probabilities, suggest  # noqa: E402

FOLDER = work_folders.EMOJI20 / "training"
WORK = work_folders.work_dir(FOLDER)
SHARE = 0.02  # of the labels, that are changed
Ranked = tuple[np.ndarray, np.ndarray]  # how doubted each label is, and which labels are called wrong


def change_labels(dataset: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The data set with another class, any of the others, for a share of the images."""
    rng = np.random.default_rng(seed)
    names = dataset.groupby("class_id").class_name.first().to_numpy()
    changed = np.sort(rng.choice(len(dataset), round(share * len(dataset)), replace=False))
    labels = dataset.class_id.to_numpy().copy()
    labels[changed] = (labels[changed] + rng.integers(1, len(names), len(changed))) % len(names)
    return dataset.assign(class_id=labels, class_name=names[labels])


def methods(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Ranked]:
    """Each method's order of the images (the higher, the more doubted), and which it calls wrong."""
    scores = suggest(probabilities, labels)[1]
    own = probabilities[np.arange(len(labels)), labels]
    quality, issues = run_cleanlab(probabilities, labels)
    return {
        "this project": (scores, scores >= DEFAULTS.min_score),
        "self-confidence": (1 - own, own < probabilities.max(1)),
        # it flags by itself, and what it flags comes first
        **{f"cleanlab, {name}": (2 * mask - quality, mask) for name, mask in issues.items()},
    }


def run_cleanlab(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """cleanlab's score of each label (low: doubted), and its issues by each filter."""
    with tempfile.TemporaryDirectory() as scratch:
        judged, out = Path(scratch, "judged.npz"), Path(scratch, "issues.npz")
        np.savez(judged, probabilities=probabilities, labels=labels)
        measure_program("cleanlab_issues", judged, out, python=peers_python())
        with np.load(out) as issues:
            return issues["quality"], {name: issues[name] for name in issues.files if name != "quality"}


def score_method(ranked: Ranked, labels: np.ndarray, true: np.ndarray, suggested: np.ndarray) -> dict:
    """What results/labels.csv says of a method."""
    doubt, flagged = ranked
    changed = labels != true
    first = np.argsort(-doubt, kind="stable")[: changed.sum()]
    found = flagged & changed
    return {
        "changed": int(changed.sum()),
        "auroc": roc_auc_score(changed, doubt),
        "precision": changed[first].mean(),
        "flagged": int(flagged.sum()),
        "flagged_precision": found.sum() / max(1, flagged.sum()),
        "flagged_recall": found.sum() / changed.sum(),
        "suggested_right": (suggested == true)[found].mean(),
    }


def check(rows: pd.DataFrame, true: np.ndarray) -> pd.DataFrame:
    """A row for each method; ``true`` is int, shape (n,): the class before the change."""
    labels = rows.class_id.to_numpy()
    probabilities = held_out_probabilities(rows, FOLDER, DEFAULTS, WORK)
    other = suggest(probabilities, labels)[0]
    found = methods(probabilities, labels)
    table = [{"method": name, **score_method(one, labels, true, other)} for name, one in found.items()]
    return pd.DataFrame(table).assign(accuracy=(probabilities.argmax(1) == true).mean()).round(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    dataset, tables = pd.read_csv(WORK / "dataset.csv", dtype={"group": str}), []
    for seed in seeds:
        rows = checkable(change_labels(dataset, SHARE, seed), DEFAULTS.min_groups)
        true = rows.path.map(dataset.set_index("path").class_id).to_numpy()
        found = check(rows, true)
        found.insert(0, "seed", seed)
        tables.append(found)
    table = pd.concat(tables).assign(share=SHARE)
    write_record(table, "labels")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
