"""How many rounds the photo filter needs: its F1 when it stops early. Writes results/photo_rounds.csv.

    python -m benchmarks.photo_rounds --photo-bench FOLDER

FOLDER is that of ``benchmarks.photos``, whose sets with photographs are measured, emoji20's fifths left out;
three seeds, the settings that ship. ``rounds`` is after how many at most the filter stops.

Expected, before it was measured: one round has a mean F1 0.01 to 0.03 below the last, since gains have no say
in it; two have less than 0.005 below.
"""

import argparse
import itertools
import warnings
from pathlib import Path

import pandas as pd

from benchmarks.photo_sets import Pool
from benchmarks.photos import SEEDS, Evidence, proposals, row_of
from benchmarks.records import write_record
from illus import work_folders
from illus.photos.finder import DEFAULTS, choose_score
from illus.photos.self_training import ROUNDS, judge_in_rounds

STOPS = (1, 2, 4, ROUNDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER", required=True)
    folder = parser.parse_args().photo_bench
    warnings.filterwarnings("ignore", category=UserWarning)
    pool, rows = Pool(folder, work_folders.work_dir(folder)), []
    limits = DEFAULTS.regularisation, DEFAULTS.bandwidth, DEFAULTS.min_photos
    for labelled, seed in itertools.product(pool.sets.values(), SEEDS):
        if labelled.is_fifth or not labelled.truth.any():
            continue
        seen = Evidence(pool, labelled.name, seed)
        proposed = proposals(seen, seen.features, seen.reaches)
        rounds = judge_in_rounds(seen.statistics, seen.features, proposed, *limits, seed)
        for stop in STOPS:
            score = choose_score(rounds[:stop], seen.gain, seen.reaches)
            rows.append({"rounds": stop, "seed": seed} | row_of(labelled, (score > 0, score)))
        print(labelled.name, seed, len(rounds), [row["f1"] for row in rows[-len(STOPS) :]], flush=True)
    write_record(pd.DataFrame(rows), "photo_rounds")


if __name__ == "__main__":
    main()
