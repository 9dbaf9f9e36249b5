"""Stages in one call: class folders -> tables, a review page, a cleaned folder, a scored classifier.

In: a folder of class folders. Out, under ``work/<dataset>/``: the tables of scan, duplicates, photos and
split. :func:`run` trains ``plan.CHOSEN`` with one seed and writes ``model.h5`` and ``model.json``, its card
with scores; :func:`run_weights` trains the networks of ``plan.RECIPE`` for hours and exports their average
where :func:`illus.work_folders.weights_path` says. Both balance classes by ``resample.IN_TRAINING``.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import evaluate
from evaluate import EvaluationError, Result, Row, read_description
from illus import profiles, work_folders
from illus.copies import leaks
from illus.copies.duplicates import find_duplicates
from illus.dataset.cleaned import check_out, format_cleaned, free_places, keep_or_remove, write_cleaned
from illus.dataset.resample import IN_TRAINING, join_validation, resample
from illus.dataset.split import (
    HELD_OUT_SHARE,
    VALIDATION_SHARE,
    split,
    split_by_cluster,
    subsample_for_profile,
)
from illus.dataset.table import NAME as DATASET
from illus.dataset.table import write_dataset
from illus.files.catalog import scan
from illus.files.overrides import NAME as OVERRIDES
from illus.files.overrides import decided, read_overrides, reasons, relabel
from illus.files.tables import read_table
from illus.hashing import code_of, digest
from illus.learn import runs
from illus.learn.compiling import device_name
from illus.learn.export import ExportOptions, check_class_names, install, installed_runs, score_all
from illus.learn.labels import find_label_errors
from illus.learn.plan import CHOSEN, RECIPE
from illus.learn.settings import Config, data_hash, run_id
from illus.parallel import write_table
from illus.photos.finder import find_photos
from illus.report.assemble import REVIEW_PAGE, drop_scores, report_dir, show_scores
from illus.report.review import write_review


class Tables(NamedTuple):
    """What the stages of cleaning leave of a folder."""

    catalog: pd.DataFrame
    duplicates: pd.DataFrame
    photos: pd.DataFrame
    overrides: pd.DataFrame  # decisions of a person


def clean(folder: Path) -> Tables:
    """Scan, find duplicates and photos; write the tables of these stages.

    Tables that the same code has made of the same files and decisions are read instead. A person's decisions
    are read from ``work/<dataset>/overrides.csv``; ValueError if that is malformed, evaluate.EvaluationError
    if there are no class folders.
    """
    work = work_folders.work_dir(folder)
    cache = work / "cache"
    overrides = read_overrides(work / OVERRIDES)
    catalog = scan(folder, cache=cache)
    relabel(catalog, overrides)  # a class that does not exist is an error before the long stages
    places, stamp = [work / "duplicates.csv", work / "photos.csv"], work / "cleaned.txt"
    made_from = [table.to_csv(index=False) for table in (catalog, overrides)]
    rooms = [Path(__file__).parent / room for room in ("files", "copies", "photos")]
    made_from.append(code_of(sorted(path for room in rooms for path in room.glob("*.py"))))
    is_current = stamp.exists() and stamp.read_text() == _stamp(made_from, places)
    if not is_current:
        for place in places:
            place.unlink(missing_ok=True)  # of the files as they were before
    write_table(catalog, work / "catalog.csv")
    if not is_current:
        duplicates = find_duplicates(catalog, folder, overrides=overrides, cache=cache)
        write_table(duplicates, places[0])
        photos = find_photos(catalog, folder, profiles.SEED, duplicates, overrides=overrides, cache=cache)
        write_table(photos, places[1])
        stamp.write_text(_stamp(made_from, places))
    duplicates, photos = map(read_table, places)
    return Tables(catalog, duplicates, photos, overrides)


def _stamp(made_from: list[str], places: list[Path]) -> str:
    """A hash of what tables were made from and of the tables; another one where a notebook wrote them."""
    return digest("\n".join([*made_from, *(place.read_text("utf-8") for place in places if place.exists())]))


def prepare(folder: Path, held_out: float = 0.0) -> pd.DataFrame:
    """Clean a folder, split and balance what is kept, write the table; return what the profile allows."""
    check_class_names(evaluate.class_folders(folder))
    catalog, duplicates, photos, overrides = clean(folder)
    fractions = {"train": 1 - VALIDATION_SHARE - held_out, "validation": VALIDATION_SHARE}
    fractions |= {"test": held_out} if held_out else {}
    dataset = split(catalog, duplicates, photos, fractions, profiles.SEED, overrides)
    dataset = resample(dataset, IN_TRAINING, profiles.SEED)
    write_dataset(dataset, work_folders.work_dir(folder))
    return subsample_for_profile(dataset)


def check_labels(folder: Path) -> str:
    """Find labels that are in doubt, write ``work/<dataset>/labels.csv``, and say how many there are."""
    (catalog, duplicates, photos, overrides), work = clean(folder), work_folders.work_dir(folder)
    dataset = split(catalog, duplicates, photos, seed=profiles.SEED, overrides=overrides)
    doubted = find_label_errors(dataset, folder, work=work)
    write_table(doubted.merge(catalog[["path", "sha256"]]), work / "labels.csv")
    counts = f"{len(doubted):,} of {len(dataset):,} labels are in doubt: {work / 'labels.csv'}"
    return f"{counts}; nothing is changed. To decide about them: python -m illus review {folder}"


def write_review_page(folder: Path) -> Path:
    """Clean a folder and write the page on which a person decides, also about labels that are in doubt.

    What the label check said of files that are no longer there, or not the same, is left out.
    """
    catalog, duplicates, photos, overrides = clean(folder)
    labels, doubted = work_folders.work_dir(folder) / "labels.csv", None
    if labels.exists():
        doubted = read_table(labels)  # files may have been moved to the class that was suggested
        doubted = doubted.merge(catalog[["path", "sha256"]])
    out = report_dir(folder) / REVIEW_PAGE
    return write_review(catalog, duplicates, photos, folder, out, doubted, overrides)


def write_cleaned_folder(folder: Path, out: Path) -> str:
    """Copy what is kept to class folders in ``out``, see :func:`illus.dataset.cleaned.write_cleaned`."""
    check_out(folder, out)
    catalog, duplicates, photos, overrides = clean(folder)
    catalog = relabel(catalog, overrides)
    is_dropped = decided(catalog, overrides) == "drop"
    told = reasons(catalog, overrides, "drop")
    dropped = dict(zip(catalog.path[is_dropped], told[is_dropped], strict=True))
    kept, removed = keep_or_remove(catalog, duplicates, photos, dropped)
    written = write_cleaned(folder, out, kept, removed)
    return format_cleaned(written, removed, out)


def copy_part(dataset: pd.DataFrame, folder: str | Path, part: str, target: Path) -> None:
    """Copy one part of a data set to class folders in ``target``, which is replaced, to score them."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    rows = dataset[dataset.split == part].reset_index(drop=True)
    for row, copy in free_places(rows, target):
        shutil.copyfile(Path(folder, rows.path[row]), copy)


def run(folder: Path) -> None:
    """Prepare a folder, train, export, and print scores: on its test folders, or on a held-out part."""
    check_tests(folder)
    work = work_folders.work_dir(folder)
    dataset = prepare(folder, held_out=0.0 if work_folders.test_folders(folder) else HELD_OUT_SHARE)
    tests = folders_to_score(dataset, folder, "test")
    export((CHOSEN,), work / "model.h5", dataset, folder, tests, ExportOptions(mirror=True))


def run_weights(folder: Path) -> None:
    """Train the recipe on a folder, in runs that resume; export the average and score it."""
    dataset = experiment_data(folder, anew=True)
    tests = folders_to_score(dataset, folder)
    print(f"{len(RECIPE)} networks that are averaged, on the {device_name()}", flush=True)
    options = ExportOptions(temperature=True)
    export(RECIPE, work_folders.weights_path(folder), dataset, folder, tests, options, on_all=True)


def experiment_data(folder: Path, anew: bool = False) -> pd.DataFrame:
    """The data set that notebook 03 leaves, or that :func:`prepare` makes, parted for experiments.

    Clusters of look-alikes are on one side of the split, see :func:`illus.dataset.split.split_by_cluster`;
    without test folders beside ``folder`` a part ``test`` is held out. With ``anew`` the table that is there
    is not taken: it may be of fewer files, as of the quick profile, or from before a person's decisions. One
    from which a part ``test`` is held out is never taken.
    """
    check_tests(folder)
    table = work_folders.work_dir(folder) / DATASET
    before = read_table(table) if table.exists() and not anew else None
    left = before is not None and "test" not in set(before.split)
    plain = subsample_for_profile(before) if left else prepare(folder)
    shares = {"validation": VALIDATION_SHARE}
    if not work_folders.test_folders(folder):
        shares = {"test": HELD_OUT_SHARE} | shares
    dataset = split_by_cluster(plain, folder, shares, profiles.SEED, cache=table.with_name("cache"))
    write_table(dataset, table.with_name("split_by_cluster.csv"))
    return dataset


def check_tests(folder: Path) -> None:
    """Say before any training what could not be scored after it, or raise evaluate.EvaluationError."""
    for path, why in work_folders.untested_folders(folder).items():
        print(f"{path} is not scored: {why}", flush=True)
    known = evaluate.class_folders(folder)
    for test in work_folders.test_folders(folder):
        classes = evaluate.class_folders(test)
        if unknown := [name for name in classes if name not in known]:
            names = evaluate.shorten_list(unknown)
            raise EvaluationError(f"{test} has classes that {folder} lacks, so it cannot be scored: {names}")
        paths = (path for sub in classes.values() for path in evaluate.list_files(sub))
        if all(isinstance(evaluate.read_fitted(path, 1, "pad"), str) for path in paths):
            raise EvaluationError(f"no file in the class folders of {test} is a readable image")


def folders_to_score(dataset: pd.DataFrame, folder: Path, name: str = "held_out") -> list[Path]:
    """The folders to score: the test folders of a folder, or a copy of the part ``test`` of its data set.

    ``name`` of the copy in the work folder: what one split holds out another may have trained on.
    """
    tests = work_folders.test_folders(folder)
    if not tests:
        tests = [work_folders.work_dir(folder) / name]
        copy_part(dataset, folder, "test", tests[0])
    return tests


def export(
    members: Sequence[Config],
    weights: Path,
    dataset: pd.DataFrame,
    folder: Path,
    tests: list[Path],
    options: ExportOptions | None = None,
    on_all: bool = False,
) -> None:
    """Train networks unless a weights file has them, write it, and print its scores and where it is."""
    work = work_folders.work_dir(folder)
    # On all: trained twice, without the validation part, to be judged on it, and with it, to be exported.
    taught = join_validation(dataset, profiles.SEED) if on_all else dataset
    planned = [run_id(runs.limit_to_profile(member), data_hash(taught)) for member in members]
    if installed_runs(weights, options) == planned:
        print(f"it was trained before: {weights}", flush=True)
    else:
        judges = runs.run_members(members, dataset, folder, work)
        records = runs.run_members(members, taught, folder, work) if on_all else judges
        install(records, dataset, folder, work, weights, options, work.name, judges)
    description = read_description(weights)
    scored = score_all(weights, tests).values()
    drop_scores(report_dir(folder), tests)
    for result, rows in scored:
        show_scores(report_dir(folder), result, rows, description)
    if work_folders.test_folders(folder):
        tell_leaks(folder, scored, description.class_names)
    print(f"\nweights: {weights}, their card: {weights.with_suffix('.json')}")


def tell_leaks(folder: Path, scored: Iterable[tuple[Result, list[Row]]], class_names: Sequence[str]) -> None:
    """Print which files of test folders are copies of training files, and the scores without them.

    Writes ``leaks_<test folder>.csv`` to the work folder of the training folder.
    """
    work = work_folders.work_dir(folder)
    decisions = read_overrides(work / OVERRIDES)
    training = leaks.describe_folder(folder, cache=work / "cache", overrides=decisions)
    for result, rows in scored:
        test = Path(result["test_folder"])
        found = leaks.leaks_between(training, leaks.describe_folder(test, cache=work / "cache"))
        table = work / f"leaks_{test.name}.csv"
        write_table(found, table)
        print(f"\n{test}: {leaks.format_leaks(found)}")
        if len(found):
            without = leaks.scores_without(rows, found.path, class_names)
            print(f"  {leaks.format_scores_without(result, without)}\n  all of them: {table}")
