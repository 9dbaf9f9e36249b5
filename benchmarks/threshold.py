"""Varies the settings of the duplicate finder, on another seed of emoji20 than is reported.

    python -m pip install -r benchmarks/requirements.txt
    python -m illus emoji20 --seed 1 --out data/emoji20-seed1
    python -m benchmarks.threshold

Writes two tables; seeds share the icons, so files and copies are new there, drawings are not.

``results/duplicates_curve.csv``: recall and precision on the whole folder over a range of ``near``, of which
the smallest step with recall 0.98 was chosen.

``results/duplicates_settings.csv``: each field of :class:`illus.copies.settings.DuplicateSettings` that is
marked *swept*, at its value (``chosen``) and beside it, all others at theirs. A third of the files, drawn
once by whole groups of the truth, so that copies and relatives stay together; with fewer files there are
fewer strangers to confuse, so precision is higher than on the whole folder. ``recall``, ``precision`` and
``f1`` are over redundant files.

Distances are kept in ``work/emoji20-seed1/cache``, so a run that was stopped goes on from there.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.duplicates import f1_score
from benchmarks.records import write_record
from illus import profiles, work_folders
from illus.copies.duplicates import (
    assign_copies,
    candidate_pairs,
    copies_table,
    distinct_images,
    find_duplicates,
    pair_distances,
)
from illus.copies.groups import draw_groups
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.emoji20.truth import load_truth, score_duplicates
from illus.files.catalog import scan

FOLDER = Path("data/emoji20-seed1/training")
SHARE = 1 / 3  # of the files, for duplicates_settings.csv
NEAR_STEPS = np.arange(2.0, 10.5, 0.5)
SWEEP = {  # the values beside the chosen one
    "hash_radius": (2, 3, 5),  # more than 5 bits cannot be searched exactly
    "largest_bucket": (5, 10, 40, 80),
    "colour_neighbours": (2, 6, 9, 12),
    "max_cell_difference": (50, 60, 90, 110),
    "max_aspect": (0.02, 0.035, 0.07, 0.1),
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
    "near": (4, 5, 7, 8),
    "unlike": (8, 10, 15, 20),
}


def draw_third(catalog: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Rows of the catalog in drawn groups of the truth; where it names none, a drawing is its own group."""
    readable = catalog[catalog.error == ""].reset_index(drop=True)
    known = truth.set_index("path").loc[readable.path]
    groups = known.group.where(known.group != "", known.drawing).reset_index(drop=True)
    drawn = draw_groups(readable.class_name, groups, SHARE, np.random.default_rng(profiles.SEED))
    return readable[drawn].reset_index(drop=True)


def measure(
    catalog: pd.DataFrame, truth: pd.DataFrame, settings: DuplicateSettings, cache: Path
) -> dict[str, float]:
    """Recall, precision and F1 of the duplicates that settings find."""
    scores = score_duplicates(find_duplicates(catalog, FOLDER, settings, cache=cache), truth)
    return {"recall": scores["recall"], "precision": scores["precision"], "f1": f1_score(scores)}


def settings_rows(catalog: pd.DataFrame, truth: pd.DataFrame, cache: Path) -> Iterator[dict[str, object]]:
    """Rows of duplicates_settings.csv."""
    third = draw_third(catalog, truth)
    truth = truth[truth.path.isin(third.path)]
    ours = measure(third, truth, DEFAULTS, cache)
    for name, values in SWEEP.items():
        for value in sorted({*values, getattr(DEFAULTS, name)}):
            settings = replace(DEFAULTS, **{name: value})
            chosen = settings == DEFAULTS
            scores = ours if chosen else measure(third, truth, settings, cache)
            row = {"setting": name, "value": value, "chosen": chosen, **scores}
            print(row, flush=True)
            yield row


def near_rows(catalog: pd.DataFrame, truth: pd.DataFrame, cache: Path) -> Iterator[dict[str, object]]:
    """Rows of duplicates_curve.csv."""
    files, descriptors = distinct_images(catalog, FOLDER, cache=cache)
    pairs = candidate_pairs(descriptors)
    distances = pair_distances(descriptors, pairs, cache=cache)
    for near in NEAR_STEPS:
        best, _ = assign_copies(descriptors, pairs, distances, replace(DEFAULTS, near=float(near)))
        yield {"near": near, **score_duplicates(copies_table(files, best), truth)}


def main() -> None:
    truth = load_truth(FOLDER)
    if truth is None:
        raise SystemExit(
            f"{FOLDER} is missing: the first lines of benchmarks/threshold.py say how to build it"
        )
    cache = work_folders.work_dir(FOLDER) / "cache"
    catalog = scan(FOLDER, cache=cache)
    for name, rows in (("curve", near_rows), ("settings", settings_rows)):
        table = pd.DataFrame(rows(catalog, truth, cache)).round({"recall": 4, "precision": 4, "f1": 4})
        write_record(table, f"duplicates_{name}")
        print(table.to_string(index=False))


if __name__ == "__main__":
    main()
