"""Class folders -> a trained, exported, scored classifier, in one call.

In: a folder of class folders. Out: the stages' tables under ``work/<dataset>/``, ``model.h5`` and its
card, ``model.json``. This is the short way; the notebooks take the same steps and explain them.
"""

import argparse
import shutil
import sys
from pathlib import Path

from evaluate import EvaluationError, format_result
from illus import config
from illus.clean.balance import split, subsample_for_profile
from illus.clean.duplicates import find_duplicates
from illus.clean.photos import find_photos
from illus.data.catalog import scan
from illus.learn import experiments
from illus.learn.export import install, installed_runs, score_all
from illus.learn.plan import CHOSEN
from illus.learn.settings import data_hash, run_id
from illus.parallel import write_table

HELD_OUT = 0.15


def prepare(folder, held_out=0.0):
    """Scan, find duplicates and photographs, split; write the tables of these stages.

    Parameters
    ----------
    folder : Path
        Class folders.
    held_out : float, default 0.0
        Share of every class that becomes the part ``test``.

    Returns
    -------
    pandas.DataFrame
        Columns of dataset.csv; in the quick profile a seeded part of each class.
    """
    work = config.work_dir(folder)
    work.mkdir(parents=True, exist_ok=True)
    catalog = scan(folder)
    write_table(catalog, work / "catalog.csv")
    duplicates = find_duplicates(catalog, folder)
    write_table(duplicates, work / "duplicates.csv")
    photos = find_photos(catalog, folder, config.SEED, duplicates)
    write_table(photos, work / "photos.csv")
    fractions = {"train": 0.9 - held_out, "validation": 0.1} | ({"test": held_out} if held_out else {})
    dataset = split(catalog, duplicates, photos, fractions, config.SEED)
    write_table(dataset, work / "dataset.csv")
    return subsample_for_profile(dataset)


def copy_part(dataset, folder, part, target):
    """Copy one part of a data set into class folders of its own, so that it can be scored."""
    shutil.rmtree(target, ignore_errors=True)
    for path in dataset.path[dataset.split == part]:
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder, path), place)


def run(folder):
    """Train on a folder, export, score: on the test folders beside it, or on a part that is held out."""
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
    names = install([record], dataset, folder, work, weights).class_names
    for result, rows in score_all(weights, tests, progress=True).values():
        print(f"\n== {result['test_folder']}\n{format_result(result, rows, names)}")
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")


def main(arguments=None):
    argparse.ArgumentParser(
        prog="python -m illus.pipeline",
        description="Train the network on a folder of class folders (DATA_DIR, else emoji20) in the "
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
