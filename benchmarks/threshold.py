"""How the thresholds of duplicate removal were chosen: on another seed of emoji20 than is reported.

    python -m illus.emoji20 --seed 1 --out data/emoji20-seed1
    python -m benchmarks.threshold

Recall and precision over a range of distances; writes results/duplicates_curve.csv. ``NEAR`` is the
smallest step at which recall reaches 0.98. Seeds share the icons: files and copies are new, drawings are not.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from illus import config
from illus.clean.duplicates import (
    assign_copies,
    candidate_pairs,
    copies_table,
    distinct_images,
    pair_distances,
)
from illus.data.catalog import scan
from illus.emoji20.truth import load_truth, score_duplicates
from illus.parallel import write_table

FOLDER = Path("data/emoji20-seed1/training")
STEPS = np.arange(2.0, 10.5, 0.5)


def main():
    truth = load_truth(FOLDER)
    files, descriptors = distinct_images(scan(FOLDER), FOLDER)
    pairs = candidate_pairs(descriptors)
    distances = pair_distances(descriptors, pairs)
    rows = []
    for near in STEPS:
        best, _ = assign_copies(descriptors, pairs, distances, near)
        scores = score_duplicates(copies_table(files, best), truth)
        rows.append({"near": near, **{key: round(value, 4) for key, value in scores.items()}})
    curve = pd.DataFrame(rows)
    write_table(curve, config.RESULTS / "duplicates_curve.csv")
    print(curve.to_string(index=False))


if __name__ == "__main__":
    main()
