"""Class folders -> a trained, exported, scored classifier, in one call.

In: a folder of class folders. Out, under ``work/<dataset>/``: the tables of scan, duplicates, photos and
split; one record, as only the configuration ``plan.CHOSEN`` is trained, with one seed; ``model.h5`` and
``model.json``, its card with scores. Resampling, experiments and ensembles are in the notebooks only.
With ``--recipe``, the networks of ``plan.RECIPES`` are trained instead, for hours, and exported to the file
that :func:`illus.config.weights_path` names.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from evaluate import Result, Row, format_result
from illus import config
from illus.clean.balance import VALIDATION_SHARE, split, split_by_cluster, subsample_for_profile
from illus.clean.duplicates import find_duplicates
from illus.clean.leaks import (
    describe_folder,
    format_leaks,
    format_scores_without,
    leaks_between,
    scores_without,
)
from illus.clean.photos import find_photos
from illus.data.catalog import scan
from illus.learn import experiments
from illus.learn.compiling import device_name
from illus.learn.export import ExportOptions, install, installed_runs, score_all
from illus.learn.plan import CHOSEN, RECIPES
from illus.learn.recipe import planned_members, run_recipe
from illus.learn.settings import Record, data_hash, run_id
from illus.parallel import write_table
from illus.report.assemble import report_dir, write_scores

HELD_OUT = 0.15  # share of each class that is scored if there are no test folders


def prepare(folder: Path, held_out: float = 0.0) -> pd.DataFrame:
    """Scan, find duplicates and photos, split; write the tables of these stages.

    Parameters
    ----------
    folder : Path
        Class folders.
    held_out : float, default 0.0
        Share of each class for the part ``test``; 0 for no such part.

    Returns
    -------
    pandas.DataFrame
        Columns of dataset.csv; what the profile allows of each class.

    Raises
    ------
    evaluate.EvaluationError
        There are no class folders.
    ValueError
        Too few images or classes are left.
    """
    work = config.work_dir(folder)
    work.mkdir(parents=True, exist_ok=True)
    cache = work / "cache"
    catalog = scan(folder, cache=cache)
    write_table(catalog, work / "catalog.csv")
    duplicates = find_duplicates(catalog, folder, cache=cache)
    write_table(duplicates, work / "duplicates.csv")
    photos = find_photos(catalog, folder, config.SEED, duplicates, cache=cache)
    write_table(photos, work / "photos.csv")
    fractions = {"train": 1 - VALIDATION_SHARE - held_out, "validation": VALIDATION_SHARE}
    fractions |= {"test": held_out} if held_out else {}
    dataset = split(catalog, duplicates, photos, fractions, config.SEED)
    write_table(dataset, work / "dataset.csv")
    return subsample_for_profile(dataset)


def copy_part(dataset: pd.DataFrame, folder: str | Path, part: str, target: Path) -> None:
    """Copy one part of a data set to class folders in ``target``, which is replaced, to score them."""
    shutil.rmtree(target, ignore_errors=True)
    for path in dataset.path[dataset.split == part]:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder, path), copy)


def run(folder: Path) -> None:
    """Prepare a folder, train, export, and print scores: on its test folders, or on a held-out part."""
    work = config.work_dir(folder)
    dataset = prepare(folder, held_out=0.0 if config.test_folders(folder) else HELD_OUT)
    tests = folders_to_score(dataset, folder)
    settings = experiments.limit_to_profile(CHOSEN)
    weights = work / "model.h5"
    planned = run_id(settings, data_hash(dataset))
    record = experiments.run(
        dataset, folder, settings, "own data", work, with_weights=installed_runs(weights) != [planned]
    )
    export([record], weights, dataset, folder, tests)


def run_weights(folder: Path) -> None:
    """Train the recipe for the device on a folder, in runs that resume; export the average and score it."""
    work = config.work_dir(folder)
    dataset = experiment_data(folder)
    tests = folders_to_score(dataset, folder)
    recipe, weights, options = (
        RECIPES[device_name()],
        config.weights_path(folder),
        ExportOptions(temperature=True),
    )
    numbers = f"{len(recipe.teachers)} teachers, {len(recipe.members)} networks that are averaged"
    print(f"the recipe for {device_name()}: {numbers}", flush=True)
    data = data_hash(dataset)
    if installed_runs(weights, options) == [run_id(member, data) for member in planned_members(recipe, data)]:
        print(f"it was trained before: {weights}")
        return
    export(run_recipe(recipe, dataset, folder, work), weights, dataset, folder, tests, options)


def experiment_data(folder: Path) -> pd.DataFrame:
    """The data set that notebook 03 leaves, or that :func:`prepare` makes, parted for experiments.

    Clusters of look-alikes are on one side of the split, see :func:`illus.clean.balance.split_by_cluster`;
    without test folders beside ``folder`` a part ``test`` is held out.
    """
    table = config.work_dir(folder) / "dataset.csv"
    plain = subsample_for_profile(pd.read_csv(table)) if table.exists() else prepare(folder)
    shares = {"validation": VALIDATION_SHARE}
    if not config.test_folders(folder):
        shares = {"test": HELD_OUT} | shares
    dataset = split_by_cluster(plain, folder, shares, config.SEED)
    write_table(dataset, table.with_name("split_by_cluster.csv"))
    return dataset


def folders_to_score(dataset: pd.DataFrame, folder: Path) -> list[Path]:
    """The folders to score: the test folders of a folder, or a copy of the part ``test`` of its data set."""
    tests = config.test_folders(folder)
    if not tests:
        tests = [config.work_dir(folder) / "test"]
        copy_part(dataset, folder, "test", tests[0])
    return tests


def export(
    records: Sequence[Record],
    weights: Path,
    dataset: pd.DataFrame,
    folder: Path,
    tests: list[Path],
    options: ExportOptions | None = None,
) -> None:
    """Write the networks of records to a weights file, score it, and print the scores and where it is."""
    work = config.work_dir(folder)
    names = install(records, dataset, folder, work, weights, options, data_name=work.name).class_names
    scored = score_all(weights, tests, progress=True).values()
    for result, rows in scored:
        print(f"\n== {result['test_folder']}\n{format_result(result, rows, names)}")
        write_scores(report_dir(folder), Path(result["test_folder"]).name, result, rows, names)
    if config.test_folders(folder):
        tell_leaks(folder, scored, names)
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")


def tell_leaks(folder: Path, scored: Iterable[tuple[Result, list[Row]]], class_names: Sequence[str]) -> None:
    """Print which files of test folders are copies of training files, and the scores without them.

    Writes ``leaks_<test folder>.csv`` to the work folder of the training folder.
    """
    training = describe_folder(folder)
    for result, rows in scored:
        test = Path(result["test_folder"])
        leaks = leaks_between(training, describe_folder(test))
        table = config.work_dir(folder) / f"leaks_{test.name}.csv"
        write_table(leaks, table)
        print(f"\n{test}: {format_leaks(leaks)}")
        if len(leaks):
            without = scores_without(rows, leaks.path, class_names)
            print(f"  {format_scores_without(result, without)}\n  all of them: {table}")
