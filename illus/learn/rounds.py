"""One question a round, about one network of the grid -> results/rounds.csv.

    python -m illus.learn.rounds

In: dataset.csv of a folder of class folders. Out: one row per answer and seed, scored on validation. Each
answer changes one thing in a base, which is a row itself: in how it is trained, or in how the trained network
predicts. A row that the table has is not measured again, and a training that was stopped resumes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from keras import Model

from evaluate import load_classifier, score
from illus import config as paths
from illus.learn.batches import load_arrays
from illus.learn.grid import GRID
from illus.learn.heads import PREDICTION_BATCH, nearest_features
from illus.learn.networks import average, multiply_adds
from illus.learn.plan import RECIPES
from illus.learn.settings import Changes, Config, Record, Scalar, data_hash, run_id
from illus.learn.training import train
from illus.parallel import write_table

TEXT = {"run_ids": str, "seeds": str, "code": str, "data_hash": str, "val_class_f1": str}
Head = Callable[[Model, np.ndarray, np.ndarray], Model]  # a network, training images and labels -> a model


@dataclass(frozen=True)
class Answer:
    """What is tried for a question: settings that replace those of the base."""

    question: str
    answer: str
    changes: Changes = field(default_factory=dict)
    taught: bool = False  # by the plan's teachers


@dataclass(frozen=True)
class Plan:
    """The base, what is tried in its place, the teachers of those that have any, and the seeds of each."""

    base: Config
    answers: tuple[Answer, ...]
    teachers: tuple[Config, ...] = ()
    seeds: tuple[int, ...] = (0, 1)


# The residual network of the grid, at the rate that its search found.
BASE = replace(GRID.base, block="residual", augmentation="mild", learning_rate=0.0179, epochs=20)
PLAN = Plan(
    BASE,
    (
        Answer("base", "base"),
        Answer("balance", "classes as large as they are", {"sampling_power": 1.0}),
        Answer("mixing", "mixup or CutMix in half of the batches", {"mixing": "either", "mixing_share": 0.5}),
        Answer("learning rate", "twice the rate", {"learning_rate": 2 * BASE.learning_rate}),
        Answer("input size", "64 px", {"input_size": 64}),
        Answer("distillation", "taught by the shipped networks", taught=True),
    ),
    RECIPES["gpu"].members,
)
HEADS: dict[tuple[str, str], Head] = {  # question and answer to a trained base's other way to predict
    ("mirror image", "mean with the mirror image"): lambda model, *_: average([model], mirrored=True),
    ("head", "nearest training features"): nearest_features,
}
AVERAGE = ("averaging", "average of the seeds")


def run(plan: Plan, dataset: pd.DataFrame, folder: str | Path, work: Path, table: Path) -> None:
    """Measure what the table lacks, and write each row when it is there.

    Parameters
    ----------
    plan : Plan
    dataset, folder, work
        As for :func:`illus.learn.training.train`.
    table : Path
        CSV file. Networks that are averaged have one row, with the seeds of all.
    """
    for tried, seed in product(plan.answers, plan.seeds):
        if not has_row(table, tried.answer, [seed]):
            config = configuration(tried, plan, seed, dataset, folder, work)
            record = train(dataset, folder, config, tried.question, work)
            model = load_classifier(record.weights)[0]
            add_row(row_of(tried.question, tried.answer, model, [record], dataset, folder, work), table)
    bases = [train(dataset, folder, replace(plan.base, seed=seed), "base", work) for seed in plan.seeds]
    models = [load_classifier(record.weights)[0] for record in bases]
    training = part_of(dataset, "train", plan.base, folder, work)
    for (question, answer), head in HEADS.items():
        for record, model in zip(bases, models, strict=True):
            if not has_row(table, answer, [record.config.seed]):
                changed = head(model, *training)
                add_row(row_of(question, answer, changed, [record], dataset, folder, work), table)
    if not has_row(table, AVERAGE[1], plan.seeds):
        add_row(row_of(*AVERAGE, average(models), bases, dataset, folder, work), table)


def configuration(
    answer: Answer, plan: Plan, seed: int, dataset: pd.DataFrame, folder: str | Path, work: Path
) -> Config:
    """The settings of an answer; teachers whose weights are missing are trained."""
    config = replace(plan.base, **answer.changes, seed=seed)
    if not answer.taught:
        return config
    teachers = tuple(run_id(teacher, data_hash(dataset)) for teacher in plan.teachers)
    for name, teacher in zip(teachers, plan.teachers, strict=True):
        if not (work / "runs" / name / "model.h5").exists():
            train(dataset, folder, teacher, "teacher", work)
    return replace(config, teachers=teachers)


def part_of(
    dataset: pd.DataFrame, part: str, config: Config, folder: str | Path, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Images and class ids of ``train`` or ``validation``, as a network of a configuration takes them."""
    rows = (dataset.split == part).to_numpy()
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    return images[rows], dataset.class_id.to_numpy()[rows]


def row_of(
    question: str,
    answer: str,
    model: Model,
    records: Sequence[Record],
    dataset: pd.DataFrame,
    folder: str | Path,
    work: Path,
) -> dict[str, Scalar]:
    """A row of the table: the validation scores of a model that was made from the networks of records."""
    first = records[0]
    images, labels = part_of(dataset, "validation", first.config, folder, work)
    predicted = model.predict(images, PREDICTION_BATCH, verbose=0).argmax(1)
    result = score(labels, predicted, dataset.groupby("class_id").class_name.first().tolist())
    return {
        "question": question,
        "answer": answer,
        "seeds": " ".join(str(record.config.seed) for record in records),
        "val_macro_f1": round(result["macro_f1"], 5),
        "val_micro_f1": round(result["micro_f1"], 5),
        "val_class_f1": " ".join(f"{c['f1']:.4f}" for c in result["per_class"].values()),
        "multiply_adds": multiply_adds(model),
        "seconds": sum(record.seconds for record in records),
        "backend": first.backend,
        "device": first.device,
        "data_hash": first.data_hash,
        "run_ids": " ".join(record.run_id for record in records),
        "code": first.code,
    }


def load(table: Path) -> pd.DataFrame:
    """The rows of the table, none where there is no file."""
    return pd.read_csv(table, dtype=TEXT) if table.exists() else pd.DataFrame(columns=["answer", "seeds"])


def has_row(table: Path, answer: str, seeds: Sequence[int]) -> bool:
    """Whether the table has the answer with these seeds."""
    rows = load(table)
    return bool(((rows.answer == answer) & (rows.seeds == " ".join(map(str, seeds)))).any())


def add_row(row: dict[str, Scalar], table: Path) -> None:
    """Put a row at the end of the table."""
    write_table(pd.concat([load(table), pd.DataFrame([row])], ignore_index=True), table)


def main() -> int:
    """The command line; 0 on success."""
    folder = paths.data_dir()
    work = paths.work_dir(folder)
    run(PLAN, pd.read_csv(work / "dataset.csv"), folder, work, paths.RESULTS / "rounds.csv")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
