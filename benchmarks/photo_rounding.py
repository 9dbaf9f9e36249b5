"""How many decisions of the photo filter change with the rounding of float32, as between processors.

    python -m benchmarks.photo_rounding

The filter judges emoji20's training folder with one thread and with two, then without oneDNN's kernels and
with those of older processors, each in its own process. Writes ``results/photo_rounding.csv``, a row each:
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
WAYS = {
    "one thread": dict.fromkeys(THREADS, "1"),
    "two threads": dict.fromkeys(THREADS, "2"),
    "two threads, without oneDNN": dict.fromkeys(THREADS, "2") | {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "two threads, older kernels": dict.fromkeys(THREADS, "2")
    | {"ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"},
}


def judge(path: str) -> None:
    """What the filter says of the folder, into a table."""
    tables, cache = pipeline.clean(FOLDER), work_folders.work_dir(FOLDER) / "cache"
    found = find_photos(tables.catalog, FOLDER, profiles.SEED, tables.duplicates, cache=cache)
    found.to_csv(path, index=False)


def main() -> None:
    rows, first = [], pd.DataFrame()
    with tempfile.TemporaryDirectory() as folder:
        for way, changed_env in WAYS.items():
            path = Path(folder, f"{way}.csv")
            command = [sys.executable, "-m", "benchmarks.photo_rounding", path]
            subprocess.run(command, env=os.environ | changed_env, check=True)
            found = read_table(path).set_index("path")
            first = found if first.empty else first
            changed = int((found.is_photo != first.is_photo).sum())
            largest = round(float((found.score - first.score).abs().max()), 6)
            rows.append([way, len(found), int(found.is_photo.sum()), changed, largest])
    columns = ["computed with", "files", "photos", "changed", "largest_change_of_a_score"]
    write_record(pd.DataFrame(rows, columns=columns), "photo_rounding")


if __name__ == "__main__":
    judge(sys.argv[1]) if len(sys.argv) > 1 else main()
