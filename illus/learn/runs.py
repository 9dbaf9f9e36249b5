"""Configurations -> finished runs, and the tables that show them; a finished run is never trained again.

    python -m illus.learn.runs grid|rounds [--part I/N]

In: a data set and configurations. Out: ``work/<data>/runs/<id>/record.json``, which alone says that a run is
done. The tables experiments.csv, curves.csv, grid.csv and rounds.csv are views of these records, in
``results/`` those of emoji20 in the full profile, others in the work folder; rows of runs whose records are
on another machine stay in them.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import atomic_write
from illus import profiles, work_folders
from illus.dataset.split import subsample_for_profile
from illus.files.tables import read_table
from illus.learn.export import check_class_names
from illus.learn.plan import GRID, ROUNDS, Grid, Rounds, cells, configs_of, learning_rates
from illus.learn.settings import Config, Record, data_hash, run_id, summary
from illus.learn.training import train
from illus.parallel import write_table

SCORES = ["val_macro_f1", "val_micro_f1", "val_class_f1"]
ORIGIN = ["seconds", "backend", "device", "data_hash", "run_id", "code"]
GRID_COLUMNS = ["block", "augmentation", "budget", "seed", "learning_rate", "tuned", *SCORES, *ORIGIN]
ROUNDS_COLUMNS = ["question", "answer", "seed", *SCORES, "multiply_adds", *ORIGIN]


# --- The store -------------------------------------------------------------------------------------


def record_path(work: Path, identity: str) -> Path:
    """Where the record of a run is, once it has finished; its weights are beside it."""
    return work / "runs" / identity / "record.json"


def load(work: Path) -> pd.DataFrame:
    """All records of a work folder, one row each, sorted by id; every setting is a column."""
    rows = [json.loads(path.read_text("utf-8")) for path in sorted(work.glob("runs/*/record.json"))]
    names = [f.name for kind in (Record, Config) for f in fields(kind) if f.name not in ("config", "weights")]
    return pd.DataFrame(rows, columns=[*dict.fromkeys(names)])


def run(
    dataset: pd.DataFrame,
    folder: str | Path,
    config: Config,
    question: str,
    work: Path,
    with_weights: bool = False,
) -> Record:
    """Train a configuration, or return the record of the run that did.

    Arguments are those of :func:`illus.learn.training.train`; ``with_weights`` trains again if there is a
    record but no weights file. ValueError if a weights file could not hold the name of a class. Whatever
    training raises leaves no record, so that the next call tries it again.
    """
    path = record_path(work, run_id(config, data_hash(dataset)))
    weights = path.with_name("model.h5")
    if path.exists() and (weights.exists() or not with_weights):
        known = json.loads(path.read_text("utf-8"))
        own = {f.name: known[f.name] for f in fields(Record) if f.name not in ("config", "weights")}
        return Record(config=config, weights=weights, **own)
    check_class_names(dataset.class_name.unique())
    record = train(dataset, folder, config, question, work)
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(summary(record)), "utf-8")
    write_views(work)
    return record


# --- Tables ----------------------------------------------------------------------------------------


def tables_folder(work: Path) -> Path:
    """Where the tables of a work folder are: ``results/`` for emoji20 in the full profile, else itself."""
    recorded = profiles.profile().name == "full" and work_folders.is_work_of_emoji20(work)
    return work_folders.RESULTS if recorded else work


def write_views(work: Path) -> None:
    """Write experiments.csv, one row a run, and curves.csv, one row an epoch."""
    records = load(work)
    write_view(records, tables_folder(work) / "experiments.csv")
    histories = [
        pd.read_json(state).assign(run_id=identity)
        for identity in records.run_id
        if (state := record_path(work, identity).with_name("state.json")).exists()
    ]
    if histories:
        write_view(pd.concat(histories), tables_folder(work) / "curves.csv")


def write_view(rows: pd.DataFrame, path: Path) -> None:
    """Write rows in place of those of the same runs; rows of other runs stay, before them."""
    if path.exists():
        before = read_table(path)
        rows = pd.concat([before[~before.run_id.isin(rows.run_id)], rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(rows, path)


def grid_table(grid: Grid, data: str, work: Path) -> pd.DataFrame:
    """The finished runs of a grid on data of a hash; ``tuned`` is 1 at the best learning rate of a cell."""
    found = []
    for row in load(work).query("data_hash == @data").itertuples():
        axes = {"block": row.block, "augmentation": row.augmentation, "learning_rate": row.learning_rate}
        try:
            config = replace(grid.base, **axes, epochs=row.epochs, seed=row.seed)
        except ValueError:  # a setting that has gone
            continue
        crossed = row.block in grid.blocks and row.augmentation in grid.augmentations
        if crossed and row.epochs in grid.budgets and run_id(config, data) == row.run_id:
            found.append(row._asdict() | {"budget": row.epochs})
    rows = pd.DataFrame(found, columns=[*GRID_COLUMNS]).drop(columns="tuned")
    rows = rows.sort_values(["block", "augmentation", "budget", "seed", "learning_rate"], ignore_index=True)
    return rows.assign(tuned=is_tuned(rows))[GRID_COLUMNS]


def is_tuned(rows: pd.DataFrame) -> pd.Series:
    """Whether a row has the best learning rate of its cell, or is of the search alone: 1 or 0.

    A cell is a block and an augmentation; the search is at the shortest budget, with the first seed.
    """
    search = rows[(rows.budget == rows.budget.min()) & (rows.seed == rows.seed.min())]
    cell = ["block", "augmentation"]
    best = search.loc[search.groupby(cell).val_macro_f1.idxmax()].set_index(cell).learning_rate
    return (rows.learning_rate == rows.set_index(cell).index.map(best)).astype(int)


def rounds_table(rounds: Rounds, data: str, work: Path) -> pd.DataFrame:
    """The finished runs of each answer on data of a hash, in the order of the plan."""
    records = load(work).set_index("run_id", drop=False)
    rows = [
        records.loc[identity].to_dict() | {"question": answer.question, "answer": answer.answer}
        for answer in rounds.answers
        for config in configs_of(answer, rounds, data)
        if (identity := run_id(config, data)) in records.index
    ]
    return pd.DataFrame(rows, columns=ROUNDS_COLUMNS)


# --- What is run -----------------------------------------------------------------------------------


def limit_to_profile(config: Config) -> Config:
    """The configuration with at most the epochs and steps that the profile allows."""
    profile = profiles.profile()
    epochs = min(config.epochs, profile.max_epochs or config.epochs)
    steps = config.steps_per_epoch
    return replace(config, epochs=epochs, steps_per_epoch=steps and min(steps, profile.max_steps or steps))


def run_members(
    configs: Sequence[Config], dataset: pd.DataFrame, folder: str | Path, work: Path
) -> list[Record]:
    """Train the networks of an average within the profile, each unless it is there, with its weights file."""
    return [
        run(dataset, folder, limit_to_profile(config), "member", work, with_weights=True)
        for config in configs
    ]


def compare_candidates(
    candidates: Mapping[str, tuple[pd.DataFrame, Config]], folder: str | Path, question: str, work: Path
) -> pd.DataFrame:
    """Run each candidate, a name with its data set and configuration, with each of the profile's seeds.

    One row per candidate and seed: ``name``, ``seed``, ``macro_f1``, ``micro_f1``, ``class_f1``
    (numpy.ndarray, one value per class of the validation part), all on validation, and ``record``.
    """
    rows = []
    for name, (dataset, config) in candidates.items():
        dataset = subsample_for_profile(dataset)
        for seed in profiles.profile().seeds:
            record = run(dataset, folder, limit_to_profile(replace(config, seed=seed)), question, work)
            class_f1 = np.array(record.val_class_f1.split(), float)
            rows.append([name, seed, record.val_macro_f1, record.val_micro_f1, class_f1, record])
    return pd.DataFrame(rows, columns=["name", "seed", "macro_f1", "micro_f1", "class_f1", "record"])


def run_grid(
    grid: Grid, dataset: pd.DataFrame, folder: str | Path, work: Path, part: int = 0, parts: int = 1
) -> pd.DataFrame:
    """Run what a grid lacks, write grid.csv after each cell, and return it, see :func:`grid_table`.

    Cell i belongs to part ``i % parts``. Parts may run side by side in one work folder.
    """
    for cell in cells(grid)[part::parts]:
        rate = tune(cell, grid, dataset, folder, work)
        for budget, seed in product(grid.budgets, grid.seeds):
            tuned = replace(cell, learning_rate=rate, epochs=budget, seed=seed)
            run(dataset, folder, tuned, "grid", work)
        write_view(grid_table(grid, data_hash(dataset), work), tables_folder(work) / "grid.csv")
    return grid_table(grid, data_hash(dataset), work)


def tune(cell: Config, grid: Grid, dataset: pd.DataFrame, folder: str | Path, work: Path) -> float:
    """The best learning rate of a cell, by macro F1 on validation."""
    tried: dict[float, float] = {}
    rates = learning_rates(grid)
    while rates:
        rate = rates.pop(0)
        try:
            tried[rate] = run(dataset, folder, replace(cell, learning_rate=rate), "grid", work).val_macro_f1
        except FloatingPointError as error:  # the rate is too high
            print(f"{cell.block} {cell.augmentation} {rate}: {error}", flush=True)
            tried[rate] = -1.0
        best = max(tried, key=lambda rate: tried[rate])
        if not rates and best == max(tried) and 2 * best <= grid.highest:
            rates = [2 * best]
    return best


def run_rounds(rounds: Rounds, dataset: pd.DataFrame, folder: str | Path, work: Path) -> pd.DataFrame:
    """Run what the answers of a plan lack, write rounds.csv, and return it, see :func:`rounds_table`."""
    data = data_hash(dataset)
    for answer in rounds.answers:
        for teacher in answer.teachers:
            run(dataset, folder, teacher, "teacher", work, with_weights=True)
        for config in configs_of(answer, rounds, data):
            try:
                run(dataset, folder, config, answer.question, work)
            except FloatingPointError as error:  # an answer too, but without scores
                print(f"{answer.answer}: {error}", flush=True)
        write_view(rounds_table(rounds, data, work), tables_folder(work) / "rounds.csv")
    return rounds_table(rounds, data, work)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success."""
    parser = argparse.ArgumentParser(prog="python -m illus.learn.runs", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("grid", "rounds"))
    parser.add_argument("--part", default="1/1", metavar="I/N", help="only part I of N of the grid; from 1")
    options = parser.parse_args(arguments)
    found = re.fullmatch(r"(\d+)/(\d+)", options.part)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        parser.error(f"--part {options.part}: I/N, with I from 1 to N")
    folder = work_folders.data_dir()
    work = work_folders.work_dir(folder)
    dataset = read_table(work / "split_by_cluster.csv")
    if options.what == "rounds":
        run_rounds(ROUNDS, dataset, folder, work)
    else:
        run_grid(GRID, dataset, folder, work, int(found[1]) - 1, int(found[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
