"""What measuring and scoring cost at the challenge's image sizes, beside what reading alone costs.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.real_size [--files 2000]

Draws files at the sizes that are known of the challenge's own data: longest sides log-normal around 1,300 px,
35 % PNG, the others JPEG of quality 80 to 95; from the icons and photographs that emoji20 is built of. Writes
``results/real_size.csv``: ``ms_per_file``, processor milliseconds for each file without the imports;
``of_reduced``, the same as a multiple of decoding at the scale at which all is measured; ``peak_mb``, memory
(``benchmarks/measure.py``). The first three rows are floors. One process does the work of each row, so that
all its time is counted. ``evaluate.py`` is without what it takes on a single file of each class, and
``prediction`` is that part of it which the network takes. Medians of three rounds through all rows.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import parallel_config

from benchmarks.measure import load, measure_command, processor_seconds
from benchmarks.records import write_record
from evaluate import class_folders, list_files, load_classifier, read_file
from illus import profiles, work_folders
from illus.copies.duplicates import find_duplicates
from illus.emoji20 import photographs, render
from illus.emoji20.sources import install, load_icons
from illus.files.catalog import scan
from illus.files.decoded import LEAST_SIDE, decode_image
from illus.files.reading import MEASURES, NONE_KNOWN, kept_statistics, read_facts, read_once
from illus.parallel import in_parallel

SIDE, SPREAD, SIDES = 1300, 0.45, (100, 5000)  # px: median of the longest side; of its log; limits
PNG_SHARE, PHOTO_SHARE = 0.35, 0.08
QUALITIES = (80, 95)
ROUNDS = 3


def write_files(folder: Path, n_files: int) -> None:
    """Class folders of so many drawings and photographs."""
    icons = load_icons(work_folders.EMOJI20_SOURCES).sample(n_files, random_state=profiles.SEED)
    rows = list(enumerate(icons[["class_name", "svg"]].itertuples(index=False, name=None)))
    for name in icons.class_name.unique():
        (folder / name).mkdir(parents=True)
    pictures = photographs.load_pictures(work_folders.EMOJI20_SOURCES).file.tolist()
    for _ in in_parallel(_write_file, rows, "draw", folder, pictures, batch_size=8):
        pass


def _write_file(row: tuple[int, tuple[str, str]], folder: Path, pictures: list[str]) -> None:
    number, (class_name, svg) = row
    rng = render.rng_for(profiles.SEED, "real size", str(number))
    side = int(np.clip(SIDE * np.exp(rng.normal(0, SPREAD)), *SIDES))
    kind, quality = "png-rgb" if rng.random() < PNG_SHARE else "jpeg", int(rng.integers(*QUALITIES))
    if rng.random() < PHOTO_SHARE:
        picture = photographs.load(pictures[rng.integers(len(pictures))])
        image = photographs.cut(picture, (0, 0, *picture.size), side)
    else:
        image = render.on_background(render.draw(svg, side))
    path = folder / class_name / f"{number}.{'png' if kind == 'png-rgb' else 'jpg'}"
    path.write_bytes(render.encode(image, kind, quality))


def paths_in(folder: Path) -> list[Path]:
    """The files of all classes."""
    return [path for sub in class_folders(folder).values() for path in list_files(sub)]


def for_each(function: Callable[[Path], object]) -> Callable[[Path], None]:
    """What calls a function with each file of a folder, one after the other."""

    def call(folder: Path) -> None:
        for path in paths_in(folder):
            function(path)

    return call


def clean(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        catalog = scan(folder, cache=Path(scratch))
        find_duplicates(catalog, folder, cache=Path(scratch))
        kept_statistics(catalog[catalog.error == ""], folder, Path(scratch))


def predict(folder: Path) -> None:
    model, description = load_classifier(work_folders.SHIPPED_WEIGHTS)
    size = description.input_size
    model.predict(np.zeros((len(paths_in(folder)), size, size, 3), np.uint8), batch_size=64, verbose=0)


PARTS: dict[str, Callable[[Path], object]] = {
    "reading the bytes": for_each(read_file),
    "cv2.imread": for_each(lambda path: cv2.imread(str(path))),
    "reduced decode": for_each(lambda path: decode_image(read_file(path), LEAST_SIDE)),
    "catalog": lambda folder: read_facts(paths_in(folder)),
    "all measures": for_each(lambda path: read_once(path, tuple(MEASURES), NONE_KNOWN)),
    "clean without the autoencoder": clean,
    "prediction": predict,
}


def run_part(name: str, folder: Path, out: Path) -> None:
    """Do the work of a row, and write the processor seconds that it takes."""
    cv2.setNumThreads(1)
    start = time.process_time()
    with parallel_config("sequential"):
        PARTS[name](folder)
    out.write_text(json.dumps(time.process_time() - start))


def measure(folder: Path, few: Path, scratch: Path) -> pd.DataFrame:
    """The table, but for the code."""
    rows, n_files, out = [], len(paths_in(folder)), scratch / "seconds.json"
    for name in PARTS:
        part = [sys.executable, "-m", "benchmarks.real_size", "--part", name, "--folder"]
        seconds = {}
        for place in (few, folder) if name == "prediction" else (folder,):
            cost = measure_command([*part, place, "--out", out])
            seconds[place] = json.loads(out.read_text())
        rows.append((name, seconds[folder] - seconds.get(few, 0), cost["peak_mb"]))
        print(*rows[-1], flush=True)
    seconds = {}
    for place in (few, folder):
        before = processor_seconds()
        cost = measure_command([sys.executable, "evaluate.py", place, work_folders.SHIPPED_WEIGHTS])
        seconds[place] = processor_seconds() - before
    rows.append(("evaluate.py", seconds[folder] - seconds[few], cost["peak_mb"]))
    table = pd.DataFrame(rows, columns=["what", "seconds", "peak_mb"])
    table.insert(1, "files", n_files)
    table["ms_per_file"] = (1000 * table.pop("seconds") / n_files).round(2)
    reduced = table.set_index("what").ms_per_file["reduced decode"]
    return table.assign(of_reduced=(table.ms_per_file / reduced).round(2))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure reading, measuring and scoring at real sizes.")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="files that an earlier run has drawn, or to draw")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return run_part(options.part, options.folder, options.out)
    print(load(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder, few = options.folder or Path(name, "images"), Path(name, "few")
        if not folder.exists():
            install(work_folders.EMOJI20_SOURCES)
            write_files(folder, options.files)
        for class_name, sub in class_folders(folder).items():
            (few / class_name).mkdir(parents=True)
            first = list_files(sub)[0]
            (few / class_name / first.name).write_bytes(first.read_bytes())
        rounds = pd.concat(measure(folder, few, Path(name)) for _ in range(ROUNDS))
    table = rounds.groupby("what", sort=False).median().round(2).reset_index()
    table = table.astype({"files": int, "peak_mb": int})
    write_record(table, "real_size")
    print(table.to_string(index=False), load(), sep="\n")


if __name__ == "__main__":
    main()
