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
from illus.catalog import scan
from illus.duplicates import assign_copies, candidate_pairs, copies_table, distinct_pictures, measure
from illus.tables import write_table
from illus.truth import load_truth, score_duplicates

FOLDER = Path("data/emoji20-seed1/training")
STEPS = np.arange(2.0, 10.5, 0.5)


def main():
    truth = load_truth(FOLDER)
    files, prints = distinct_pictures(scan(FOLDER), FOLDER)
    pairs = candidate_pairs(prints)
    distances = measure(prints, pairs)
    rows = []
    for near in STEPS:
        best, _ = assign_copies(prints, pairs, distances, near)
        scores = score_duplicates(copies_table(files, best), truth)
        rows.append({"near": near, **{key: round(value, 4) for key, value in scores.items()}})
    curve = pd.DataFrame(rows)
    write_table(curve, config.RESULTS / "duplicates_curve.csv")
    print(curve.to_string(index=False))


if __name__ == "__main__":
    main()
