"""Duplicates: this project beside imagededup and cleanvision on one folder. Writes results/duplicates*.csv.

    python -m benchmarks.duplicates [--folder data/emoji20/training] [--seed 0]

Each run is a process of its own: imports and decoding are in its seconds. Its peak memory is the
largest sum, over it and its children, of the proportional set size (PSS: a page that k processes
share counts 1/k in each); where a system has no PSS, of the unique set size.

A peer's pairs are joined to components, of which the best file is kept by this project's own rule
(``illus.clean.duplicates.best_first``). ``best in hindsight`` is the setting with the best F1 against
the truth, which nobody has in practice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

from illus import config
from illus.clean.compare import _aligned, distance
from illus.clean.descriptors import content_box, describe_images, square
from illus.clean.duplicates import best_first, connected_components
from illus.emoji20 import render
from illus.emoji20.sources import load_icons
from illus.emoji20.truth import load_truth, score_duplicates

PEERS = Path("work/benchmark-peers")
PINS = """imagededup==0.3.3.post2 cleanvision==0.3.7 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 pillow==13.0.0
scikit-learn==1.9.1 joblib==1.6.0 threadpoolctl==3.8.0 narwhals==2.28.0 PyWavelets==1.9.0 ImageHash==4.3.2
matplotlib==3.11.2 contourpy==1.3.3 cycler==0.12.1 fonttools==4.68.0 kiwisolver==1.5.1 packaging==26.3
pyparsing==3.3.3 python-dateutil==2.9.0.post0 six==1.17.0 tqdm==4.70.1 tabulate==0.10.0 fsspec==2026.9.0
cloudpickle==3.1.2 psutil==7.2.2"""
STAND_INS = [
    "torch",
    "torch.nn",
    "torch.utils",
    "torch.utils.data",
    "torchvision",
    "torchvision.models",
    "torchvision.transforms",
    "torchvision.transforms.transforms",
    "torchvision.models.vision_transformer",
]
DEFAULT_BITS, MOST_BITS = 10, 12  # thresholds of imagededup: its default, the largest in hindsight
CLEANVISION = (("phash", 8), ("phash", 12), ("phash", 16), ("dhash", 8))
CLEAN_SIDE, VISIBLE, ALIKE = 128, 32, 1.0  # px; levels; % of pixels below which drawings look alike
N_HASHES, RADIUS = (100_000, 1_000_000), 4
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

# What the processes run; each finds its task in the first argument and writes to task["out"].
HEAD = "import json, sys, time\ntask = json.loads(sys.argv[1])\n"
RUN_ILLUS = (
    HEAD
    + """
from illus.data.catalog import scan
from illus.clean.duplicates import find_duplicates
catalog = scan(task["folder"])
catalog.to_pickle(task["out"] + ".catalog")
find_duplicates(catalog, task["folder"]).to_pickle(task["out"])
"""
)
RUN_IMAGEDEDUP = (
    HEAD
    + f"stand_ins = {STAND_INS}"
    + """
from unittest.mock import MagicMock
import sklearn.metrics.pairwise  # before the stand-ins: it asks whether arrays are torch's
sys.modules.update({name: MagicMock() for name in stand_ins})
from imagededup.methods import PHash
for name in stand_ins:
    del sys.modules[name]
found = PHash(verbose=False).find_duplicates(
    image_dir=task["folder"], recursive=True, scores=True, max_distance_threshold=task["bits"])
pairs = [(a, b, int(bits)) for a, near in found.items() for b, bits in near if a < b]
json.dump(pairs, open(task["out"], "w"))
"""
)
RUN_CLEANVISION = (
    HEAD
    + """
from cleanvision import Imagelab
lab = Imagelab(filepaths=json.load(open(task["readable"])), verbose=False)
near = {"hash_type": task["hash_type"], "hash_size": task["hash_size"]}
lab.find_issues({"exact_duplicates": {}, "near_duplicates": near}, verbose=False)
json.dump(lab.info["exact_duplicates"]["sets"] + lab.info["near_duplicates"]["sets"], open(task["out"], "w"))
"""
)
RUN_SEARCH = (
    HEAD
    + """
import numpy as np
from illus.clean.descriptors import near_hashes
n, radius, planted = task["n"], task["radius"], task["n"] // 100
rng = np.random.default_rng(0)
hashes = rng.integers(0, 2**64, n, np.uint64)
for i in range(planted):  # hash i beside hash n - 1 - i
    bits = rng.choice(64, radius, replace=False).astype(np.uint64)
    hashes[i] = hashes[n - 1 - i] ^ (np.uint64(1) << bits).sum()
start, cpu_start = time.perf_counter(), time.process_time()
pairs = near_hashes(hashes, radius)
seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
found = set(map(tuple, pairs.tolist())) & {(i, n - 1 - i) for i in range(planted)}
report = {"seconds": seconds, "cpu_seconds": cpu_seconds, "pairs": len(pairs), "found": len(found) / planted}
json.dump(report, open(task["out"], "w"))
"""
)


def peers_python():
    """Python of a virtual environment that holds the peers, made on the first run."""
    done, python = PEERS / "installed.txt", PEERS / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (done.exists() and done.read_text() == PINS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PINS.split()], check=True)
        done.write_text(PINS)
    return str(python)


def run(python, program, **task):
    """Run a program in a process of its own; dict of ``seconds`` and ``peak_mb``."""
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        child = psutil.Popen([python, "-c", program, json.dumps(task)], stdout=log, stderr=subprocess.STDOUT)
        while child.poll() is None:
            peak = max(peak, memory(child))
            time.sleep(0.1)
        seconds = time.perf_counter() - start
        if child.returncode:
            log.seek(0)
            raise RuntimeError(f"exit status {child.returncode}:\n{log.read()[-3000:]}")
    return {"seconds": round(seconds, 1), "peak_mb": round(peak / 2**20)}


def memory(process):
    """Bytes that a process and its children hold, pages they share counted once."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            held = one.memory_full_info()
            total += getattr(held, "pss", held.uss)
    except psutil.Error:  # one of them has just ended
        pass
    return total


def components(files, pairs):
    """Pairs of paths -> ``path``, ``copy_of``: the best file of each component; best files come first."""
    position = dict(zip(files.path, files.index, strict=True))
    links = [(position[a], position[b]) for a, b in pairs if a in position and b in position]
    best = files.path.groupby(
        connected_components(len(files), np.array(links, int).reshape(-1, 2))
    ).transform("first")
    return pd.DataFrame({"path": files.path, "copy_of": best})


def row(tool, setting, copies, truth, cost):
    """One row of results/duplicates.csv."""
    found = score_duplicates(copies, truth)
    f1 = 2 * found["right"] / max(1, found["redundant"] + found["flagged"])
    return {"tool": tool, "setting": setting, "f1": f1, **found, **cost}


def default_and_best(rows):
    """The first row, and the best one in hindsight."""
    print(pd.DataFrame(rows, columns=COLUMNS).round(4).to_string(index=False), flush=True)
    best = max(rows, key=lambda row: row["f1"])
    return [rows[0], best | {"setting": f"{best['setting']}, best in hindsight"}]


def run_imagededup(folder, files, truth, out):
    """Rows of imagededup; it skips broken files. All thresholds are read from one run at the largest."""
    cost = run(peers_python(), RUN_IMAGEDEDUP, folder=folder, bits=MOST_BITS, out=out)
    pairs = json.loads(Path(out).read_text())
    rows = []
    for limit in (DEFAULT_BITS, *range(MOST_BITS + 1)):
        copies = components(files, [(a, b) for a, b, bits in pairs if bits <= limit])
        rows.append(row("imagededup", f"PHash, {limit} bits", copies, truth, cost))
    return default_and_best(rows)


def run_cleanvision(folder, files, truth, out):
    """Rows of cleanvision; a broken file would end it, and a folder's BMP files it would not look at."""
    readable, rows = Path(f"{out}.readable"), []
    readable.write_text(json.dumps([f"{folder}/{path}" for path in files.path]))
    for kind, size in CLEANVISION:
        task = {"readable": str(readable), "hash_type": kind, "hash_size": size, "out": out}
        cost = run(peers_python(), RUN_CLEANVISION, **task)
        pairs = [
            [path.removeprefix(f"{folder}/") for path in pair]
            for one in json.loads(Path(out).read_text())
            for pair in combinations(one, 2)
        ]
        rows.append(row("cleanvision", f"{kind} {size}", components(files, pairs), truth, cost))
    return default_and_best(rows)


def clean_difference(path_a, path_b, truth, icons, seed=0):
    """Percentage of pixels in which the drawings of two files visibly differ, free of what copying did.

    Both are drawn from their SVGs in the look that the builder gave them, cut to their content and laid
    upon each other. ``truth`` is indexed by path; ``icons`` maps ``set/icon`` to SVG. NaN for photographs.
    """
    a, b = (clean(path, truth, icons, seed) for path in (path_a, path_b))
    if a is None or b is None:
        return np.nan
    known = np.ones(a.shape[:2], np.float32)
    views = [(a, b, known), *_aligned(a, b, known, known)]
    return min(100 * float((cv2.absdiff(x, y).max(2) > VISIBLE)[k > 0].mean()) for x, y, k in views)


def clean(path, truth, icons, seed):
    """The drawing of a file, content only, float32; None for a photograph."""
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


def false_merges(copies, truth, folder, seed):
    """Files called a copy of another drawing, and how far the two are apart; most alike first."""
    truth, table = truth.set_index("path"), load_icons(config.EMOJI20_SOURCES)
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


def report_merges(twins, ours):
    """Print the false merges, and the precision without those of drawings that look alike."""
    alike = int((twins.clean_difference < ALIKE).sum())
    print(twins.to_string(index=False))
    print(
        f"{alike} of {len(twins)} false merges are of drawings that differ in less than {ALIKE:.0f} % of "
        f"pixels; precision without them {ours['right'] / max(1, ours['flagged'] - alike):.4f}",
        flush=True,
    )


def search_cost(out):
    """Print what the exact search for near hashes costs as their number grows."""
    rows = []
    for n in N_HASHES:
        cost = run(sys.executable, RUN_SEARCH, n=n, radius=RADIUS, out=out)
        rows.append({"hashes": n, **cost, **json.loads(Path(out).read_text())})
    print(pd.DataFrame(rows).to_string(index=False))
    print(f"ratio of the seconds: {rows[1]['seconds'] / rows[0]['seconds']:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=config.EMOJI20 / "training", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=config.SEED, help="seed that the folder was built from")
    options = parser.parse_args()
    folder, truth = options.folder.resolve().as_posix(), load_truth(options.folder)
    if truth is None:
        parser.error(f"{options.folder}: no truth.csv beside it")
    print(
        "imagededup imports torch and torchvision, which its PHash does not use: here inert stand-ins.\n"
        f"Load before the runs: {psutil.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )
    peers_python()
    with tempfile.TemporaryDirectory() as temporary:
        out = str(Path(temporary, "out"))
        search_cost(out)
        cost = run(sys.executable, RUN_ILLUS, folder=folder, out=out)
        catalog, copies = pd.read_pickle(f"{out}.catalog"), pd.read_pickle(out)
        rows = [row("illus", "default", copies, truth, cost)]
        twins = false_merges(copies, truth, folder, options.seed)
        report_merges(twins, rows[0])
        files = best_first(catalog[catalog.error == ""])
        rows += run_cleanvision(folder, files, truth, out) + run_imagededup(folder, files, truth, out)
    table = pd.DataFrame(rows, columns=COLUMNS).round({"recall": 4, "precision": 4, "f1": 4})
    table.to_csv(config.RESULTS / "duplicates.csv", index=False, lineterminator="\n")
    twins.to_csv(config.RESULTS / "duplicates_twins.csv", index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
