"""What the search for duplicates costs as a collection grows. Writes results/growth.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.growth [--what images files emoji20]

*images*: descriptors of real images in other colours, with planted copies, from candidates to groups; of the
other pairs a sample is compared. *files*: tiny PNG files, one in a hundred copied, from scan to
duplicates.csv. *emoji20*: its own images, neighbours searched by faiss instead of exactly. Each but the
last is a process of its own; seconds and memory: see ``benchmarks/measure.py``.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.measure import load, measure_program
from benchmarks.records import write_record
from illus import work_folders
from illus.copies.candidates import import_faiss
from illus.copies.compare import pair_distances
from illus.copies.duplicates import candidate_pairs, distinct_images
from illus.copies.settings import DEFAULTS
from illus.files.catalog import scan
from illus.files.descriptors import Descriptors

IMAGES, FILES = (10**4, 10**5, 10**6), 200_000
MOST = 60_000  # pairs that are compared beside the planted copies: workers start once, whatever their number
FILE_SIDE, COPY_SHIFT = 32, 6  # px; levels
COLUMNS = ["what", "n", "search", "stage", "seconds", "pairs", "found", "kept", "peak_mb", "code"]
Row = dict[str, object]


def images(real: Descriptors, scratch: Path) -> Iterator[Row]:
    """Rows of the stages; ``found``: the share of the planted copies, ``kept``: see :func:`kept_copies`."""
    out, exact = scratch / "out", None
    np.save(scratch / "columns.npy", real.columns)
    real["thumbnail"].tofile(scratch / "thumbnails")
    plan = [(n, DEFAULTS.max_exact) for n in IMAGES]
    for n, max_exact in sorted([*plan, (DEFAULTS.max_exact, 0)], key=lambda one: (one[0], -one[1])):
        cost = measure_program("image_groups", scratch, n, max_exact, MOST, out)
        report = json.loads(out.read_text())
        with np.load(f"{out}.npz") as found:
            pairs, distances = found["pairs"], found["distances"]
        row = {"what": "images", "n": n, "search": "exact" if n <= max_exact else "faiss"}
        kept = kept_copies(exact, pairs) if max_exact == 0 and exact else None
        for stage in ("candidates", "compare", "groups"):
            count = report["compared" if stage == "compare" else "pairs"]
            ends = {"found": report["found"], "peak_mb": cost["peak_mb"]} if stage == "groups" else {}
            yield {**row, "stage": stage, "seconds": report[stage], "pairs": count, "kept": kept, **ends}
        exact = pairs, distances


def kept_copies(exact: tuple[np.ndarray, np.ndarray], pairs: np.ndarray) -> float:
    """The share of the pairs that the exact search proposes and that are copies, which these pairs have."""
    copies = set(map(tuple, exact[0][exact[1] <= DEFAULTS.near].tolist()))
    return len(copies & set(map(tuple, pairs.tolist()))) / max(1, len(copies))


def files(real: Descriptors, scratch: Path) -> Iterator[Row]:
    """The row of many tiny files: collages of four real thumbnails; ``found``: the share of their copies."""
    rng, folder, copies = np.random.default_rng(0), scratch / "files", []
    for number in range(FILES // 101):
        names = [f"class {number % 20}/{number}-{part}.png" for part in range(101)]
        (folder / names[0]).parent.mkdir(parents=True, exist_ok=True)
        for name in names[:-1]:
            image = collage(real[rng.integers(0, len(real), 4)]["thumbnail"])
            cv2.imwrite(str(folder / name), image)
        # a copy has another name and is lighter, as a re-encoded file may be
        cv2.imwrite(str(folder / names[-1]), image.clip(0, 255 - COPY_SHIFT) + COPY_SHIFT)
        copies.append(names[-2:])
    cost = measure_program("illus_duplicates", folder, scratch / "catalog", scratch / "out")
    duplicates = pd.read_pickle(scratch / "out").set_index("path").group
    found = np.mean([duplicates.get(one, -1) == duplicates.get(other, -2) for one, other in copies])
    row = {"what": "files", "n": FILES // 101 * 101, "search": "faiss", "stage": "whole"}
    yield {**row, "pairs": len(duplicates), "found": found, **cost}


def collage(thumbnails: np.ndarray) -> np.ndarray:
    """Four uint8 images, two beside two, ``FILE_SIDE`` pixels a side."""
    side = FILE_SIDE // 2
    a, b, c, d = (cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in thumbnails)
    return np.vstack([np.hstack([a, b]), np.hstack([c, d])])


def emoji20(real: Descriptors, scratch: Path) -> Iterator[Row]:
    """The row of the images themselves: ``kept`` says which copies faiss leaves, beside the exact search."""
    pairs = candidate_pairs(real)
    by_faiss = candidate_pairs(real, replace(DEFAULTS, max_exact=0))
    kept = kept_copies((pairs, pair_distances(real, pairs)), by_faiss)
    row = {"what": "emoji20", "n": len(real), "search": "faiss", "stage": "candidates"}
    yield {**row, "pairs": len(by_faiss), "kept": kept}


PARTS: dict[str, Callable[[Descriptors, Path], Iterator[Row]]] = {
    function.__name__: function for function in (emoji20, images, files)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", nargs="+", choices=PARTS, default=list(PARTS))
    wanted = parser.parse_args().what
    if import_faiss() is None:
        raise SystemExit("rows name faiss: python -m pip install -r benchmarks/requirements.txt")
    print(load(), flush=True)
    folder, path = work_folders.EMOJI20 / "training", work_folders.RESULTS / "growth.csv"
    cache = work_folders.work_dir(folder) / "cache"
    _, real = distinct_images(scan(folder, cache=cache), folder, cache=cache)
    for name in wanted:
        with tempfile.TemporaryDirectory() as scratch:
            table = pd.DataFrame(PARTS[name](real, Path(scratch)), columns=COLUMNS)
        table = table.round({"seconds": 1, "found": 4, "kept": 4})
        print(table.to_string(index=False), flush=True)
        if path.exists():  # the other parts stay
            before = pd.read_csv(path, dtype={"code": str})
            table = pd.concat([before[before.what != name], table])
        write_record(table, "growth")
    print(load())


if __name__ == "__main__":
    main()
