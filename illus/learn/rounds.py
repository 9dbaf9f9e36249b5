"""One question a round, about one network of the grid -> results/rounds.csv.

    python -m illus.learn.rounds

In: split_by_cluster.csv of a folder of class folders, which notebook 04 leaves. Out: one row per answer and
seed, scored on validation. Each answer changes one thing in a base, which is a row itself. A row that
the table has is not measured again, and a training that was stopped resumes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from keras import Model

from evaluate import load_classifier, score
from illus import config as paths
from illus.files.tables import read_table
from illus.learn.batches import load_arrays
from illus.learn.grid import GRID
from illus.learn.heads import PREDICTION_BATCH
from illus.learn.networks import average, multiply_adds
from illus.learn.plan import RECIPE
from illus.learn.settings import Changes, Config, Scalar, data_hash, run_id
from illus.learn.training import train
from illus.parallel import write_table

COLUMNS = ["question", "answer", "seeds", "val_macro_f1", "val_micro_f1", "val_class_f1", "multiply_adds"]
COLUMNS += ["seconds", "backend", "device", "data_hash", "run_ids", "code"]
TEXT = {"run_ids": str, "seeds": str, "code": str, "data_hash": str, "val_class_f1": str}
Network = tuple[Model, dict[str, Any]]  # a trained network, and the summary of its record


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
        Answer("depth", "two blocks in each stage after the first", {"blocks": (1, 2, 2, 2)}),
        Answer("width", "half as many channels again", {"width": 24}),
        Answer("distillation", "taught by the shipped networks", taught=True),
    ),
    RECIPE,
)


AVERAGE = ("averaging", "average of the seeds")


def run(plan: Plan, dataset: pd.DataFrame, folder: str | Path, work: Path, table: Path) -> None:
    """Measure what the table lacks, and write each row when it is there.

    Parameters
    ----------
    plan : Plan
    dataset, folder, work
        As for :func:`illus.learn.training.train`.
    table : Path
        CSV file. Networks that are averaged have one row, with the seeds of all. Rows of other runs, of
        another plan or other images, are replaced.
    """
    data, known = data_hash(dataset), load(table)
    base = [replace(plan.base, seed=seed) for seed in plan.seeds]
    wanted = [
        (tried.question, tried.answer, [configuration(tried, plan, seed, data)])
        for tried, seed in product(plan.answers, plan.seeds)
    ]
    for question, answer, configs in [*wanted, (*AVERAGE, base)]:
        runs = " ".join(run_id(config, data) for config in configs)
        if ((known.answer == answer) & (known.run_ids == runs)).any():
            continue
        try:
            networks = [trained(config, plan, question, dataset, folder, work) for config in configs]
        except FloatingPointError as error:  # an answer too, but without scores
            print(f"{answer}: {error}", flush=True)
            continue
        row: dict[str, Scalar] = {"question": question, "answer": answer}
        add_row(row | scores(networks, dataset, folder, work), table)


def configuration(tried: Answer, plan: Plan, seed: int, data: str) -> Config:
    """The settings of an answer, with the ids of its teachers on data of a hash."""
    teachers = tuple(run_id(teacher, data) for teacher in plan.teachers) if tried.taught else ()
    return replace(plan.base, **tried.changes, seed=seed, teachers=teachers)


def trained(
    config: Config, plan: Plan, question: str, dataset: pd.DataFrame, folder: str | Path, work: Path
) -> Network:
    """The network of a run and what is recorded of it; trained, after its teachers, unless it is there."""
    teachers = plan.teachers if config.teachers else ()
    for one, asked in [*((teacher, "teacher") for teacher in teachers), (config, question)]:
        path = work / "runs" / run_id(one, data_hash(dataset)) / "model.h5"
        if not path.exists():
            train(dataset, folder, one, asked, work)
    model, description = load_classifier(path)
    return model, description.training


def part_of(
    dataset: pd.DataFrame, part: str, config: Config, folder: str | Path, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Images and class ids of ``train`` or ``validation``, as a network of a configuration takes them."""
    rows = (dataset.split == part).to_numpy()
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    return images[rows], dataset.class_id.to_numpy()[rows]


def scores(
    networks: Sequence[Network], dataset: pd.DataFrame, folder: str | Path, work: Path
) -> dict[str, Scalar]:
    """The rest of a row: validation scores of a network, or of the average of several."""
    records = [record for _, record in networks]
    config = replace(Config(), input_size=records[0]["input_size"], fit=records[0]["fit"])
    models = [model for model, _ in networks]
    model = models[0] if len(models) == 1 else average(models)
    images, labels = part_of(dataset, "validation", config, folder, work)
    predicted = model.predict(images, PREDICTION_BATCH, verbose=0).argmax(1)
    result = score(labels, predicted, dataset.groupby("class_id").class_name.first().tolist())
    return {
        "seeds": " ".join(str(record["seed"]) for record in records),
        "val_macro_f1": round(result["macro_f1"], 5),
        "val_micro_f1": round(result["micro_f1"], 5),
        "val_class_f1": " ".join(f"{c['f1']:.4f}" for c in result["per_class"].values()),
        "multiply_adds": multiply_adds(model),
        "seconds": sum(record["seconds"] for record in records),
        **{key: records[0][key] for key in ("backend", "device", "data_hash")},
        "run_ids": " ".join(record["run_id"] for record in records),
        "code": records[0]["code"],
    }


def load(table: Path) -> pd.DataFrame:
    """The rows of the table, none where there is no file."""
    return pd.read_csv(table, dtype=TEXT) if table.exists() else pd.DataFrame(columns=COLUMNS)


def add_row(row: dict[str, Scalar], table: Path) -> None:
    """Put a row at the end of the table, in place of the one of its answer and seeds, and print it."""
    known = load(table)
    others = known[(known.answer != row["answer"]) | (known.seeds != row["seeds"])]
    write_table(pd.concat([others, pd.DataFrame([row])], ignore_index=True), table)
    print(" | ".join(str(row[name]) for name in ("answer", "seeds", "val_macro_f1")), flush=True)


def main() -> int:
    """The command line; 0 on success."""
    folder = paths.data_dir()
    work = paths.work_dir(folder)
    run(PLAN, read_table(work / "split_by_cluster.csv"), folder, work, paths.RESULTS / "rounds.csv")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
