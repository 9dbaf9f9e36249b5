"""How many decisions of the photo filter change with the order in which float32 sums are taken.

    python -m benchmarks.photo_threads

The filter judges emoji20's training folder with one thread and with two, each in a process of its own: their
sums come in another order, as they do on another processor. Writes ``results/photo_threads.csv``, a row each:
``files``, ``photos`` among them, decisions ``changed`` against the first row, the largest change of a score.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.records import write_record
from illus import pipeline, profiles, work_folders
from illus.files.tables import read_table
from illus.photos.finder import find_photos

FOLDER = work_folders.EMOJI20 / "training"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def judge(path: str) -> None:
    """What the filter says of the folder, into a table."""
    tables, cache = pipeline.clean(FOLDER), work_folders.work_dir(FOLDER) / "cache"
    found = find_photos(tables.catalog, FOLDER, profiles.SEED, tables.duplicates, cache=cache)
    found.to_csv(path, index=False)


def main() -> None:
    rows, first = [], pd.DataFrame()
    with tempfile.TemporaryDirectory() as folder:
        for threads in (1, 2):
            path = Path(folder, f"{threads}.csv")
            env = os.environ | dict.fromkeys(THREADS, str(threads))
            subprocess.run([sys.executable, "-m", "benchmarks.photo_threads", path], env=env, check=True)
            found = read_table(path).set_index("path")
            first = found if first.empty else first
            changed = int((found.is_photo != first.is_photo).sum())
            largest = round(float((found.score - first.score).abs().max()), 4)
            rows.append([threads, len(found), int(found.is_photo.sum()), changed, largest])
    columns = ["threads", "files", "photos", "changed", "largest_change_of_a_score"]
    write_record(pd.DataFrame(rows, columns=columns), "photo_threads")


if __name__ == "__main__":
    judge(sys.argv[1]) if len(sys.argv) > 1 else main()
