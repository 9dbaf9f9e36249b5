"""A plan of configurations -> a table of results; a finished run is never trained again.

In: a data set and configurations. Out: records, one row each in ``experiments.csv``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import evaluate
from illus import config as paths
from illus.clean import balance
from illus.learn.plan import Round
from illus.learn.settings import Changes, Config, Record, Scalar, data_hash, run_id, summary
from illus.learn.training import train
from illus.parallel import write_table

MAX_RELATIVE_COST = 1.15  # multiply-adds of an adopted variant, relative to the base


def table_path(work: Path) -> Path:
    """Where records are stored: in ``results/`` in the full profile, otherwise in the work folder."""
    return paths.RESULTS / "experiments.csv" if paths.profile().name == "full" else work / "experiments.csv"


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


def score_once(record: Record, test_folders: Sequence[Path], work: Path) -> dict[str, float]:
    """Macro F1 of a run on test folders, stored in its row and never computed twice.

    Parameters
    ----------
    record : illus.learn.settings.Record
        Of a run whose row is in the table.
    test_folders : sequence of Path
    work : Path

    Returns
    -------
    dict of str to float
        Name of a folder to macro F1.
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


def limit_to_profile(config: Config) -> Config:
    """The configuration with at most the epochs and steps that the profile allows."""
    profile = paths.profile()
    epochs = min(config.epochs, profile.max_epochs or config.epochs)
    steps = config.steps_per_epoch
    return replace(config, epochs=epochs, steps_per_epoch=steps and min(steps, profile.max_steps or steps))


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


def choose(compared: pd.DataFrame) -> str:
    """The cheapest of the candidates whose difference to the best may be noise.

    Parameters
    ----------
    compared : pandas.DataFrame
        From :func:`compare_candidates`.

    Returns
    -------
    str
        Name of the candidate with fewest multiply-adds among those whose mean macro F1 differs from the
        best mean by at most the largest standard deviation between seeds; of equal cost, the better one.
    """
    cost = pd.Series([record.multiply_adds for record in compared.record], compared.index)
    by_name = compared.assign(cost=cost).groupby("name", sort=False)
    names = by_name.agg(mean=("macro_f1", "mean"), sd=("macro_f1", "std"), cost=("cost", "first"))
    tied = names[names["mean"] >= names["mean"].max() - names.sd.fillna(0).max()]
    return tied.sort_values(["cost", "mean"], ascending=[True, False]).index[0]


def run_round(
    plan_round: Round,
    base: Config,
    dataset: pd.DataFrame,
    folder: str | Path,
    work: Path,
    other_data: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Run a round of the plan: the base, and each variant of each factor, all else as in the base.

    Parameters
    ----------
    plan_round : illus.learn.plan.Round
    base : illus.learn.settings.Config
    dataset, folder, work
        As for :func:`run`.
    other_data : mapping of str to pandas.DataFrame, optional
        Further variants, of a factor called ``data``: the base, trained on other data sets.

    Returns
    -------
    pandas.DataFrame
        A row for the base, then one for each variant: ``factor``, ``variant``, ``macro_f1``,
        ``micro_f1`` (both on validation), ``gain`` (of macro F1 over the base), ``cost`` (multiply-adds
        relative to the base), ``seconds`` and ``error``. Runs that failed have no scores.
    """
    variants = [
        (factor, name, dataset, replace(base, **changes))
        for factor, named in plan_round.factors.items()
        for name, changes in named.items()
    ]
    variants += [("data", name, other, base) for name, other in (other_data or {}).items()]
    rows = []
    for factor, variant, data, config in [("", "base", dataset, base), *variants]:
        row: dict[str, Scalar] = {"factor": factor, "variant": variant, "error": ""}
        try:
            record = run(data, folder, limit_to_profile(config), plan_round.name, work)
            row |= {"macro_f1": record.val_macro_f1, "micro_f1": record.val_micro_f1}
            row |= {"cost": record.multiply_adds, "seconds": record.seconds}
        except Exception as error:  # it is reported in the table; the other variants are still of use
            row["error"] = f"{type(error).__name__}: {error}"
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.assign(gain=table.macro_f1 - table.macro_f1[0], cost=table.cost / table.cost[0])


def adopt(
    plan_round: Round, base: Config, table: pd.DataFrame, noise: float
) -> tuple[Config, dict[str, Changes]]:
    """What the next round starts from: the best variant of each factor, if its gain is more than noise.

    Parameters
    ----------
    plan_round, base
        As for :func:`run_round`.
    table : pandas.DataFrame
        From :func:`run_round`.
    noise : float
        Standard deviation of macro F1 between seeds. A variant must gain more than twice as much, and
        cost at most ``MAX_RELATIVE_COST`` times as much as the base.

    Returns
    -------
    config : illus.learn.settings.Config
    adopted : dict of str to dict
        ``factor: variant`` to the settings that it changes.
    """
    adopted: dict[str, Changes] = {}
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
    adopted: dict[str, Changes]  # from adopt
    after: Config  # what it ended with


def finalists(step: Step) -> dict[str, Config]:
    """The candidates of the last comparison: what a round ended with, and its best affordable variant.

    Parameters
    ----------
    step : Step
        The last round, which had one seed: too few to tell a small gain from noise.

    Returns
    -------
    dict of str to illus.learn.settings.Config
        ``"base"`` and the best variant's name; without the latter if every variant failed or is too
        expensive, or if the best one was adopted.
    """
    candidates = {"base": step.after}
    affordable = step.table.iloc[1:].query("cost <= @MAX_RELATIVE_COST")
    for row in affordable.sort_values("macro_f1", ascending=False).head(1).itertuples():
        config = replace(step.base, **step.round.factors[row.factor][row.variant])
        candidates |= {row.variant: config} if config != step.after else {}
    return candidates


def verdict(step: Step, noise: float) -> str:
    """The result of a round, in Markdown: best and worst variant, how many beat noise, what was adopted."""
    variants = step.table.iloc[1:].dropna(subset="gain")
    if variants.empty:
        return "Every variant failed."
    best, worst = (variants.loc[getattr(variants.gain, which)()] for which in ("idxmax", "idxmin"))
    expensive = variants[(variants.gain > 2 * noise) & (variants.cost > MAX_RELATIVE_COST)].variant
    lines = [
        f"**What we see.** The best change is *{best.factor}: {best.variant}* ({best.gain:+.3f}), the "
        f"worst *{worst.factor}: {worst.variant}* ({worst.gain:+.3f}). Of {len(variants)} changes "
        f"{(variants.gain > 2 * noise).sum()} gain more than {2 * noise:.3f}, "
        f"{(variants.gain < -2 * noise).sum()} lose more; the rest is noise."
    ]
    if len(expensive):
        lines.append(f"Better but too expensive: {', '.join(expensive)}.")
    lines.append(f"**What we fix.** {'; '.join(step.adopted) or 'Nothing: the base stays'}.")
    return " ".join(lines)


def run_plan(
    rounds: Sequence[Round], base: Config, dataset: pd.DataFrame, folder: str | Path, work: Path
) -> tuple[list[Step], float]:
    """Run rounds one after the other, each starting from what the round before adopted.

    Parameters
    ----------
    rounds : sequence of illus.learn.plan.Round
    base : illus.learn.settings.Config
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


def write_row(path: Path, row: Mapping[str, Scalar]) -> None:
    """Add the row of a run to the table, or replace it; new names become new columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Mapping[str, Scalar]] = []
    if path.exists():  # read as text, so that other rows are written back unchanged
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    rows = [old for old in rows if old["run_id"] != row["run_id"]] + [row]
    columns = dict.fromkeys([*(name for old in rows for name in old), *load_table(path).columns])
    write_table(pd.DataFrame(rows, columns=list(columns), dtype=object), path)
