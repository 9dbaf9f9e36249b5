"""Configurations -> a table of results; a finished run is never trained again.

In: a data set and configurations. Out: records, one row each in ``experiments.csv``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from illus import config as paths
from illus.dataset import split as balance
from illus.learn.export import check_class_names
from illus.learn.settings import Config, Record, Scalar, data_hash, run_id, summary
from illus.learn.training import train
from illus.parallel import write_table


def table_path(work: Path) -> Path:
    """Where records are stored: in ``results/`` those of emoji20 in the full profile, others in ``work``."""
    recorded = paths.profile().name == "full" and paths.is_work_of_emoji20(work)
    return (paths.RESULTS if recorded else work) / "experiments.csv"


def load_table(path: Path) -> pd.DataFrame:
    """The table of records, empty if there is no file; text that is missing is an empty string."""
    names = [f.name for kind in (Record, Config) for f in fields(kind)]
    columns = [*dict.fromkeys(n for n in names if n not in ("config", "weights")), "test_macro_f1"]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    text = {"run_id": str, "code": str, "data_hash": str, "question": str, "error": str}
    table = pd.read_csv(path, dtype=text)
    empty = pd.Series("", table.index)
    return table.assign(**{name: table.get(name, empty).fillna("") for name in ("code", "question", "error")})


def run(
    dataset: pd.DataFrame,
    folder: str | Path,
    config: Config,
    question: str,
    work: Path,
    with_weights: bool = False,
) -> Record:
    """Train a configuration, or return the record of the run that did.

    Parameters
    ----------
    dataset, folder, config, question, work
        As for :func:`illus.learn.training.train`.
    with_weights : bool, default False
        Train again if there is a record but no weights file, as of a run on another machine.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        A weights file could not hold the name of a class.
    Exception
        What training raised. Before that, a row without scores is written, with the message in ``error``;
        such a run is not finished, and the next call tries it again.
    """
    path = table_path(work)
    table = load_table(path)
    data = data_hash(dataset)
    identity = run_id(config, data)
    weights = work / "runs" / identity / "model.h5"
    known = table[(table.run_id == identity) & (table.error == "")]
    if len(known) and (weights.exists() or not with_weights):
        row = known.iloc[0]
        recorded = {f.name: row[f.name] for f in fields(Record) if f.name in row}
        return Record(config=config, weights=weights, **recorded)
    check_class_names(dataset.class_name.unique())
    try:
        record = train(dataset, folder, config, question, work)
    except Exception as error:
        failed: dict = {f.name: "" for f in fields(Record)}
        failed |= {"run_id": identity, "question": question, "config": config, "data_hash": data}
        write_row(path, summary(Record(**failed | {"error": f"{type(error).__name__}: {error}"})))
        raise
    write_row(path, summary(record))
    keep_curves(path.with_name("curves.csv"), record)
    return record


def keep_curves(path: Path, record: Record) -> None:
    """Write the history of a run, one row per epoch, to the table of learning curves."""
    history = pd.read_json(record.weights.parent / "state.json").assign(run_id=record.run_id)
    if path.exists():
        before = pd.read_csv(path)
        history = pd.concat([before[before.run_id != record.run_id], history])
    write_table(history, path)


def limit_to_profile(config: Config) -> Config:
    """The configuration with at most the epochs and steps that the profile allows."""
    profile = paths.profile()
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
    """Run each candidate with each of the profile's seeds.

    Parameters
    ----------
    candidates : mapping of str to (pandas.DataFrame, Config)
        Name to data set and configuration; the configuration's seed is replaced.
    folder, question, work
        As for :func:`run`.

    Returns
    -------
    pandas.DataFrame
        One row per candidate and seed: ``name``, ``seed``, ``macro_f1``, ``micro_f1``, ``class_f1``
        (numpy.ndarray, one value per class of the validation part), all on validation, and ``record``.
    """
    rows = []
    for name, (dataset, config) in candidates.items():
        dataset = balance.subsample_for_profile(dataset)
        for seed in paths.profile().seeds:
            record = run(dataset, folder, limit_to_profile(replace(config, seed=seed)), question, work)
            class_f1 = np.array(record.val_class_f1.split(), float)
            rows.append([name, seed, record.val_macro_f1, record.val_micro_f1, class_f1, record])
    return pd.DataFrame(rows, columns=["name", "seed", "macro_f1", "micro_f1", "class_f1", "record"])


def write_row(path: Path, row: Mapping[str, Scalar]) -> None:
    """Add the row of a run to the table, or replace it; new names become new columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Mapping[str, Scalar]] = []
    if path.exists():  # read as text, so that other rows are written back unchanged
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    rows = [old for old in rows if old["run_id"] != row["run_id"]] + [row]
    columns = dict.fromkeys([*(name for old in rows for name in old), *load_table(path).columns])
    write_table(pd.DataFrame(rows, columns=list(columns), dtype=object), path)
