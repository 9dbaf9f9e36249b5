"""Varies the settings of the duplicate finder, on another seed of emoji20 than is reported.

    python -m pip install -r benchmarks/requirements.txt
    python -m illus emoji20 --seed 1 --out data/emoji20-seed1
    python -m benchmarks.threshold

Writes two tables; seeds share the icons, so files and copies are new there, drawings are not.

``results/duplicates_curve.csv``: recall and precision on the whole folder over a range of ``near``, of which
the smallest step with recall 0.98 was chosen.

``results/duplicates_settings.csv``: each field of :class:`illus.copies.settings.DuplicateSettings` that is
marked *swept* or *by eye*, at its value (``chosen``) and beside it, all others at theirs. A third of the
files, drawn once by whole groups of the truth, so that copies and relatives stay together; with fewer files
there are fewer strangers to confuse, so precision is higher than on the whole folder. ``recall``,
``precision`` and ``f1`` are over redundant files, of which the third has 669: 0.001 is less than a
file. The truth lists no variants: ``variants`` counts the kept files that share a group with other kept
files, ``largest_group`` the kept files of the largest group. ``seconds`` are processor seconds of all
stages, which other work on the machine hardly changes; a stage that a setting does not change is not run
again and counts with the seconds that it took once. Rows measured before this was so leave them empty.

About 50 minutes, on one core. Rows that are already there with the same code are kept.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import parallel_config

from benchmarks.duplicates import f1_score
from benchmarks.measure import DUPLICATE_FINDER, load
from illus import profiles, work_folders
from illus.copies.compare import distance
from illus.copies.duplicates import (
    assign_copies,
    candidate_pairs,
    copies_table,
    distinct_images,
    pair_distances,
    resolve_duplicates,
)
from illus.copies.groups import draw_groups
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.emoji20.truth import load_truth, score_duplicates
from illus.files.catalog import scan
from illus.files.descriptors import Descriptors
from illus.hashing import code_of
from illus.parallel import write_table

FOLDER = Path("data/emoji20-seed1/training")
SHARE = 1 / 3  # of the files, for duplicates_settings.csv
NEAR_STEPS = np.arange(2.0, 10.5, 0.5)
# The values beside the chosen one, by the first stage that a setting changes.
SWEEP = {
    "pair": {
        "hash_radius": (2, 3, 5),  # more than 5 bits cannot be searched exactly
        "largest_bucket": (5, 10, 40, 80),
        "colour_neighbours": (2, 4, 9, 12),
        "max_cell_difference": (50, 60, 90, 110),
        "max_aspect": (0.02, 0.035, 0.07, 0.1),
    },
    "compare": {
        "window": (5, 6, 10, 12),
        "edge_allowance": (0, 0.05, 0.15, 0.2),
        "light_penalty": (0, 0.1, 0.3, 0.4),
        "margin_penalty": (0, 10, 30, 40),
        "detail": (10, 15, 30, 40),
        "max_scale": (0.03, 0.045, 0.08, 0.12),
        "max_shear": (0.005, 0.01, 0.02, 0.03),
        "max_shift": (0.015, 0.025, 0.05, 0.07),
        "sure": (0, 0.5, 2, 3),
        "max_retry_distance": (15, 20, 35, 50),
        "unlike": (8, 10, 15, 20),
    },
    "decide": {
        "near": (4, 5, 7, 8),
        "shape_neighbours": (2, 4, 9, 12),
        "mirror_neighbours": (1, 2, 5, 8),
        "min_shape_cosine": (0.91, 0.93, 0.96, 0.97),
    },
}
SOURCES = (
    *DUPLICATE_FINDER,
    "benchmarks/threshold.py",
)
COLUMNS = [
    "setting",
    "value",
    "chosen",
    "recall",
    "precision",
    "f1",
    "flagged",
    "variants",
    "largest_group",
    "seconds",
    "code",
]
CURVE, TABLE = (work_folders.RESULTS / f"duplicates_{name}.csv" for name in ("curve", "settings"))


@dataclass
class Stages:
    """What the stages of the duplicate finder made of a catalog, and what they took."""

    files: pd.DataFrame
    descriptors: Descriptors
    describe_seconds: float
    distances: dict[tuple[int, int], tuple[float, float]]  # of pairs: distance, seconds
    duplicates: pd.DataFrame
    seconds: float  # of all stages


def run_stages(
    catalog: pd.DataFrame,
    folder: Path,
    settings: DuplicateSettings,
    stage: str = "pair",
    base: Stages | None = None,
) -> Stages:
    """Find the duplicates, reusing what settings of this stage do not change.

    Parameters
    ----------
    catalog : pandas.DataFrame
    folder : Path
    settings : DuplicateSettings
    stage : str
        A key of ``SWEEP``: the first stage that differs from ``base``.
    base : Stages, optional
        Of the same catalog; without it nothing is reused.
    """
    if base is None:
        start = time.process_time()
        with parallel_config("sequential"):  # other processes' seconds would not be counted
            files, descriptors = distinct_images(catalog, folder)
        describe_seconds = time.process_time() - start
    else:
        files, descriptors, describe_seconds = base.files, base.descriptors, base.describe_seconds
    start = time.process_time()
    pairs = candidate_pairs(descriptors, settings)
    pair_seconds = time.process_time() - start
    known = {} if base is None or stage == "compare" else base.distances
    distances = compare(descriptors, pairs, settings, known)
    values, costs = np.array([distances[pair] for pair in map(tuple, pairs.tolist())]).T
    start = time.process_time()
    duplicates = resolve_duplicates(files, descriptors, pairs, values, settings)
    seconds = describe_seconds + pair_seconds + costs.sum() + time.process_time() - start
    return Stages(files, descriptors, describe_seconds, distances, duplicates, seconds)


def compare(
    descriptors: Descriptors,
    pairs: np.ndarray,
    settings: DuplicateSettings,
    known: dict[tuple[int, int], tuple[float, float]],
) -> dict[tuple[int, int], tuple[float, float]]:
    """Distance and seconds of each pair; those already known are not compared again."""
    found = {}
    for pair in map(tuple, pairs.tolist()):
        if pair not in known:
            start = time.process_time()
            value = distance(descriptors, *pair, settings)
            found[pair] = value, time.process_time() - start
    return {**known, **found}


def measure(stages: Stages, truth: pd.DataFrame) -> dict[str, float]:
    """The columns of duplicates_settings.csv that are measured."""
    duplicates = stages.duplicates
    scores = score_duplicates(duplicates, truth)
    kept = duplicates[duplicates.keep].groupby("group").size()
    return {
        "recall": round(scores["recall"], 4),
        "precision": round(scores["precision"], 4),
        "f1": round(f1_score(scores), 4),
        "flagged": scores["flagged"],
        "variants": int(kept[kept > 1].sum()),
        "largest_group": int(kept.max()),
        "seconds": round(float(stages.seconds), 1),
    }


def flagged_files(stages: Stages, truth: pd.DataFrame) -> tuple[set[str], set[str]]:
    """Paths that are called redundant, rightly and wrongly."""
    drawing = truth.set_index("path").drawing
    copies = stages.duplicates[stages.duplicates.copy_of.ne("")]
    copies = copies[copies.copy_of != copies.path]
    right = copies.path.map(drawing) == copies.copy_of.map(drawing)
    return set(copies.path[right]), set(copies.path[~right])


def what_changed(stages: Stages, base: Stages, truth: pd.DataFrame) -> str:
    """In words, the files that settings call redundant and the chosen ones do not, and the other way."""
    pairs = zip(flagged_files(stages, truth), flagged_files(base, truth), strict=True)
    right, wrong = (f"+{len(now - before)} -{len(before - now)}" for now, before in pairs)
    return f"right {right}, wrong {wrong}"


def draw_third(catalog: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Rows of the catalog in drawn groups of the truth; where it names none, a drawing is its own group."""
    readable = catalog[catalog.error == ""].reset_index(drop=True)
    known = truth.set_index("path").loc[readable.path]
    groups = known.group.where(known.group != "", known.drawing).reset_index(drop=True)
    drawn = draw_groups(readable.class_name, groups, SHARE, np.random.default_rng(profiles.SEED))
    return readable[drawn].reset_index(drop=True)


def finished(path: Path, code: str) -> pd.DataFrame:
    """Rows of a table that this code made; ``value`` as text."""
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(path, dtype={"code": str, "value": str})
    return table[table.code == code] if "code" in table else table[:0]


def sweep_settings(catalog: pd.DataFrame, truth: pd.DataFrame, code: str) -> None:
    """Write duplicates_settings.csv, a row at a time."""
    done = finished(TABLE, code)
    rows = {(row["setting"], row["value"]): row for row in done.to_dict("records")}
    wanted = [
        (stage, name, type(getattr(DEFAULTS, name))(value))
        for stage, fields in SWEEP.items()
        for name, values in fields.items()
        for value in sorted({*values, getattr(DEFAULTS, name)})
    ]
    if all((name, str(value)) in rows for _, name, value in wanted):
        return
    third = draw_third(catalog, truth)
    truth = truth[truth.path.isin(third.path)]
    base = run_stages(third, FOLDER, DEFAULTS)
    print(f"{len(third):,} files, {len(base.distances):,} pairs: {measure(base, truth)}", flush=True)
    for stage, name, value in wanted:
        if (name, str(value)) in rows:
            continue
        settings = replace(DEFAULTS, **{name: value})
        stages = base if settings == DEFAULTS else run_stages(third, FOLDER, settings, stage, base)
        row = {"setting": name, "value": str(value), "chosen": settings == DEFAULTS} | measure(stages, truth)
        rows[name, str(value)] = row | {"code": code}
        print(*row.values(), what_changed(stages, base, truth), flush=True)
        ordered = [rows[name, str(value)] for _, name, value in wanted if (name, str(value)) in rows]
        write_table(pd.DataFrame(ordered, columns=COLUMNS), TABLE)


def sweep_near(catalog: pd.DataFrame, truth: pd.DataFrame, code: str) -> None:
    """Write duplicates_curve.csv."""
    if len(finished(CURVE, code)) == len(NEAR_STEPS):
        return
    files, descriptors = distinct_images(catalog, FOLDER)
    pairs = candidate_pairs(descriptors)
    distances = pair_distances(descriptors, pairs)
    rows = []
    for near in NEAR_STEPS:
        best, _ = assign_copies(descriptors, pairs, distances, replace(DEFAULTS, near=float(near)))
        scores = score_duplicates(copies_table(files, best), truth)
        rows.append({"near": near, **{key: round(value, 4) for key, value in scores.items()}, "code": code})
    write_table(pd.DataFrame(rows), CURVE)


def main() -> None:
    truth, code = load_truth(FOLDER), code_of(SOURCES)
    if truth is None:
        raise SystemExit(
            f"{FOLDER} is missing: the first lines of benchmarks/threshold.py say how to build it"
        )
    print(load(), flush=True)
    catalog = scan(FOLDER)
    sweep_near(catalog, truth, code)
    sweep_settings(catalog, truth, code)
    for table in (CURVE, TABLE):
        print(pd.read_csv(table).to_string(index=False))
    print(load())


if __name__ == "__main__":
    main()
