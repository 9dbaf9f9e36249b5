"""Class folders -> a trained, exported, scored classifier, in one call.

In: a folder of class folders. Out, under ``work/<dataset>/``: the tables of scan, duplicates, photos and
split; one record, as only the configuration ``plan.CHOSEN`` is trained, with one seed; ``model.h5`` and
``model.json``, its card with scores. Resampling, experiments and ensembles are in the notebooks only.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluate import EvaluationError, format_result
from illus import config
from illus.clean.balance import VALIDATION_SHARE, split, subsample_for_profile
from illus.clean.duplicates import find_duplicates
from illus.clean.photos import find_photos
from illus.data.catalog import scan
from illus.learn import experiments
from illus.learn.export import install, installed_runs, score_all
from illus.learn.plan import CHOSEN
from illus.learn.settings import data_hash, run_id
from illus.parallel import write_table

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
    catalog = scan(folder)
    write_table(catalog, work / "catalog.csv")
    duplicates = find_duplicates(catalog, folder)
    write_table(duplicates, work / "duplicates.csv")
    photos = find_photos(catalog, folder, config.SEED, duplicates)
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
    tests = config.test_folders(folder)
    dataset = prepare(folder, held_out=0.0 if tests else HELD_OUT)
    if not tests:
        tests = [work / "test"]
        copy_part(dataset, folder, "test", tests[0])
    settings = experiments.limit_to_profile(CHOSEN)
    weights = work / "model.h5"
    planned = run_id(settings, data_hash(dataset))
    record = experiments.run(
        dataset, folder, settings, "own data", work, with_weights=installed_runs(weights) != [planned]
    )
    names = install([record], dataset, folder, work, weights, data_name=work.name).class_names
    for result, rows in score_all(weights, tests, progress=True).values():
        print(f"\n== {result['test_folder']}\n{format_result(result, rows, names)}")
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success, 2 on an error, after one line that says it."""
    argparse.ArgumentParser(
        prog="python -m illus.pipeline",
        description="Clean a folder of class folders (DATA_DIR, else emoji20), train one network in the "
        "profile that PROFILE names, export it to work/<dataset>/model.h5 and score it.",
    ).parse_args(arguments)
    try:
        run(config.data_dir())
    except (EvaluationError, ValueError, OSError) as error:
        print(f"illus.pipeline: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
