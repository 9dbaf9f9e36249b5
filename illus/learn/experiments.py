"""A plan of configurations -> results table; a finished run is never trained again.

In: a data set and configurations. Out: records, one row each in ``experiments.csv``.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from evaluate import evaluate
from illus import config as paths
from illus.clean import balance
from illus.learn.plan import Round
from illus.learn.settings import Config, Record, data_hash, run_id, summary
from illus.learn.training import train
from illus.parallel import write_table

MAX_RELATIVE_COST = 1.15  # times the multiply-adds of the base that a variant may cost to be adopted


def table_path(work):
    """Where records are kept: ``results/`` in the full profile, else under the work folder."""
    return paths.RESULTS / "experiments.csv" if paths.profile().name == "full" else work / "experiments.csv"


def load_table(path):
    """The results table, empty where there is none yet."""
    names = [f.name for kind in (Record, Config) for f in fields(kind)]
    columns = [*dict.fromkeys(n for n in names if n not in ("config", "weights")), "test_macro_f1"]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    text = {"run_id": str, "code": str, "data_hash": str, "question": str, "error": str}
    table = pd.read_csv(path, dtype=text)
    return table.assign(
        **{name: table.get(name, pd.Series("", table.index)).fillna("") for name in ("question", "error")}
    )


def run(dataset, folder, config, question, work, with_weights=False):
    """Train a configuration, or give back the record of the run that did.

    Parameters
    ----------
    dataset, folder, config, question, work
        As for :func:`illus.learn.training.train`.
    with_weights : bool, default False
        Train again where the record is there but its weights file is not (another machine's run).

    Returns
    -------
    Record

    Raises
    ------
    Exception
        What training raised, after a row without scores, with its ``error``, was written. Such a run
        is not finished, and is tried again.
    """
    path = table_path(work)
    table = load_table(path)
    data = data_hash(dataset)
    identity = run_id(config, data)
    weights = work / "runs" / identity / "model.h5"
    known = table[(table.run_id == identity) & (table.error == "")]
    if len(known) and (weights.exists() or not with_weights):
        row = known.iloc[0]
        facts = {f.name: row[f.name] for f in fields(Record) if f.name in row}
        return Record(config=config, weights=weights, **facts)
    try:
        record = train(dataset, folder, config, question, work)
    except Exception as error:
        empty = {f.name: "" for f in fields(Record)}
        failed = {"run_id": identity, "question": question, "config": config, "data_hash": data}
        write_row(path, summary(Record(**empty | failed | {"error": f"{type(error).__name__}: {error}"})))
        raise
    write_row(path, summary(record))
    keep_curves(path.with_name("curves.csv"), record)
    return record


def keep_curves(path, record):
    """Add the history of a run, one row an epoch, to the table of learning curves."""
    history = pd.read_json(record.weights.parent / "state.json").assign(run_id=record.run_id)
    if path.exists():
        before = pd.read_csv(path)
        history = pd.concat([before[before.run_id != record.run_id], history])
    write_table(history, path)


def score_once(record, test_folders, work):
    """Macro F1 of a run on test folders, kept in its row; a score that is there is not computed again.

    Parameters
    ----------
    record : illus.learn.training.Record
    test_folders : list of Path
    work : Path

    Returns
    -------
    dict of str to float
        By name of the folder.
    """
    path = table_path(work)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    row = table[table.run_id == record.run_id].iloc[0].to_dict()
    names = {folder.name: f"{folder.name}_macro_f1" for folder in test_folders}
    for folder in test_folders:
        if not row.get(names[folder.name]):
            result, _, _ = evaluate(folder, record.weights)
            row[names[folder.name]] = str(round(result["macro_f1"], 5))
            write_row(path, row)
    return {name: float(row[column]) for name, column in names.items()}


def limit_to_profile(config):
    """A configuration within the epochs and steps that the profile allows."""
    profile = paths.profile()
    epochs = min(config.epochs, profile.max_epochs or config.epochs)
    steps = config.steps_per_epoch
    return replace(config, epochs=epochs, steps_per_epoch=steps and min(steps, profile.max_steps or steps))


def compare_candidates(candidates, folder, question, work):
    """Run named candidates over the profile's seeds.

    Parameters
    ----------
    candidates : dict of str to (pandas.DataFrame, Config)
        Name to data set and configuration; the configuration's seed is replaced.
    folder, question, work
        As for :func:`run`.

    Returns
    -------
    pandas.DataFrame
        One row per candidate and seed: ``name``, ``seed``, ``macro_f1``, ``micro_f1``, ``class_f1``
        (numpy.ndarray, one per class of the validation part), all on validation, and ``record``.
    """
    rows = []
    for name, (dataset, config) in candidates.items():
        dataset = balance.subsample_for_profile(dataset)
        for seed in paths.profile().seeds:
            record = run(dataset, folder, limit_to_profile(replace(config, seed=seed)), question, work)
            rows.append(
                {
                    "name": name,
                    "seed": seed,
                    "macro_f1": record.val_macro_f1,
                    "micro_f1": record.val_micro_f1,
                    "class_f1": np.array(record.val_class_f1.split(), float),
                    "record": record,
                }
            )
    return pd.DataFrame(rows)


def choose(compared):
    """The cheapest of the candidates that cannot be told from the best.

    Parameters
    ----------
    compared : pandas.DataFrame
        From :func:`compare_candidates`.

    Returns
    -------
    str
        Name of the candidate of fewest multiply-adds among those whose mean macro F1 is within the largest
        standard deviation between seeds of the best mean; the better one where they cost the same.
    """
    cost = pd.Series([record.multiply_adds for record in compared.record], compared.index)
    names = (
        compared.assign(cost=cost)
        .groupby("name", sort=False)
        .agg(mean=("macro_f1", "mean"), sd=("macro_f1", "std"), cost=("cost", "first"))
    )
    tied = names[names["mean"] >= names["mean"].max() - names.sd.fillna(0).max()]
    return tied.sort_values(["cost", "mean"], ascending=[True, False]).index[0]


def run_round(plan_round, base, dataset, folder, work, other_data=None):
    """Run a round of the plan: the base, and each variant of each factor with all else as in the base.

    Parameters
    ----------
    plan_round : illus.learn.plan.Round
    base : illus.learn.training.Config
    dataset, folder, work
        As for :func:`run`.
    other_data : dict of str to pandas.DataFrame, optional
        Further variants, of the factor ``data``: the base on other data sets.

    Returns
    -------
    pandas.DataFrame
        A row for the base, then one for each variant: ``factor``, ``variant``, ``macro_f1``,
        ``micro_f1`` (both on validation), ``gain`` (of macro F1 over the base), ``cost`` (multiply-adds
        over the base's), ``seconds`` and ``error``. Runs that failed have no scores.
    """
    variants = [
        (factor, name, dataset, replace(base, **changes))
        for factor, named in plan_round.factors.items()
        for name, changes in named.items()
    ]
    variants += [("data", name, other, base) for name, other in (other_data or {}).items()]
    rows = []
    for factor, variant, data, config in [("", "base", dataset, base), *variants]:
        row = {"factor": factor, "variant": variant, "error": ""}
        try:
            record = run(data, folder, limit_to_profile(config), plan_round.name, work)
            row |= {
                "macro_f1": record.val_macro_f1,
                "micro_f1": record.val_micro_f1,
                "cost": record.multiply_adds,
                "seconds": record.seconds,
            }
        except Exception as error:  # it is in the table; the other questions stay worth asking
            row["error"] = f"{type(error).__name__}: {error}"
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.assign(gain=table.macro_f1 - table.macro_f1[0], cost=table.cost / table.cost[0])


def adopt(plan_round, base, table, noise):
    """What the next round starts from: of each factor the best variant, if it is better for sure.

    Parameters
    ----------
    plan_round, base
        As for :func:`run_round`.
    table : pandas.DataFrame
        Its result.
    noise : float
        Standard deviation of macro F1 between seeds. A variant must gain more than twice of it, and
        cost at most ``MAX_RELATIVE_COST`` times as much.

    Returns
    -------
    config : illus.learn.training.Config
    adopted : dict of str to dict
        ``factor: variant`` to the settings that it changes.
    """
    adopted = {}
    better = table[(table.gain > 2 * noise) & (table.cost <= MAX_RELATIVE_COST)]
    for factor, group in better.groupby("factor", sort=False):
        best = group.variant[group.gain.idxmax()]
        adopted[f"{factor}: {best}"] = plan_round.factors[factor][best]
        base = replace(base, **adopted[f"{factor}: {best}"])
    return base, adopted


@dataclass(frozen=True)
class Step:
    """A round that was run."""

    round: Round
    base: Config  # what it started from
    table: pd.DataFrame  # from run_round
    adopted: dict  # from adopt
    after: Config  # what it ended with


def finalists(step):
    """What goes into the last comparison: the base that a round ended with, and its best other variant.

    Parameters
    ----------
    step : Step
        The last one. One seed cannot tell its best variant from its base where that gains little.

    Returns
    -------
    dict of str to illus.learn.training.Config
        ``"base"`` and, unless every variant failed or is too dear or was adopted, the best one's name.
    """
    candidates = {"base": step.after}
    affordable = step.table.iloc[1:].query("cost <= @MAX_RELATIVE_COST")
    for row in affordable.sort_values("macro_f1", ascending=False).head(1).itertuples():
        config = replace(step.base, **step.round.factors[row.factor][row.variant])
        candidates |= {row.variant: config} if config != step.after else {}
    return candidates


def verdict(step, noise):
    """What a round says, in Markdown: its best variant, what counts, what was adopted."""
    variants = step.table.iloc[1:].dropna(subset="gain")
    if variants.empty:
        return "Every variant failed."
    best, worst = (variants.loc[getattr(variants.gain, which)()] for which in ("idxmax", "idxmin"))
    dear = variants[(variants.gain > 2 * noise) & (variants.cost > MAX_RELATIVE_COST)].variant
    lines = [
        f"**What we see.** The best change is *{best.factor}: {best.variant}* ({best.gain:+.3f}), the "
        f"worst *{worst.factor}: {worst.variant}* ({worst.gain:+.3f}). Of {len(variants)} changes "
        f"{(variants.gain > 2 * noise).sum()} gain more than {2 * noise:.3f}, "
        f"{(variants.gain < -2 * noise).sum()} lose more; the rest is noise."
    ]
    if len(dear):
        lines.append(f"Better but too dear: {', '.join(dear)}.")
    lines.append(f"**What we fix.** {'; '.join(step.adopted) or 'Nothing: the base stays'}.")
    return " ".join(lines)


def run_plan(rounds, base, dataset, folder, work):
    """Run rounds one after the other, each from what the one before adopted.

    Parameters
    ----------
    rounds : sequence of illus.learn.plan.Round
    base : illus.learn.training.Config
        What the first round starts from.
    dataset, folder, work
        As for :func:`run`.

    Returns
    -------
    steps : list of Step
    noise : float
        Standard deviation of macro F1 over the profile's seeds, of the first base.
    """
    noise = compare_candidates({"base": (dataset, base)}, folder, "noise", work).macro_f1.std()
    steps = []
    for plan_round in rounds:
        base = replace(base, **plan_round.start)
        table = run_round(plan_round, base, dataset, folder, work)
        after, adopted = adopt(plan_round, base, table, noise)
        steps.append(Step(plan_round, base, table, adopted, after))
        base = after
    return steps, noise


def write_row(path, row):
    """Add a run to the table, or replace it; readers see the old table or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    if path.exists():  # as text, so that what stands there is not rounded or retyped
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    rows = [old for old in rows if old["run_id"] != row["run_id"]] + [row]
    columns = dict.fromkeys([*(name for old in rows for name in old), *load_table(path).columns])
    write_table(pd.DataFrame(rows, columns=list(columns), dtype=object), path)
