"""Configurations -> finished runs, and the tables that show them; a finished run is never trained again.

In: data sets and configurations. Out: ``work/<data>/runs/<id>/record.json``, which alone says that a run is
done. The tables experiments.csv, curves.csv, grid.csv and trials.csv are views of these records, in
``results/`` those of emoji20 in the full profile, others in the work folder; rows of runs whose records are
on another machine stay in them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
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
from illus.learn.plan import Grid, Trial, cells
from illus.learn.settings import Config, Record, code_hash, data_hash, run_id, summary
from illus.learn.training import train
from illus.parallel import write_table

SCORES = ["val_macro_f1", "val_micro_f1", "val_class_f1"]
ORIGIN = ["seconds", "backend", "device", "data_hash", "run_id", "code"]
GRID_COLUMNS = ["block", "augmentation", "budget", "seed", "learning_rate", "tuned", *SCORES, *ORIGIN]
TRIAL_COLUMNS = ["question", "answer", "data", "seed", *SCORES, "multiply_adds", *ORIGIN]


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
    _drop_of_other_code(path.parent)
    record = train(dataset, folder, config, question, work)
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(summary(record)), "utf-8")
    write_views(record.run_id, work)
    return record


def _drop_of_other_code(folder: Path) -> None:
    """Delete what an unfinished run has stored if it was trained by other code; it starts anew."""
    mark = folder / "code.txt"
    if not mark.exists() or mark.read_text("utf-8") != code_hash():
        for stored in (folder / "state.json", *folder.glob("epoch-*.npz")):
            stored.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(code_hash(), "utf-8")


def tables_folder(work: Path) -> Path:
    """Where the tables of a work folder are: ``results/`` for emoji20 in the full profile, else itself."""
    recorded = profiles.profile().name == "full" and work_folders.is_work_of_emoji20(work)
    return work_folders.RESULTS if recorded else work


def write_views(identity: str, work: Path) -> None:
    """Write a finished run's row of experiments.csv, and those of curves.csv, one an epoch."""
    records, state = load(work), record_path(work, identity).with_name("state.json")
    write_view(records[records.run_id == identity], tables_folder(work) / "experiments.csv")
    if state.exists():
        write_view(pd.read_json(state).assign(run_id=identity), tables_folder(work) / "curves.csv")


def write_view(rows: pd.DataFrame, path: Path, key: Sequence[str] = ("run_id",)) -> None:
    """Write rows in place of those with the same key, by default the run; others stay, before them."""
    if path.exists():
        before = read_table(path)
        known = pd.MultiIndex.from_frame(before[[*key]]).isin(pd.MultiIndex.from_frame(rows[[*key]]))
        rows = pd.concat([before[~known], rows])
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
    """1 where a row has the best learning rate of its block and augmentation, 0 if of the search alone."""
    search = rows[(rows.budget == rows.budget.min()) & (rows.seed == rows.seed.min())]
    cell = ["block", "augmentation"]
    best = search.loc[search.groupby(cell).val_macro_f1.idxmax()].set_index(cell).learning_rate
    return (rows.learning_rate == rows.set_index(cell).index.map(best)).astype(int)


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
    limited = map(limit_to_profile, configs)
    return [run(dataset, folder, config, "member", work, with_weights=True) for config in limited]


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


def run_grid(grid: Grid, dataset: pd.DataFrame, folder: str | Path, work: Path) -> pd.DataFrame:
    """Run what a grid lacks, write grid.csv after each cell, and return it, see :func:`grid_table`.

    The rate is tuned at the shortest budget: for the cell that is best at the longest one, it is searched
    there again, with all seeds.
    """
    data = data_hash(dataset)

    def run_cell(cell: Config, rate: float, budgets: Sequence[int]) -> float:
        axes = product(budgets, grid.seeds)
        configs = [replace(cell, learning_rate=rate, epochs=budget, seed=seed) for budget, seed in axes]
        scores = [run(dataset, folder, config, "grid", work).val_macro_f1 or 0.0 for config in configs]
        write_view(grid_table(grid, data, work), tables_folder(work) / "grid.csv")
        return float(np.mean(scores[-len(grid.seeds) :]))

    found = {}
    for cell in cells(grid):
        rate = tune(cell, dataset, folder, work) if grid.is_tuned else cell.learning_rate
        found[cell, rate] = run_cell(cell, rate, grid.budgets)
    if grid.is_tuned:
        best, rate = max(found, key=lambda key: found[key])
        search_rate(rate, lambda rate: run_cell(best, rate, grid.budgets[-1:]))
    return grid_table(grid, data, work)


def tune(cell: Config, dataset: pd.DataFrame, folder: str | Path, work: Path) -> float:
    """The best learning rate of a cell by macro F1 on validation, see :func:`search_rate`."""

    def scored(rate: float) -> float:
        return run(dataset, folder, replace(cell, learning_rate=rate), "grid", work).val_macro_f1 or 0.0

    return search_rate(cell.learning_rate, scored)


def search_rate(rate: float, scored: Callable[[float], float]) -> float:
    """The best of a learning rate, its half, its double, and so on until the best is not at the edge.

    ``scored`` gives the score of a rate; a training that diverges has the lowest.
    """
    tried: dict[float, float] = {}
    rates = [rate / 2, rate, rate * 2]
    while rates:
        rate = rates.pop(0)
        try:
            tried[rate] = scored(rate)
        except FloatingPointError as error:  # the rate is too high
            print(f"learning rate {rate}: {error}", flush=True)
            tried[rate] = -1.0
        best = max(tried, key=lambda rate: (tried[rate], -rate))
        factor = {min(tried): 1 / 2, max(tried): 2}.get(best)
        if not rates and factor and (tried[best] > tried[best / factor] or tried[best] < 0):
            rates = [best * factor]
    return best


def run_trials(
    trials: Sequence[Trial], data: Mapping[str, pd.DataFrame], folder: str | Path, work: Path
) -> pd.DataFrame:
    """Run what trials lack, write trials.csv after each, and return the rows of these.

    ``data`` has the data sets by the names that trials call them; ``folder`` and ``work`` are as for
    :func:`illus.learn.training.train`. A row per trial and seed, but for trainings that diverged:
    ``question``, ``answer``, ``data``, ``seed``, scores on validation, ``multiply_adds``, and where the run
    comes from.
    """
    rows = []
    for trial in trials:
        dataset = data[trial.data]
        taught = [run(dataset, folder, t, "teacher", work, with_weights=True) for t in trial.teachers]
        for seed in trial.seeds:
            config = replace(trial.config, seed=seed, teachers=tuple(t.run_id for t in taught))
            try:
                record = run(dataset, folder, config, trial.question, work)
            except FloatingPointError as error:  # an answer too, but without scores
                print(f"{trial.answer}: {error}", flush=True)
                continue
            asked = {"question": trial.question, "answer": trial.answer, "data": trial.data}
            rows.append({**summary(record), **asked})
        table = pd.DataFrame(rows, columns=TRIAL_COLUMNS)
        write_view(table, tables_folder(work) / "trials.csv", ["question", "answer", "seed"])
    return table
