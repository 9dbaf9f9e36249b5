"""The experiments of notebook 04 on emoji20. Writes grid.csv, trials.csv and the tables of :data:`ENSEMBLES`.

    PROFILE=full python -m benchmarks.experiments [NAME ...]

grid, averages, cures, photographs, concepts, optimizers, rounds, longer rounds, recipe, distillation,
unequal, draws, preprocessing, hands, rates, longer, candidates, nearest; all, in this order; hours on two CPU
cores. Runs go through ``work/emoji20/runs``: what was stopped resumes, and what is finished is not trained
again. So two of these, each started with another name and held to one core, share the work: small networks
hardly gain by a second core. ``cures_test.csv``: the first and the last stage of the cures on the test
folders, which are scored once, for each seed.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from benchmarks.records import write_record
from evaluate import evaluate, load_classifier
from illus import pipeline, profiles, work_folders
from illus.dataset.resample import resample
from illus.dataset.split import split_by_cluster
from illus.dataset.stages import stages_of_cleaning
from illus.emoji20.build import leave_out
from illus.emoji20.truth import load_truth
from illus.learn import plan, runs
from illus.learn.batches import load_arrays
from illus.learn.plan import Trial
from illus.learn.settings import Config, data_hash

FOLDER = work_folders.EMOJI20 / "training"
HELD_OUT = 0.1  # of the concepts
NEIGHBOURS, SHARPNESS = 20, 0.07  # images that vote; the smaller, the more the nearest count
ENDS = ("as collected", "balanced")


def own_and_equal(dataset: pd.DataFrame, prefix: str = "") -> dict[str, pd.DataFrame]:
    """A data set without balance, and with all classes as large as the largest."""
    ways = {"own sizes": "none", "equal sizes": "upsample"}
    return {prefix + name: resample(dataset, way) for name, way in ways.items()}


def unequal(dataset: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data set with training images left out until the largest class is 34 times the smallest."""
    rng = np.random.default_rng(profiles.SEED)
    left = leave_out(dataset.assign(split=dataset.split.replace("train", "training")), rng)
    left = left.assign(split=left.split.replace("training", "train")).reset_index(drop=True)
    return {"34:1": resample(left, "sqrt", profiles.SEED)} | own_and_equal(left, "34:1, ")


def without_concepts(dataset: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A tenth of each class's concepts, by every artist, in the validation part, all others in training."""
    truth = load_truth(FOLDER).set_index("path")
    concept = dataset.path.map(truth.concept)
    held = pd.Series(False, dataset.index)
    rng = np.random.default_rng(seed)
    for _, rows in concept.groupby(dataset.class_id):
        names = rng.permutation(rows.unique())
        held[rows.index] = rows.isin(names[: max(1, round(HELD_OUT * len(names)))])
    group = dataset.path.map(truth.group)
    shared = group.isin(group[held]) & ~held  # another concept's copy of a drawing that is held out
    part = np.where(held, "validation", "train")
    return resample(dataset.assign(split=part, copies=1)[~shared].reset_index(drop=True), "sqrt")


def new_concepts(dataset: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data set without a tenth of the concepts, in two draws of them."""
    names = [trial.data for trial in plan.NEW_CONCEPTS]
    return {name: without_concepts(dataset, profiles.SEED + draw) for draw, name in enumerate(names)}


def without_artists(data: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data set with all drawings of one artist in the validation part, and only these."""
    artist = data.path.map(load_truth(FOLDER).set_index("path").icon_set)
    parts = {name: np.where(artist == name, "validation", "train") for name in plan.HELD_OUT_ARTISTS}
    return {f"without {name}": resample(data.assign(split=p, copies=1), "sqrt") for name, p in parts.items()}


def draws(dataset: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data set with other look-alikes in its validation part."""
    cache = work_folders.work_dir(FOLDER) / "cache"
    return {
        name: split_by_cluster(dataset, FOLDER, seed=seed, cache=cache)
        for seed, name in enumerate(("another draw", "a third draw"), 1)
    }


def cures(dataset: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data set before and after each cure."""
    tables = pipeline.clean(FOLDER)
    return stages_of_cleaning(tables.catalog, tables.duplicates, tables.photos, dataset)


def score_ends(found: pd.DataFrame) -> None:
    """Score the networks of the first and the last stage on the test folders."""
    work, rows = work_folders.work_dir(FOLDER), []
    for row in found[found.answer.isin(ENDS)].itertuples():
        for test in work_folders.test_folders(FOLDER):
            result = evaluate(test, runs.record_path(work, row.run_id).with_name("model.h5"))[0]
            scores = {name: round(result[name], 5) for name in ("macro_f1", "micro_f1")}
            run = {"answer": row.answer, "seed": row.seed, "folder": test.name, "run_id": row.run_id}
            rows.append(run | scores)
    write_record(pd.DataFrame(rows), "cures_test")


def macro_f1(labels: np.ndarray, members: Sequence[np.ndarray]) -> float:
    """Of the mean of probabilities; a class without images does not count."""
    answers = np.mean(members, 0).argmax(1)
    return float(f1_score(labels, answers, average="macro", labels=np.unique(labels)))


def predicted(weights: Path, dataset: pd.DataFrame, config: Config) -> np.ndarray:
    """A network's probabilities for the validation part, (n, classes); of some only these were kept."""
    kept = weights.with_name("validation.npz")
    if kept.exists():
        return np.load(kept)["p"]
    images = load_arrays(dataset, FOLDER, config.input_size, config.fit, weights.parents[2] / "cache")
    held = (dataset.split == "validation").to_numpy()
    return load_classifier(weights)[0].predict(images[held], verbose=0)


def labels_of(dataset: pd.DataFrame) -> np.ndarray:
    """The class ids of the validation part."""
    return dataset.class_id.to_numpy()[dataset.split == "validation"]


def averages(dataset: pd.DataFrame, work: Path) -> None:
    """Average networks of the grid that differ in one thing, and score them on validation."""
    rows = runs.grid_table(plan.GRID, data_hash(dataset), work).query("tuned == 1 and budget == budget.max()")
    labels = labels_of(dataset)
    paths = {one: runs.record_path(work, one).with_name("model.h5") for one in rows.run_id}
    by_run = {one: predicted(path, dataset, plan.GRID.base) for one, path in paths.items()}
    found = []
    for varied in ("seed", "augmentation", "block"):
        shared = [axis for axis in ("seed", "augmentation", "block") if axis != varied]
        for _, members in rows.groupby(shared):
            each = [by_run[identity] for identity in members.run_id]
            singles = [macro_f1(labels, [one]) for one in each]
            scores = (np.mean(singles), max(singles), macro_f1(labels, each))
            found.append([varied, " ".join(members.run_id), *scores])
    columns = ["members differ in", "run_ids", "single", "best", "average"]
    write_record(pd.DataFrame(found, columns=columns).round(5), "averages")


def of_the_kinds(dataset: pd.DataFrame, n: int, work: Path) -> list[float | str]:
    """Macro F1 of averages of n mild networks, of n strong ones, and of half of each: mean and highest."""
    labels, kinds, ids = labels_of(dataset), [], []
    for kind in (plan.MEMBER, plan.STRONG):
        done = [runs.run(dataset, FOLDER, replace(kind, seed=seed), "member", work) for seed in range(n)]
        kinds.append([predicted(record.weights, dataset, kind) for record in done])
        ids += [record.run_id for record in done]
    halves = product(*(combinations(kind, max(1, n // 2)) for kind in kinds))
    mixed = [macro_f1(labels, [*mild, *strong]) for mild, strong in halves]
    return [*(macro_f1(labels, kind) for kind in kinds), float(np.mean(mixed)), max(mixed), " ".join(ids)]


def candidates(dataset: pd.DataFrame, work: Path) -> None:
    """Score averages of the two kinds of network in the recipe on validation, on two other draws of it, and
    on the drawings of artists who were left out.
    """
    parts = [("validation", dataset, 4), *((name, other, 1) for name, other in draws(dataset).items())]
    parts += [(name, other, 2) for name, other in without_artists(dataset).items()]
    rows = [[name, n, *of_the_kinds(data, n, work)] for name, data, n in parts]
    columns = ["part", "seeds", "mild", "strong", "half of each", "best of these", "run_ids"]
    write_record(pd.DataFrame(rows, columns=columns).round(5), "candidates")


def nearest(dataset: pd.DataFrame, work: Path) -> None:
    """Score the classes of the nearest training images, by pooled features, and their mean with the softmax.

    Votes are weighted by similarity as by Wu et al. 2018 (arXiv:1805.01978). Expected, before it was
    measured: alone they are up to 0.02 behind the softmax, together up to 0.01 ahead of it.
    """
    held, labels = (dataset.split == "validation").to_numpy(), dataset.class_id.to_numpy()
    found = []
    for config in (*(replace(plan.LONG, seed=seed) for seed in plan.SEEDS), plan.UNMIXED.config):
        record = runs.run(dataset, FOLDER, config, "nearest", work, with_weights=True)
        images = load_arrays(dataset, FOLDER, config.input_size, config.fit, work / "cache")
        model = load_classifier(record.weights)[0]
        outputs = [model.get_layer("pooled").output, model.output]
        features, softmax = type(model)(model.input, outputs).predict(images, batch_size=256, verbose=0)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        similar = features[held] @ features[~held].T
        near = np.argpartition(-similar, NEIGHBOURS)[:, :NEIGHBOURS]
        weights = np.exp(np.take_along_axis(similar, near, 1) / SHARPNESS)[..., None]
        votes = (weights * np.eye(softmax.shape[1])[labels[~held][near]]).sum(1)
        votes /= votes.sum(1, keepdims=True)
        means = [macro_f1(labels[held], of) for of in ([softmax[held]], [votes], [softmax[held], votes])]
        found.append([record.run_id, config.width, config.seed, *means])
    columns = ["run_id", "width", "seed", "softmax", "nearest", "both"]
    write_record(pd.DataFrame(found, columns=columns).round(5), "nearest")


# The recipe's network, also for longer and with strong changes, judged on another hand.
BUDGETS = (("mild", 60), ("mild", 100), ("strong", 100))
LONGER = tuple(
    Trial(
        f"recipe without {artist}",
        f"{changes}, {epochs} epochs",
        replace(plan.MEMBER, augmentation=changes, epochs=epochs),
        f"without {artist}",
        seeds=plan.SEEDS[:2],
    )
    for artist, tried in (("openmoji", BUDGETS), ("twemoji", BUDGETS[::2]))
    for changes, epochs in tried
)

Makers = dict[str, tuple[Sequence[Trial], Callable[[pd.DataFrame], dict[str, pd.DataFrame]]]]
TRIALS: Makers = {
    "cures": (plan.CURES, cures),
    "photographs": (plan.PHOTOGRAPHS, cures),
    "concepts": (plan.NEW_CONCEPTS, new_concepts),
    "optimizers": (plan.OPTIMIZER_RATES, lambda dataset: {}),
    "rounds": (plan.ROUNDS, own_and_equal),
    "longer rounds": (plan.LONG_ROUNDS, lambda dataset: {}),
    "recipe": ((plan.UNMIXED, plan.SHALLOW), lambda dataset: {}),
    "distillation": (plan.LONGER_DISTILLATION, lambda dataset: {}),
    "unequal": (plan.UNEQUAL, unequal),
    "draws": (plan.DRAWS, draws),
    "preprocessing": (plan.PREPROCESSING, lambda dataset: {}),
    "hands": (plan.HANDS, without_artists),
    "rates": (plan.RATES, lambda dataset: {}),
    "longer": (LONGER, without_artists),
}

ENSEMBLES = {"averages": averages, "candidates": candidates, "nearest": nearest}
ORDER = ("grid", "averages", *TRIALS, "candidates", "nearest")


def main(wanted: Sequence[str]) -> None:
    if profiles.profile().name != "full":
        raise SystemExit("other profiles train on a part: set PROFILE=full")
    work = work_folders.work_dir(FOLDER)
    dataset = pipeline.experiment_data(FOLDER)
    for name in wanted or ORDER:
        if name == "grid":
            runs.run_grid(plan.GRID, dataset, FOLDER, work)
        elif name in ENSEMBLES:
            ENSEMBLES[name](dataset, work)
        else:
            trials, make = TRIALS[name]
            found = runs.run_trials(trials, {"cleaned": dataset} | make(dataset), FOLDER, work)
            if name == "cures":
                score_ends(found)


if __name__ == "__main__":
    main(sys.argv[1:])
