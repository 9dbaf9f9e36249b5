"""Class folders -> a trained, exported, scored classifier, in one call.

In: a folder of class folders. Out, under ``work/<dataset>/``: the tables of scan, duplicates, photos and
split; one record, as only the configuration ``plan.CHOSEN`` is trained, with one seed; ``model.h5`` and
``model.json``, its card with scores. Resampling, experiments and ensembles are in the notebooks only.
With ``--recipe``, the networks of ``plan.RECIPES`` are trained instead, for hours, and exported to the file
that :func:`illus.config.weights_path` names.
"""

import argparse
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluate import EvaluationError, format_result
from illus import config
from illus.clean.balance import VALIDATION_SHARE, split, split_by_cluster, subsample_for_profile
from illus.clean.duplicates import find_duplicates
from illus.clean.overrides import NAME, read_overrides, relabel
from illus.clean.photos import find_photos
from illus.data.catalog import scan
from illus.learn import experiments
from illus.learn.compiling import device_name
from illus.learn.export import ExportOptions, install, installed_runs, score_all
from illus.learn.plan import CHOSEN, RECIPES
from illus.learn.recipe import planned_members, run_recipe
from illus.learn.settings import Record, data_hash, run_id
from illus.parallel import write_table

HELD_OUT = 0.15  # share of each class that is scored if there are no test folders


def prepare(folder: Path, held_out: float = 0.0) -> pd.DataFrame:
    """Scan, find duplicates and photos, split; write the tables of these stages.

    A person's decisions in ``overrides.csv`` beside the tables are put above the stages' own.

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
        Too few images or classes are left, or overrides.csv is malformed.
    """
    work = config.work_dir(folder)
    work.mkdir(parents=True, exist_ok=True)
    overrides = read_overrides(work / NAME)
    catalog = scan(folder)
    write_table(catalog, work / "catalog.csv")
    relabel(catalog, overrides)  # a class that does not exist is an error before the long stages
    duplicates = find_duplicates(catalog, folder, overrides=overrides)
    write_table(duplicates, work / "duplicates.csv")
    photos = find_photos(catalog, folder, config.SEED, duplicates, overrides=overrides)
    write_table(photos, work / "photos.csv")
    fractions = {"train": 1 - VALIDATION_SHARE - held_out, "validation": VALIDATION_SHARE}
    fractions |= {"test": held_out} if held_out else {}
    dataset = split(catalog, duplicates, photos, fractions, config.SEED, overrides)
    write_table(dataset, work / "dataset.csv")
    return subsample_for_profile(dataset)


def copy_part(dataset: pd.DataFrame, folder: str | Path, part: str, target: Path) -> None:
    """Copy one part of a data set to class folders in ``target``, which is replaced, to score them.

    A file that a person gave another class keeps its whole path in the folder of that class.
    """
    shutil.rmtree(target, ignore_errors=True)
    rows = dataset[dataset.split == part]
    for path, class_name in zip(rows.path, rows.class_name, strict=True):
        at_home = unicodedata.normalize("NFC", path.split("/")[0]) == class_name
        copy = target / path if at_home else target / class_name / path
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
    for result, rows in score_all(weights, tests, progress=True).values():
        print(f"\n== {result['test_folder']}\n{format_result(result, rows, names)}")
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success, 2 on an error, after one line that says it."""
    parser = argparse.ArgumentParser(
        prog="python -m illus.pipeline",
        description="Clean a folder of class folders (DATA_DIR, else emoji20), train one network in the "
        "profile that PROFILE names, export it to work/<dataset>/model.h5 and score it.",
    )
    parser.add_argument(
        "--recipe",
        action="store_true",
        help="train what is shipped instead, networks and their teachers; takes hours, resumes where it was "
        "stopped, and says where its best.h5 lies",
    )
    recipe = parser.parse_args(arguments).recipe
    try:
        (run_weights if recipe else run)(config.data_dir())
    except (EvaluationError, ValueError, OSError) as error:
        print(f"illus.pipeline: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
