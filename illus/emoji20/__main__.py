"""Command line of the builder."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from illus import config
from illus.emoji20.build import build
from illus.emoji20.sources import HERE, SourceError, class_table, install, load_icons
from illus.report.sheets import class_gallery

SAME = "the same bytes as the published build"
DIFFERENT = (
    "not the same bytes as the published build: other versions of the libraries that draw and encode "
    "(requirements.txt pins them)?"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success, 2 on an error, after one line that says it."""
    options = parse_arguments(arguments)
    start = time.perf_counter()
    try:
        if options.image:
            draw_sheet(options.out, options.image)
            return 0
        print("icon packages ...", flush=True)
        install(config.EMOJI20_SOURCES)
        tree = build(load_icons(config.EMOJI20_SOURCES), options.out, options.seed, options.limit)
    except (SourceError, OSError) as error:
        print(f"emoji20: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out} built in {time.perf_counter() - start:.0f} s, tree hash {tree}")
    if options.published:
        same = tree == (HERE / "tree.sha256").read_text().strip()
        print(SAME if same else DIFFERENT)
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m illus.emoji20",
        description="Build emoji20: about 25,000 openly licensed illustrations in 20 class folders, "
        "with planted duplicates, photos and broken files whose truth is known. "
        "Installs pinned icon packages from npm first (about 230 MB).",
    )
    parser.add_argument(
        "--out",
        default=config.EMOJI20,
        type=Path,
        metavar="FOLDER",
        help="where to build; must not exist (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="draw about N icons only; needs --out")
    parser.add_argument("--image", metavar="FILE", help="draw a sheet of the built data set and stop")
    parser.add_argument(
        "--seed",
        type=int,
        default=config.SEED,
        metavar="N",
        help="another seed gives another collection; needs --out (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    options.published = options.limit is None and options.seed == config.SEED
    if not options.published and options.out == config.EMOJI20:
        parser.error(f"--limit and --seed need --out: {config.EMOJI20} is for the published build")
    if options.limit is not None and options.limit < 1:
        parser.error("--limit must be at least 1")
    return options


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


if __name__ == "__main__":
    sys.exit(main())
