"""What evaluate.py costs beside its parts one after the other, and its memory. Writes results/evaluate.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.evaluate [--files 25000] [--repeats 3]

Files of emoji20's training folder, linked until there are enough of them. The row ``unavoidable`` is the
parts in turn: import Keras with TensorFlow, read and decode each file (OpenCV from memory, one thread a
core), predict the decoded images; what runs beside something else may take less. The peer is
``model.predict`` over ``keras.utils.image_dataset_from_directory``. All predict batches of one size.
Repeats alternate, and medians are compared. Seconds and memory: see ``benchmarks/measure.py``.
"""

import argparse
import json
import os
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

import pandas as pd

from benchmarks.measure import load, measure_command, measure_program
from benchmarks.records import write_record
from illus import work_folders

PEERS_READ = ("PNG", "JPEG", "BMP")  # OpenCV reads more, tf.io no WebP


def link_files(catalog: pd.DataFrame, source: Path, n_files: int, folder: Path) -> None:
    """Class folders of exactly so many files, hard links to those that every method reads."""
    readable = catalog[catalog.format.isin(PEERS_READ)].sample(frac=1, random_state=0)
    for number, row in enumerate(islice(cycle(readable.itertuples()), n_files)):
        link = folder / row.class_name / f"{number}{Path(row.path).suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(source / row.path, link)


def measure_once(sizes: dict[int, Path], scratch: Path) -> list[dict]:
    """Rows of one repeat; the largest folder comes last, and the peers are measured on it."""
    rows = []
    for count, folder in sizes.items():
        cost = measure_command([sys.executable, "evaluate.py", folder, work_folders.SHIPPED_WEIGHTS])
        rows.append({"what": "evaluate.py", "files": count, **cost})
    out = scratch / "parts.json"
    cost = measure_program("scoring_floor", folder, work_folders.SHIPPED_WEIGHTS, out)
    parts = json.loads(out.read_text())
    rows += [{"what": name, "files": count, "seconds": seconds} for name, seconds in parts.items()]
    rows.append({"what": "unavoidable", "files": count, **cost, "seconds": sum(parts.values())})
    cost = measure_program("keras_directory", folder, work_folders.SHIPPED_WEIGHTS)
    return [*rows, {"what": "image_dataset_from_directory", "files": count, **cost}]


def summarise(rows: list[dict], n_files: int) -> pd.DataFrame:
    """The table: medians of the repeats, and each on ``n_files`` in relation to what cannot be avoided."""
    table = pd.DataFrame(rows).groupby(["what", "files"], sort=False).median().reset_index()
    floor = table.seconds[table.what == "unavoidable"].item()
    table["times_the_unavoidable"] = (table.seconds / floor).where(table.files == n_files)
    table["files_per_second"] = table.files / table.seconds
    decimals = {"seconds": 1, "peak_mb": 0, "times_the_unavoidable": 3, "files_per_second": 0}
    return table.round(decimals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    source = work_folders.EMOJI20 / "training"
    catalog = pd.read_csv(work_folders.work_dir(source) / "catalog.csv")
    rows = []
    print(load(), flush=True)
    with tempfile.TemporaryDirectory(dir=work_folders.EMOJI20) as scratch:
        sizes = {count: Path(scratch, str(count)) for count in (2_000, options.files)}
        for count, folder in sizes.items():
            link_files(catalog, source, count, folder)
        for _ in range(options.repeats):
            once = measure_once(sizes, Path(scratch))
            rows += once
            print(pd.DataFrame(once).round(1).to_string(index=False), flush=True)
    table = summarise(rows, options.files)
    write_record(table, "evaluate")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
