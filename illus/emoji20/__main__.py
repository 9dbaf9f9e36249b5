"""Command line of the builder."""

import argparse
import sys
import time

from illus import config
from illus.emoji20.build import build
from illus.emoji20.sources import HERE, SourceError, install, load_icons


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m illus.emoji20",
        description="Build emoji20: about 25,000 openly licensed illustrations in 20 class folders, "
                    "with planted duplicates, photographs and broken files whose truth is known. "
                    "Installs pinned icon packages from npm first (about 230 MB).")
    parser.add_argument("--out", default=config.EMOJI20, metavar="FOLDER",
                        help="where to build; must not exist (default: %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="draw about N icons only")
    parser.add_argument("--seed", type=int, default=config.SEED, metavar="N",
                        help="another seed gives another collection (default: %(default)s)")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        print("icon packages ...", flush=True)
        install(config.EMOJI20_SOURCES)
        tree = build(load_icons(config.EMOJI20_SOURCES), options.out, options.seed, options.limit)
    except (SourceError, FileExistsError) as error:
        print(f"emoji20: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out} built in {time.perf_counter() - start:.0f} s, tree hash {tree}")
    if options.limit is None and options.seed == config.SEED:
        same = tree == (HERE / "tree.sha256").read_text().strip()
        print("the same bytes as the published build" if same else
              "not the same bytes as the published build: other versions of the libraries that "
              "draw and encode (requirements.txt pins them)?")
    return 0


if __name__ == "__main__":
    sys.exit(main())
