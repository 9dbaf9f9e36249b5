"""Every recorded table: what it measures, by which command, on what; whether that was today's code.

In: the CSV files in ``results/``. Out: what ``results/benchmarks.md`` says of each.
"""

import importlib
import re
from dataclasses import dataclass

import pandas as pd

from illus import work_folders
from illus.hashing import code_of
from illus.learn.settings import code_hash

LONGEST, WIDEST = 40, 16  # rows and columns of a table that is shown whole
TWO_CORES = "two CPU cores"
SHARED = "two CPU cores that other work shared"
PHOTO_BENCH = "python -m benchmarks.photos --photo-bench FOLDER"
PHOTO_HARM = "python -m benchmarks.photo_harm"
EXPERIMENTS = "PROFILE=full python -m benchmarks.experiments"
EARLIER = "*Measured with earlier code.*\n"
HEAD = """# Recorded measurements

Rendered from the CSV files in this folder by `make benchmarks`; do not edit. `make benchmarks RUN=NAME`
measures one anew (`python -m benchmarks.NAME`) and renders again. `code` is the hash of the code that
decides a row (syntax trees without docstrings and comments); – means that the row is older than the column.
Where a row is not of today's code, the table is marked as *measured with earlier code*. Library versions
are those pinned in `requirements.txt`, and for other tools those in `benchmarks/peers/requirements.txt`, at
the commit that recorded the table. Seconds compare only within a table. Tables that nothing draws on any
more lie in [archive/](archive/).
"""


@dataclass(frozen=True)
class Record:
    """One CSV file in ``results/``."""

    what: str  # is measured, and with which settings
    command: str  # that renews it
    machine: str = ""


RECORDS = {
    "training": Record(
        "Our network and what one would do otherwise, trained on the same images for ten minutes each.",
        "python -m benchmarks.training",
        TWO_CORES,
    ),
    "step": Record(
        "A training step by the number of channels; `cost_of_an_operation`: relative to 32 channels.",
        "python -m benchmarks.step",
        TWO_CORES,
    ),
    "trials": Record(
        "Experiments of notebook 04 on emoji20, a row per answer and seed.", EXPERIMENTS, SHARED
    ),
    "cures_test": Record("The first and the last of the cures on the test folders.", EXPERIMENTS, SHARED),
    "ranking": Record(
        "Whether validation ranks networks as the test folders do.", "python -m benchmarks.ranking"
    ),
    "emoji20": Record("Files of each kind in emoji20.", "python -m benchmarks.emoji20"),
    "duplicates": Record(
        "Redundant files, and pairs, found on emoji20's training folder.",
        "python -m benchmarks.duplicates",
        SHARED,
    ),
    "duplicates_second": Record(
        "The same on copies by which nothing was chosen, and the share found of each kind.",
        "python -m benchmarks.duplicates",
        SHARED,
    ),
    "duplicates_twins": Record(
        "Files called redundant against the truth; how much the clean drawings differ, in % of pixels.",
        "python -m benchmarks.duplicates",
    ),
    "duplicates_curve": Record(
        "Recall and precision over the largest distance of a copy, on another seed.",
        "python -m benchmarks.threshold",
    ),
    "duplicates_settings": Record(
        "Settings of the duplicate finder at other values, on a third of that seed.",
        "python -m benchmarks.threshold",
    ),
    "leaks": Record("Copies of training images in a test folder.", "python -m benchmarks.leaks"),
    "leaks_settings": Record(
        "Settings of the leak check, tried on the training folder.", "python -m benchmarks.leaks"
    ),
    "growth": Record(
        "The search for duplicates over the size of a collection.", "python -m benchmarks.growth"
    ),
    "photos": Record("Photographs found, for each method, with three seeds.", PHOTO_BENCH, SHARED),
    "photos_ablation": Record("The photo filter without its parts, with three seeds.", PHOTO_BENCH, SHARED),
    "photo_harm": Record(
        "What photographs among the training images do to a small network, a row a run.", PHOTO_HARM, SHARED
    ),
    "photo_harm_classes": Record("F1 of each class in those runs.", PHOTO_HARM),
    "photo_harm_answers": Record(
        "What those networks answer for drawings and for photographs held out.", PHOTO_HARM
    ),
    "labels": Record("How well wrong labels are found.", "python -m benchmarks.labels", TWO_CORES),
    "evaluate": Record(
        "Seconds of scoring beside import, decoding and prediction, and beside Keras's own reader.",
        "python -m benchmarks.evaluate",
        SHARED,
    ),
    "real_size": Record(
        "Processor time and memory of reading at the challenge's image sizes, beside three floors.",
        "python -m benchmarks.real_size",
        SHARED,
    ),
    "interchange": Record(
        "Whether exported networks predict what the weights file predicts.",
        "python -m benchmarks.interchange",
    ),
    "fuzz": Record("`evaluate.py` on damaged images and weights files.", "make fuzz", SHARED),
}


def described(name: str) -> Record:
    """What is known of ``results/<name>.csv``."""
    return RECORDS.get(name, Record(f"{name.replace('_', ' ').capitalize()}.", "nothing"))


def recorded() -> list[str]:
    """Names of the recorded tables: those that are described first, in order."""
    found = sorted(path.stem for path in work_folders.RESULTS.glob("*.csv"))
    return [name for name in RECORDS if name in found] + [name for name in found if name not in RECORDS]


def todays_code(command: str) -> str:
    """The hash of the code that would write a table today: its benchmark's ``SOURCES``, else training."""
    script = re.search(r"-m (benchmarks\.\w+)", command)
    sources = getattr(importlib.import_module(script[1]), "SOURCES", None) if script else None
    return code_of(sources) if sources else code_hash()


def is_of_todays_code(name: str, table: pd.DataFrame) -> bool:
    """Whether all rows say that they were measured with the code of today."""
    return "code" in table and set(table.code) == {todays_code(described(name).command)}
