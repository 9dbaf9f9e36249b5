"""What ``python -m illus emoji20`` does: installs the icons, builds the data set, draws a sheet of it."""

import time
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from illus import profiles, work_folders
from illus.emoji20.build import build
from illus.emoji20.photographs import load_pictures
from illus.emoji20.sources import HERE, class_table, install, load_icons
from illus.report.sheets import class_gallery

SAME = "the same bytes as the published build"
DIFFERENT = (
    "not the same bytes as the published build: other versions of the libraries that draw and encode "
    "(requirements.txt pins them)?"
)


def build_data_set(
    out: Path, seed: int = profiles.SEED, limit: int | None = None, real_shares: bool = False
) -> None:
    """Install the pinned packages (about 300 MB), build the data set, say whether it is the published one.

    ``out`` must not exist; another ``seed`` gives another collection; with ``limit`` about as many icons
    are drawn; ``real_shares`` leaves drawings of the small classes out, until the largest is 34 times the
    smallest. ValueError if the published folder was named for another build, or ``limit`` is below 1;
    SourceError or OSError if it cannot be built.
    """
    published = limit is None and seed == profiles.SEED and not real_shares
    if not published and out.resolve() == work_folders.EMOJI20.resolve():
        raise ValueError(
            f"--limit, --seed and --real-shares need --out: {work_folders.EMOJI20} is for the published build"
        )
    if limit is not None and limit < 1:
        raise ValueError("--limit must be at least 1")
    start = time.perf_counter()
    print("packages ...", flush=True)
    install(work_folders.EMOJI20_SOURCES)
    sources = work_folders.EMOJI20_SOURCES
    tree = build(load_icons(sources), load_pictures(sources), out, seed, limit, real_shares)
    print(f"{out} built in {time.perf_counter() - start:.0f} s, tree hash {tree}")
    if published:
        same = tree == (HERE / "tree.sha256").read_text().strip()
        print(SAME if same else DIFFERENT)


def draw_sheet(folder: str | Path, path: str | Path) -> None:
    """Save a sheet of training images of every class, contamination included, with names and sizes."""
    truth = pd.read_csv(Path(folder) / "truth.csv")
    parts = truth.path.str.split("/", expand=True)
    shown = truth.assign(class_name=parts[1])[(parts[0] == "training") & (truth.kind != "broken")]
    sizes = shown.class_name.value_counts()
    labels = {
        c["class_name"]: f"{c['name_en']}  {c['class_name']}  {sizes[c['class_name']]:,}"
        for c in class_table()
        if c["class_name"] in sizes
    }
    figure = Figure(figsize=(13, 11))
    class_gallery(figure.subplots(), shown, folder, labels)
    figure.savefig(path, dpi=100, bbox_inches="tight")
