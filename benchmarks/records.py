"""Every recorded table: what it measures, by which benchmark, which code decides it.

In: what a benchmark measured. Out: CSV files in ``results/``, and the list of them in its ``benchmarks.md``.
"""

import pandas as pd

from illus import work_folders
from illus.hashing import code_of
from illus.learn.settings import DECIDING_MODULES, code_hash
from illus.parallel import write_table

HEAD = """# Recorded measurements

The CSV files in this folder. `code` in their rows is the hash of the code that decides them (syntax trees,
without docstrings and comments); *today's* counts the rows whose code is that of this tree. `make benchmarks
RUN=NAME` measures anew (`python -m benchmarks.NAME`) and renders this page. Library versions are those pinned
in `requirements.txt`, and for other tools those in `benchmarks/peers/requirements*.txt`, at the commit that
recorded the table. Measured on two CPU cores, which other work often shared (`training` on one; runs whose
`device` is `gpu` on an H100): seconds compare only within a table. `experiments` and `ranking` need
`PROFILE=full` in front. Tables that nothing draws on any more lie in [archive/](archive/).
"""
EARLIER = "\n*Measured with earlier code.*\n"  # below a table in a document


def modules(folder: str, names: str) -> tuple[str, ...]:
    """Paths of Python files in one folder."""
    return tuple(f"{folder}/{name}.py" for name in names.split())


LEARNING = modules("illus/learn", " ".join(DECIDING_MODULES))
DUPLICATE_FINDER = (
    *modules("illus/files", "catalog decoded descriptors"),
    *modules("illus/copies", "align candidates compare duplicates groups settings which_is_kept"),
    "illus/emoji20/truth.py",
)
FINDERS = modules(
    "benchmarks/peers", "groups cleanvision_sets imagededup_pairs imgeda_groups dataeval_groups fastdup_pairs"
)
LABELS = ("illus/learn/plan.py:LABEL_CHECK", "illus/copies/groups.py", "benchmarks/peers/cleanlab_issues.py")
PHOTO_FILTER = (
    "illus/files/photo_statistics.py",
    *modules("illus/photos", "autoencoder clusters self_training finder settings"),
)
REAL_SIZE = ("evaluate.py", *modules("illus/files", "photo_statistics reading"))
DECIDES: dict[str, tuple[str, ...]] = {  # a benchmark's rows, beside its own file
    "duplicates": (*DUPLICATE_FINDER, "benchmarks/second_contamination.py", *FINDERS),
    "emoji20": modules("illus/emoji20", "build contaminate photographs render sources"),
    "evaluate": ("evaluate.py", *modules("benchmarks/peers", "scoring_floor keras_directory")),
    "fuzz": ("evaluate.py",),
    "growth": (*DUPLICATE_FINDER, *modules("benchmarks/peers", "image_groups illus_duplicates")),
    "labels": (*LEARNING, *modules("illus/learn", "heads labels"), *LABELS),
    "leaks": (*DUPLICATE_FINDER, "illus/copies/leaks.py", "illus/emoji20/contaminate.py"),
    "photo_harm": (*LEARNING, *DUPLICATE_FINDER, "illus/dataset/split.py"),
    "photos": (*PHOTO_FILTER, "benchmarks/photo_sets.py"),
    "photo_rounding": PHOTO_FILTER,
    "photo_rounds": (*PHOTO_FILTER, *modules("benchmarks", "photos photo_sets")),
    "ranking": (),
    "real_size": (*DUPLICATE_FINDER, *REAL_SIZE),
    "threshold": DUPLICATE_FINDER,
    "training": (*LEARNING, "illus/learn/plan.py:CHOSEN,SEEDS"),
}


RECORDS = {  # the CSV files in results/: what is measured, and the module of benchmarks/ that writes it
    "experiments": ("All recorded runs, their settings and scores on validation.", "experiments"),
    "curves": ("Loss and scores of these runs by epoch.", "experiments"),
    "grid": ("Block, augmentation, budget and seed, each at its own learning rate.", "experiments"),
    "trials": ("One question a round, a row per answer and seed.", "experiments"),
    "averages": ("Averages of three networks of the grid that differ in one thing.", "experiments"),
    "candidates": ("The weights' two kinds of network, on validation and other hands.", "experiments"),
    "nearest": ("Nearest training images by features, beside the softmax.", "experiments"),
    "cures_test": ("The first and the last of the cures on the test folders.", "experiments"),
    "ranking": ("Whether validation ranks networks as the test folders do.", "ranking"),
    "training": ("The network for CPUs and what one would do otherwise, on one core.", "training"),
    "step": ("A training step by the number of channels.", "step"),
    "emoji20": ("Files of each kind in emoji20.", "emoji20"),
    "duplicates": ("Redundant files and pairs found on emoji20, by six tools.", "duplicates"),
    "duplicates_second": ("The same on copies by which nothing was chosen.", "duplicates"),
    "duplicates_twins": ("Files called redundant against the truth.", "duplicates"),
    "duplicates_curve": ("Recall and precision over the largest distance of a copy.", "threshold"),
    "duplicates_settings": ("Settings of the duplicate finder at other values.", "threshold"),
    "leaks": ("Copies of training images in a test folder.", "leaks"),
    "growth": ("The search for duplicates over the size of a collection.", "growth"),
    "photos": ("Photographs found, for each method, with three seeds.", "photos"),
    "photos_ablation": ("The photo filter without its parts, with three seeds.", "photos"),
    "photo_rounds": ("The photo filter when it stops after fewer rounds.", "photo_rounds"),
    "photo_rounding": ("The photo filter's decisions with sums in another order.", "photo_rounding"),
    "photo_harm": ("What photographs among the training images do, a row a run.", "photo_harm"),
    "photo_harm_classes": ("F1 of each class in those runs.", "photo_harm"),
    "photo_harm_answers": ("What those networks answer for images held out.", "photo_harm"),
    "labels": ("How well wrong labels are found.", "labels"),
    "evaluate": ("Seconds of scoring beside import, decoding and prediction alone.", "evaluate"),
    "real_size": ("Cost of reading at the challenge's image sizes, beside three floors.", "real_size"),
    "fuzz": ("`evaluate.py` on damaged images and weights files (`make fuzz`).", "fuzz"),
}


def code_of_benchmark(name: str) -> str:
    """The hash of the code that decides what a benchmark measures."""
    script = "tests/fuzz_evaluate.py" if name == "fuzz" else f"benchmarks/{name}.py"
    return code_of((*DECIDES[name], script)) if name in DECIDES else code_hash()


def write_record(table: pd.DataFrame, name: str) -> None:
    """Write ``results/<name>.csv``; rows that do not say of which code they are are of today's."""
    today = code_of_benchmark(RECORDS[name][1])
    code = table.code.fillna(today) if "code" in table else today
    write_table(table.assign(code=code), work_folders.RESULTS / f"{name}.csv")


def rows_of_todays_code(name: str, table: pd.DataFrame) -> int:
    """How many rows of a recorded table say that they were measured with the code of today."""
    return int((table.code == code_of_benchmark(RECORDS[name][1])).sum()) if "code" in table else 0


def is_of_todays_code(name: str) -> bool:
    """Whether all rows of a recorded table are of today's code."""
    table = pd.read_csv(work_folders.RESULTS / f"{name}.csv", dtype={"code": str})
    return rows_of_todays_code(name, table) == len(table)


def index_of_tables() -> pd.DataFrame:
    """A row for each recorded table, as ``results/benchmarks.md`` shows it."""
    rows = []
    for name, (what, benchmark) in RECORDS.items():
        path = work_folders.RESULTS / f"{name}.csv"
        if path.exists():
            table = pd.read_csv(path, dtype={"code": str})
            count, of_today = len(table), rows_of_todays_code(name, table)
            shown = "all" if of_today == count else f"{of_today:,}" if "code" in table else "–"
            rows.append([f"[{name}]({name}.csv)", what, f"`{benchmark}`", count, shown])
    return pd.DataFrame(rows, columns=["table", "what", "benchmark", "rows", "today's"])
