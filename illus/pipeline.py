"""Class folders -> a trained, exported, scored classifier, in one call.

In: a folder of class folders. Out: the stages' tables under ``work/<dataset>/``, a weights file and
its card. This is the short way; the notebooks take the same steps and explain them.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from evaluate import EvaluationError, ProgressLine, evaluate, format_result, read_description
from illus import config, experiments
from illus.balance import in_profile, split
from illus.catalog import scan
from illus.duplicates import find_duplicates
from illus.photos import find_photos
from illus.tables import write_table
from illus.training import Config, data_hash, run_id

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
    return in_profile(dataset)


def copy_part(dataset, folder, part, target):
    """Copy one part of a data set into class folders of its own, so that it can be scored."""
    shutil.rmtree(target, ignore_errors=True)
    for path in dataset.path[dataset.split == part]:
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder, path), place)


def export(record, weights, test_folders):
    """Install a run's network as ``weights``, if it is not there yet, and write its card, scores included.

    Parameters
    ----------
    record : illus.training.Record
    weights : Path
        HDF5 file to write; the card is the JSON file of the same name beside it.
    test_folders : list of Path
        Scored once each.

    Returns
    -------
    list of dict
        The results, as :func:`evaluate.evaluate` gives them.
    """
    weights.parent.mkdir(parents=True, exist_ok=True)
    if installed_run(weights) != record.run_id:
        shutil.copyfile(record.weights, weights)
    scored = [evaluate(folder, weights, progress=ProgressLine()) for folder in test_folders]
    results = [result for result, _, _ in scored]
    card = {"training": read_description(weights).training,
            "scores": {Path(r["test_folder"]).name: r for r in results}}
    partial = weights.with_suffix(".partial")
    partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, weights.with_suffix(".json"))
    for result, rows, description in scored:
        print(f"\n== {result['test_folder']}\n{format_result(result, rows, description.class_names)}")
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")
    return results


def installed_run(weights):
    """The run that a weights file comes from, or None."""
    return read_description(weights).training.get("run_id") if weights.exists() else None


def run(folder, weights=None):
    """Train on a folder, export, score.

    emoji20 brings its own test folders; of any other data set 15 % of each class is held out.
    """
    own = folder.resolve() == (config.EMOJI20 / "training").resolve()
    work = config.work_dir(folder)
    dataset = prepare(folder, held_out=0.0 if own else HELD_OUT)
    if own:
        tests = [config.EMOJI20 / "test", config.EMOJI20 / "test_unseen_style"]
    else:
        tests = [work / "test"]
        copy_part(dataset, folder, "test", tests[0])
    settings = experiments.in_profile(Config(seed=config.SEED))
    weights = weights or work / "best.h5"
    planned = run_id(settings, data_hash(dataset))
    record = experiments.run(dataset, folder, settings, "first model", work,
                             with_weights=installed_run(weights) != planned)
    return export(record, weights, tests)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m illus.pipeline",
        description="Train the network on a folder of class folders (DATA_DIR, else emoji20) in the "
                    "profile that PROFILE names, export it and score it.")
    parser.add_argument("--weights", type=Path, metavar="FILE",
                        help="HDF5 file to write (default: work/<dataset>/best.h5)")
    options = parser.parse_args(arguments)
    try:
        run(config.data_dir(), options.weights)
    except (EvaluationError, ValueError, OSError) as error:
        print(f"illus.pipeline: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
