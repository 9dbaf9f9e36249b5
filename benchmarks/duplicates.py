"""Duplicates: this project beside five other tools, on two contaminations. Writes results/duplicates*.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.duplicates [--folder data/emoji20/training] [--seed 0]

``duplicates.csv``: emoji20's training folder. This project's settings were swept on the same builder with
another seed (``benchmarks/threshold.py``), those of the others were not. ``duplicates_second.csv``: the
drawings with other copies (``benchmarks/second_contamination.py``), by which nothing was chosen.
``duplicates_twins.csv``: files of emoji20 that this project calls redundant against the truth.

All tools get the same copy of a folder: transparency composited on white, no files that cannot be read. What
a tool names is judged in two ways, by the same rule for all:

- *files*: its pairs are joined to connected components. The best file of each stays, by this project's rule
  (``illus.copies.duplicates.best_first``); each other one is called redundant, rightly if the file that stays
  shows its drawing. Of k files that show one drawing, k - 1 are redundant: recall is over these.
  ``recall_<transform>``, of the second contamination: the share of those copies that are in one component
  with another file of their drawing; there ``with variants`` is what this project never splits.
- *pairs*: each pair by itself, right if both files show the same drawing; a group counts as all of its pairs.
  Recall is over all pairs of files that show one drawing. Chains cost nothing here.

The peers are installed on the first run, into virtual environments of their own (versions:
``benchmarks/peers/requirements*.txt``). Seconds and memory: see ``benchmarks/measure.py``; settings of one
run share them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from benchmarks import second_contamination
from benchmarks.measure import load, measure_program
from benchmarks.records import write_record
from evaluate import decode_image
from illus import profiles, work_folders
from illus.copies.align import NO_MOVE, Aligner, warped
from illus.copies.compare import distance
from illus.copies.duplicates import best_first
from illus.copies.groups import connected_components
from illus.emoji20 import render
from illus.emoji20.sources import load_icons
from illus.emoji20.truth import load_truth, recall_by_transform, score_duplicates
from illus.files.descriptors import content_box, describe_images, square

ENVIRONMENTS = Path("work/benchmark-peers")
PEERS = {  # program -> runs of one or more settings: the default first, then what was best in wider sweeps
    "cleanvision_sets": (("phash 8",), ("phash 12",)),
    "imagededup_pairs": (("PHash, 10 bits", "PHash, 4 bits", "PHash, 2 bits", "PHash, 0 bits"),),
    "imgeda_groups": (("PHash, 8 of 256 bits",), ("PHash, 2 of 256 bits",)),
    "dataeval_groups": (("phash + dhash",), ("phash",)),
    "fastdup_pairs": (("cosine 0.96", "cosine 0.9", "cosine 0.98", "cosine 0.99"),),
}
CLEAN_SIDE, VISIBLE = 128, 32  # px; levels
ALIGNING_STEPS = 10
WITH_VARIANTS = "with variants"  # in one group, which a split keeps together
Groups = Iterable[Iterable[str]]  # of paths


def peers_python(kind: str = "") -> Path:
    """Python of a virtual environment that holds the peers, made on the first run; fastdup has its own."""
    pins, folder = Path(f"benchmarks/peers/requirements{kind}.txt"), Path(f"{ENVIRONMENTS}{kind}")
    done, python = folder / "installed.txt", folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (done.exists() and done.read_text() == pins.read_text()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", pins], check=True)
        done.write_text(pins.read_text())
    return python


def composited_copy(folder: Path, truth: pd.DataFrame, out: Path) -> None:
    """The readable files of a folder; those with transparency become PNG on white, under the same name."""
    for path in truth.path[truth.kind != "broken"]:
        data, target = (folder / path).read_bytes(), out / path
        with Image.open(folder / path) as image:
            transparent = image.has_transparency_data
        if transparent:
            data = render.encode(Image.fromarray(decode_image(data)), "png-rgb")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def components(files: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """Groups of paths -> ``path``, ``copy_of``: the best file of each component; best files come first."""
    position = dict(zip(files.path, files.index, strict=True))
    links = [(position[a], position[b]) for group in groups for a, b in pairwise(group)]
    best = files.path.groupby(
        connected_components(len(files), np.array(links, int).reshape(-1, 2))
    ).transform("first")
    return pd.DataFrame({"path": files.path, "copy_of": best})


def judge_pairs(groups: Groups, truth: pd.DataFrame) -> dict[str, float]:
    """``pair_recall`` and ``pair_precision``: every two files of a group, however often they are named."""
    drawing, sizes = truth.set_index("path").drawing.to_dict(), truth.drawing.value_counts()
    named = {pair for group in groups for pair in combinations(sorted(group), 2)}
    right = sum(drawing[a] == drawing[b] for a, b in named)
    return {
        "pair_recall": right / max(1, int((sizes * (sizes - 1)).sum()) // 2),
        "pair_precision": right / max(1, len(named)),
    }


def row(
    tool: str, setting: str, files: pd.DataFrame, groups: Groups, truth: pd.DataFrame, cost: dict
) -> dict:
    """One row of results/duplicates.csv; ``files`` are those of the truth, best first."""
    copies = components(files, groups)
    found, by_transform = score_duplicates(copies, truth), recall_by_transform(copies, truth).recall
    judged = {"f1": f1_score(found), **judge_pairs(groups, truth), **found, **cost}
    print(tool, setting, judged, flush=True)
    return {"tool": tool, "setting": setting, **judged, **by_transform.add_prefix("recall_").to_dict()}


def f1_score(found: dict[str, float]) -> float:
    """F1 over redundant files, from what :func:`illus.emoji20.truth.score_duplicates` counted."""
    return 2 * found["right"] / max(1, found["redundant"] + found["flagged"])


def compare(folder: Path, truth: pd.DataFrame, name: str) -> pd.DataFrame:
    """Measure all tools on a folder, write ``results/<name>.csv``; this project's table of duplicates."""
    truth = truth[truth.kind != "broken"]
    with tempfile.TemporaryDirectory() as scratch:
        copy, out = Path(scratch, "images"), Path(scratch, "out")
        composited_copy(folder, truth, copy)
        cost = measure_program("illus_duplicates", copy, f"{out}.catalog", out)
        files, copies = best_first(pd.read_pickle(f"{out}.catalog")), pd.read_pickle(out)
        ours = {
            "default": copies[copies.copy_of != ""].groupby("copy_of"),
            WITH_VARIANTS: copies.groupby("group"),
        }
        rows = [row("illus", key, files, groups.path.agg(list), truth, cost) for key, groups in ours.items()]
        for program, runs in PEERS.items():
            python = peers_python("-fastdup" if program == "fastdup_pairs" else "")
            for settings in runs:
                cost = measure_program(program, copy, out, *settings, python=python)
                for setting, groups in json.loads(out.read_text()).items():
                    rows.append(row(program.split("_")[0], setting, files, groups, truth, cost))
                write_rows(rows, name)
    return copies


def write_rows(rows: list[dict], name: str) -> None:
    """Write ``results/<name>.csv``, as far as it is measured."""
    table = pd.DataFrame(rows)
    if name == "duplicates":  # what is found of each kind there stands in notebook 02
        table = table[table.setting != WITH_VARIANTS].filter(regex="^(?!recall_)")
    shares = [column for column in table if re.search("recall|precision|f1", column)]
    table = table.round(dict.fromkeys(shares, 4))
    write_record(table, name)


def clean_difference(
    path_a: str, path_b: str, truth: pd.DataFrame, icons: dict[str, str], seed: int
) -> float:
    """Percentage of pixels in which two files' drawings visibly differ, free of copying; NaN for photos."""
    # from their SVGs in the look that the builder gave them, cut to their content
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


def false_merges(copies: pd.DataFrame, truth: pd.DataFrame, folder: Path, seed: int) -> pd.DataFrame:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=work_folders.EMOJI20 / "training", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=profiles.SEED, help="seed that the folder was built from")
    options = parser.parse_args()
    truth = load_truth(options.folder)
    if truth is None:
        parser.error(f"{options.folder}: no truth.csv beside it")
    print(f"Before the runs: {load()}", flush=True)
    copies = compare(options.folder, truth, "duplicates")
    twins = false_merges(copies, truth, options.folder, options.seed)
    print(twins.to_string(index=False), flush=True)
    write_record(twins, "duplicates_twins")
    second = second_contamination.build(options.folder, truth, Path("work/second-contamination"))
    compare(second, load_truth(second), "duplicates_second")
    print(f"After the runs: {load()}")


if __name__ == "__main__":
    main()
