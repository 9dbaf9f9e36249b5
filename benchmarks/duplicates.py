"""Duplicates: this project beside four other tools on one folder. Writes results/duplicates*.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.duplicates [--folder data/emoji20/training] [--seed 0]

The peers are installed on the first run, into a virtual environment of their own (versions:
``benchmarks/peers/requirements.txt``). Seconds and memory: see ``benchmarks/measure.py``.

The tools are CleanVision, imagededup, imgeda and DataEval. A peer's pairs are joined to components, of which
the best file is kept by this project's own rule (``illus.copies.duplicates.best_first``). ``best in
hindsight`` is the setting with the best F1 against the truth, which nobody has in practice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.measure import DUPLICATE_FINDER, load, measure_program
from illus import profiles, work_folders
from illus.copies.align import NO_MOVE, Aligner, warped
from illus.copies.compare import distance
from illus.copies.duplicates import best_first
from illus.copies.groups import connected_components
from illus.emoji20 import render
from illus.emoji20.sources import load_icons
from illus.emoji20.truth import load_truth, score_duplicates
from illus.files.descriptors import content_box, describe_images, square
from illus.hashing import code_of
from illus.parallel import write_table

PEERS = Path("work/benchmark-peers")
PINS = Path("benchmarks/peers/requirements.txt")
SOURCES = (
    *DUPLICATE_FINDER,
    "benchmarks/duplicates.py",
    "benchmarks/peers/cleanvision_sets.py",
    "benchmarks/peers/dataeval_groups.py",
    "benchmarks/peers/imagededup_pairs.py",
    "benchmarks/peers/imgeda_groups.py",
)
DEFAULT_BITS, MAX_BITS = 10, 12  # thresholds of imagededup: its default, the largest in hindsight
CLEANVISION = (("phash", 8), ("phash", 12), ("phash", 16), ("dhash", 8))
IMGEDA_BITS, IMGEDA_OTHERS = 8, (0, 2, 4, 6, 12, 16, 24)  # of 256: its default, others
DATAEVAL = (("phash", "dhash"), (), ("phash",), ("dhash",), ("phash_d4", "dhash_d4"))  # its default first
CLEAN_SIDE, VISIBLE, ALIKE = 128, 32, 1.0  # px; levels; % of pixels below which drawings look alike
ALIGNING_STEPS = 10
COLUMNS = [
    "tool",
    "setting",
    "recall",
    "precision",
    "f1",
    "flagged",
    "right",
    "redundant",
    "seconds",
    "peak_mb",
]


def peers_python() -> Path:
    """Python of a virtual environment that holds the peers, made on the first run."""
    done, python = PEERS / "installed.txt", PEERS / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (done.exists() and done.read_text() == PINS.read_text()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", PINS], check=True)
        done.write_text(PINS.read_text())
    return python


def components(files: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Pairs of paths -> ``path``, ``copy_of``: the best file of each component; best files come first."""
    position = dict(zip(files.path, files.index, strict=True))
    links = [(position[a], position[b]) for a, b in pairs if a in position and b in position]
    best = files.path.groupby(
        connected_components(len(files), np.array(links, int).reshape(-1, 2))
    ).transform("first")
    return pd.DataFrame({"path": files.path, "copy_of": best})


def row(tool: str, setting: str, copies: pd.DataFrame, truth: pd.DataFrame, cost: dict) -> dict:
    """One row of results/duplicates.csv."""
    found = score_duplicates(copies, truth)
    return {"tool": tool, "setting": setting, "f1": f1_score(found), **found, **cost}


def f1_score(found: dict[str, float]) -> float:
    """F1 over redundant files, from what :func:`illus.emoji20.truth.score_duplicates` counted."""
    return 2 * found["right"] / max(1, found["redundant"] + found["flagged"])


def default_and_best(rows: list[dict]) -> list[dict]:
    """The first row, and the best one in hindsight."""
    print(pd.DataFrame(rows, columns=COLUMNS).round(4).to_string(index=False), flush=True)
    best = max(rows, key=lambda row: row["f1"])
    return [rows[0], best | {"setting": f"{best['setting']}, best in hindsight"}]


def run_imagededup(folder: str, files: pd.DataFrame, truth: pd.DataFrame, out: str) -> list[dict]:
    """Rows of imagededup; it skips broken files. All thresholds are read from one run at the largest."""
    cost = measure_program("imagededup_pairs", folder, MAX_BITS, out, python=peers_python())
    pairs = json.loads(Path(out).read_text())
    rows = []
    for limit in (DEFAULT_BITS, *range(MAX_BITS + 1)):
        copies = components(files, [(a, b) for a, b, bits in pairs if bits <= limit])
        rows.append(row("imagededup", f"PHash, {limit} bits", copies, truth, cost))
    return default_and_best(rows)


def run_cleanvision(folder: str, files: pd.DataFrame, truth: pd.DataFrame, out: str) -> list[dict]:
    """Rows of cleanvision; a broken file would end it, and a folder's BMP files it would not look at."""
    readable, rows = Path(f"{out}.readable"), []
    readable.write_text(json.dumps([f"{folder}/{path}" for path in files.path]))
    for kind, size in CLEANVISION:
        cost = measure_program("cleanvision_sets", readable, kind, size, out, python=peers_python())
        pairs = [
            (a.removeprefix(f"{folder}/"), b.removeprefix(f"{folder}/"))
            for one in json.loads(Path(out).read_text())
            for a, b in combinations(one, 2)
        ]
        rows.append(row("cleanvision", f"{kind} {size}", components(files, pairs), truth, cost))
    return default_and_best(rows)


def run_imgeda(folder: str, files: pd.DataFrame, truth: pd.DataFrame, out: str) -> list[dict]:
    """Rows of imgeda, which skips broken files; those of other thresholds have the default's seconds."""
    program, rows = partial(measure_program, python=peers_python()), []
    cost = program("imgeda_groups", folder, out, IMGEDA_BITS)
    found = json.loads(Path(out).read_text())
    program("imgeda_groups", folder, out, *IMGEDA_OTHERS)
    for limit, groups in (found | json.loads(Path(out).read_text())).items():
        pairs = [
            (a.removeprefix(f"{folder}/"), b.removeprefix(f"{folder}/"))
            for group in groups
            for a, b in pairwise(group)
        ]
        rows.append(row("imgeda", f"PHash, {limit} of 256 bits", components(files, pairs), truth, cost))
    return default_and_best(rows)


def run_dataeval(folder: str, files: pd.DataFrame, truth: pd.DataFrame, out: str) -> list[dict]:
    """Rows of DataEval, which takes decoded images and has hashes to choose, but no threshold."""
    readable, paths, rows = Path(f"{out}.readable"), files.path.tolist(), []
    readable.write_text(json.dumps([f"{folder}/{path}" for path in paths]))
    for hashes in DATAEVAL:
        cost = measure_program("dataeval_groups", readable, out, *hashes, python=peers_python())
        groups = json.loads(Path(out).read_text())
        pairs = [(paths[a], paths[b]) for group in groups for a, b in pairwise(group)]
        setting = " + ".join(hashes) or "equal pixels"
        rows.append(row("dataeval", setting, components(files, pairs), truth, cost))
    return default_and_best(rows)


def clean_difference(
    path_a: str, path_b: str, truth: pd.DataFrame, icons: dict[str, str], seed: int = 0
) -> float:
    """Percentage of pixels in which the drawings of two files visibly differ, free of what copying did.

    Both are drawn from their SVGs in the look that the builder gave them, cut to their content and laid
    upon each other. ``truth`` is indexed by path; ``icons`` maps ``set/icon`` to SVG. NaN for photos.
    """
    a, b = (clean(path, truth, icons, seed) for path in (path_a, path_b))
    if a is None or b is None:
        return np.nan
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)]
    warp = Aligner(gray[0], np.ones_like(gray[0])).align(gray[1], NO_MOVE, ALIGNING_STEPS)
    views = (b, warped(b, warp, cv2.INTER_CUBIC).clip(0, 255))
    return min(100 * float((cv2.absdiff(a, view).max(2) > VISIBLE).mean()) for view in views)


def clean(path: str, truth: pd.DataFrame, icons: dict[str, str], seed: int) -> np.ndarray | None:
    """The drawing of a file, content only, float32; None for a photo."""
    file = truth.loc[path]
    while file.kind == "duplicate":
        file = truth.loc[file.source.split("/", 1)[1]]
    if file.kind != "original":
        return None
    look = render.choose_look(render.rng_for(seed, "look", file.drawing))
    rgb = np.array(render.on_background(render.draw(icons[file.source], CLEAN_SIDE), look["background"]))
    if look["gray"]:
        rgb = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    background = np.array(look["background"], np.uint8)
    left, top, right, bottom = content_box(rgb, background)
    return square(rgb[top:bottom, left:right], background).astype(np.float32)


def false_merges(copies: pd.DataFrame, truth: pd.DataFrame, folder: str, seed: int) -> pd.DataFrame:
    """Files called a copy of another drawing, and how far the two are apart; most alike first."""
    truth, table = truth.set_index("path"), load_icons(work_folders.EMOJI20_SOURCES)
    icons, drawing = dict(zip(table.icon_set + "/" + table.icon, table.svg, strict=True)), truth.drawing
    wrong = copies[copies.copy_of.ne("") & (copies.path.map(drawing) != copies.copy_of.map(drawing))]
    pairs = list(zip(wrong.path, wrong.copy_of, strict=True))
    descriptors = describe_images([Path(folder, path) for a, b in pairs for path in (b, a)])
    rows = [
        (
            a,
            b,
            round(distance(descriptors, 2 * i, 2 * i + 1), 2),
            round(clean_difference(a, b, truth, icons, seed), 2),
        )
        for i, (a, b) in enumerate(pairs)
    ]
    table = pd.DataFrame(rows, columns=["path_a", "path_b", "distance", "clean_difference"])
    return table.sort_values(["clean_difference", "distance", "path_a"], ignore_index=True)


def report_merges(twins: pd.DataFrame, ours: dict) -> None:
    """Print the false merges, and the precision without those of drawings that look alike."""
    alike = int((twins.clean_difference < ALIKE).sum())
    print(twins.to_string(index=False))
    print(
        f"{alike} of {len(twins)} false merges are of drawings that differ in less than {ALIKE:.0f} % of "
        f"pixels; precision without them {ours['right'] / max(1, ours['flagged'] - alike):.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=work_folders.EMOJI20 / "training", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=profiles.SEED, help="seed that the folder was built from")
    options = parser.parse_args()
    folder, truth = options.folder.resolve().as_posix(), load_truth(options.folder)
    if truth is None:
        parser.error(f"{options.folder}: no truth.csv beside it")
    peers_python()
    print(f"Before the runs: {load()}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        out = str(Path(temporary, "out"))
        cost = measure_program("illus_duplicates", folder, f"{out}.catalog", out)
        catalog, copies = pd.read_pickle(f"{out}.catalog"), pd.read_pickle(out)
        rows = [row("illus", "default", copies, truth, cost)]
        twins = false_merges(copies, truth, folder, options.seed)
        report_merges(twins, rows[0])
        files = best_first(catalog[catalog.error == ""])
        for run_peer in (run_cleanvision, run_imagededup, run_imgeda, run_dataeval):
            rows += run_peer(folder, files, truth, out)
    print(f"After the runs: {load()}")
    table = pd.DataFrame(rows, columns=COLUMNS).round({"recall": 4, "precision": 4, "f1": 4})
    code = code_of(SOURCES)
    write_table(table.assign(code=code), work_folders.RESULTS / "duplicates.csv")
    write_table(twins.assign(code=code), work_folders.RESULTS / "duplicates_twins.csv")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
