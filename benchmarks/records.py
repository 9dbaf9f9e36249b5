"""Every recorded table: what it measures, by which command, on what, and how it is summarised.

In: the CSV files in ``results/``. Out: ``results/benchmarks.md``, as text. Each row has the code that it was
measured on; a table that nobody has described here is shown as it is, if it is short.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.tree import sentence
from illus import config

LONGEST = 40  # rows of a table that is shown whole
TWO_CORES = "two CPU cores"
SHARED = "two CPU cores that other work shared"
PHOTO_BENCH = "python -m benchmarks.photos --photo-bench FOLDER"
HEAD = """# Recorded measurements

Rendered from the CSV files in this folder by `make benchmarks`; do not edit. `make benchmarks RUN=NAME`
measures one anew (`python -m benchmarks.NAME`) and renders again. `code` is the hash of the code that decides
a row (syntax trees without docstrings and comments); – means that the row is older than the column. Library
versions are those pinned in `requirements.txt`, and for other tools those in
`benchmarks/peers/requirements.txt`, at the commit that recorded the table. Seconds compare only within a
table. A table is said to be recorded on the day on which rows of its code were first committed
([dates.csv](dates.csv)).
"""


@dataclass(frozen=True)
class Record:
    """One CSV file in ``results/``."""

    what: str  # is measured, and with which settings
    command: str  # that renews it
    machine: str = ""
    summary: Callable[[pd.DataFrame], pd.DataFrame] | None = (
        None  # of a long table; by default all of its rows
    )


def means(keys: Sequence[str], columns: Sequence[str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A summary: the number of rows and the means of ``columns`` for each value of ``keys``, on each code."""

    def summarise(table: pd.DataFrame) -> pd.DataFrame:
        groups = table.groupby([*keys, "code"], sort=False, dropna=False)
        return groups.size().rename("rows").to_frame().join(groups[list(columns)].mean()).reset_index()

    return summarise


def crossed(rows: str, columns: str, value: str = "f1") -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A summary: means of ``value``, a column for each of ``columns``; rows without one are left out."""

    def summarise(table: pd.DataFrame) -> pd.DataFrame:
        known = table.dropna(subset=value)
        wide = known.pivot_table(index=[rows, "code"], columns=columns, values=value, sort=False)
        return wide.reset_index().rename_axis(columns=None)

    return summarise


def with_ratio(table: pd.DataFrame) -> pd.DataFrame:
    """A column with the seconds as a multiple of the first row's, which are this project's."""
    ratio = (table.seconds / table.seconds.iloc[0]).map("{:.2f}".format)
    table.insert(table.columns.get_loc("seconds") + 1, "ratio", ratio)
    return table


def settings_tried(table: pd.DataFrame) -> pd.DataFrame:
    """F1 over all sets with photographs, for each setting and value: mean and least."""
    groups = table.dropna(subset="f1").groupby(["setting", "value", "code"], sort=False).f1
    return groups.agg(mean_f1="mean", least_f1="min", sets="size").reset_index()


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Curves: how many points each has, the seconds of the last one, and the best macro F1."""
    groups = table.groupby(["method", "code"], sort=False, dropna=False)
    return groups.agg(
        points=("seconds", "size"), seconds=("seconds", "max"), best_macro_f1=("macro_f1", "max")
    ).reset_index()


def runs(table: pd.DataFrame) -> pd.DataFrame:
    """Recorded trainings: how many, how long, and how good on validation, for each question and data set."""
    groups = table.groupby(["question", "data_hash", "backend", "device", "code"], sort=False, dropna=False)
    return groups.agg(
        runs=("run_id", "size"), seconds=("seconds", "sum"), least_val_macro_f1=("val_macro_f1", "min"),
        most_val_macro_f1=("val_macro_f1", "max")).reset_index()  # fmt: skip


def runs_of_the_recipe(table: pd.DataFrame) -> pd.DataFrame:
    """The recipe's runs, without the settings that they share."""
    columns = "augmentation mixing backend device epochs seconds val_macro_f1 shipped code"
    return table[columns.split()]


def cells_of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    """The grid's runs at the tuned learning rate, mean over seeds."""
    keys = ["block", "augmentation", "budget"]
    return means(keys, ["learning_rate", "val_macro_f1", "val_micro_f1", "seconds"])(table[table.tuned == 1])


RECORDS = {
    "training": Record(
        "Our network and what one would do otherwise, trained on the same images for ten minutes each.",
        "python -m benchmarks.training",
        TWO_CORES,
    ),
    "training_curves": Record(
        "Macro F1 on validation over the seconds of those trainings: ends of the curves.",
        "python -m benchmarks.training",
        TWO_CORES,
        ends,
    ),
    "experiments": Record(
        "Recorded trainings, one row a run, every setting in a column.",
        "make weights",
        "in the columns `backend` and `device`",
        runs,
    ),
    "recipe": Record(
        "The recipe of the weights, trained anew; `shipped` is the macro F1 of the run that ships.",
        "PROFILE=full python -m benchmarks.recipe",
        "in the columns `backend` and `device`, while other work ran beside it at times",
        runs_of_the_recipe,
    ),
    "curves": Record("Learning curves of the recorded trainings, one row an epoch.", "make weights"),
    "grid": Record(
        "Block x augmentation x budget at tuned learning rates: means over seeds.",
        "python -m illus.learn.runs grid",
        "in the columns `backend` and `device`",
        cells_of_the_grid,
    ),
    "rounds": Record(
        "One question a round about one network of the grid, two seeds, on validation.",
        "python -m illus.learn.runs rounds",
        TWO_CORES,
    ),
    "augmentation": Record(
        "The share of a training step that random changes of images take, with quartiles; the first step.",
        "python -m benchmarks.augmentation",
        TWO_CORES,
    ),
    "duplicates": Record(
        "Redundant files found on emoji20's training folder; `ratio` is of the seconds.",
        "python -m benchmarks.duplicates",
        TWO_CORES,
        with_ratio,
    ),
    "duplicates_twins": Record(
        "Files called redundant against the truth; how much the clean drawings differ, in % of pixels.",
        "python -m benchmarks.duplicates",
        summary=means([], ["distance", "clean_difference"]),
    ),
    "duplicates_curve": Record(
        "Recall and precision over the largest distance of a copy, on another seed.",
        "python -m benchmarks.threshold",
    ),
    "duplicates_settings": Record(
        "Settings of the duplicate finder at other values, on a third of that seed: means over values.",
        "python -m benchmarks.threshold",
        summary=means(["setting", "chosen"], ["recall", "precision", "f1"]),
    ),
    "photos": Record(
        "F1 of photographs found, for each method: means over three seeds; sets that contain some.",
        PHOTO_BENCH,
        SHARED,
        crossed("set", "method"),
    ),
    "photos_ablation": Record(
        "F1 of the photo filter without its parts: means over three seeds.",
        PHOTO_BENCH,
        SHARED,
        crossed("set", "rung"),
    ),
    "photos_settings": Record(
        "F1 of the photo filter for one setting after another.", PHOTO_BENCH, SHARED, settings_tried
    ),
    "photos_grid": Record(
        "Settings chosen on the other collections, and what they give on the one left out.",
        PHOTO_BENCH,
        SHARED,
    ),
    "photos_cost": Record(
        "Seconds and memory of the photo filter on all files of emoji20.", PHOTO_BENCH, SHARED
    ),
    "photo_levels": Record("Levels of the photo filter's votes, with each collection left out.", PHOTO_BENCH),
    "photo_votes": Record(
        "Which statistics forward selection would take as votes.",
        "python -m benchmarks.photo_votes --photo-bench FOLDER",
    ),
    "photo_harm": Record(
        "What photographs among the training images do to a small network.",
        "python -m benchmarks.photo_harm --photo-bench FOLDER",
    ),
    "evaluate": Record(
        "Seconds of scoring beside import, decoding and prediction, and beside Keras's own reader.",
        "python -m benchmarks.evaluate",
        SHARED,
    ),
    "fuzz": Record("`evaluate.py` on damaged images and weights files.", "make fuzz", SHARED),
    "run_ids": Record("Ids of runs that were renamed once; nothing is measured.", "nothing"),
}


def described(name: str) -> Record:
    """What is known of ``results/<name>.csv``: or of the benchmark that it is named after."""
    script = Path("benchmarks") / f"{name.split('_')[0]}.py"
    if name in RECORDS or not script.exists():
        return RECORDS.get(name, Record(f"{name.replace('_', ' ').capitalize()}.", "nothing"))
    return Record(f"{sentence(script)}.", f"python -m benchmarks.{script.stem}")


def recorded() -> list[str]:
    """Names of the recorded tables, without that of their dates: those that are described first, in order."""
    found = sorted(path.stem for path in config.RESULTS.glob("*.csv") if path.stem != "dates")
    return [name for name in RECORDS if name in found] + [name for name in found if name not in RECORDS]


def renewed() -> pd.DataFrame:
    """Which command renews which table."""
    tables: dict[str, list[str]] = {}
    for name in recorded():
        tables.setdefault(described(name).command, []).append(f"`{name}.csv`")
    return pd.DataFrame(
        [{"table": ", ".join(names), "renewed by": command if command == "nothing" else f"`{command}`"}
         for command, names in tables.items()])  # fmt: skip
