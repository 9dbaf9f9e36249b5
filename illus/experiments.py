"""A plan of configurations -> results table; a finished run is never trained again.

In: a data set and configurations. Out: records, one row each in ``experiments.csv``.
"""

import os
from dataclasses import fields

import pandas as pd

from illus import config as paths
from illus.training import Config, Record, data_hash, run_id, summary, train


def table_path(work):
    """Where records are kept: ``results/`` in the full profile, else under the work folder."""
    return paths.RESULTS / "experiments.csv" if paths.profile().name == "full" else work / "experiments.csv"


def load_table(path):
    """The results table, empty where there is none yet."""
    columns = [f.name for f in fields(Record) if f.name not in ("config", "weights")]
    columns += [f.name for f in fields(Config)]
    if not path.exists():
        return pd.DataFrame(columns=[*columns, "test_macro_f1"])
    return pd.read_csv(path, dtype={"run_id": str, "data_hash": str})


def run(dataset, folder, config, question, work):
    """Train a configuration, or give back the record of the run that did.

    Parameters
    ----------
    dataset, folder, config, question, work
        As for :func:`illus.training.train`.

    Returns
    -------
    Record
    """
    path = table_path(work)
    table = load_table(path)
    identity = run_id(config, data_hash(dataset))
    weights = work / "runs" / identity / "model.h5"
    known = table[table.run_id == identity]
    if len(known):
        row = known.iloc[0]
        facts = {f.name: row[f.name] for f in fields(Record) if f.name in row}
        return Record(config=config, weights=weights, **facts)
    record = train(dataset, folder, config, question, work)
    append(path, summary(record))
    return record


def append(path, row):
    """Add one row to a CSV table; readers see the old table or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = load_table(path)
    table = pd.concat([table, pd.DataFrame([row])], ignore_index=True) if len(table) else \
        pd.DataFrame([row]).reindex(columns=table.columns)
    partial = path.with_suffix(".partial")
    table.to_csv(partial, index=False, lineterminator="\n")
    os.replace(partial, path)
