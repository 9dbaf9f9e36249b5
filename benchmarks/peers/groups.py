"""The one way in and out of the peers that find duplicates.

In: a folder of images and settings in words. Out: JSON, for each setting a list of groups of paths relative
to the folder; a pair is a group of two. Only the standard library, as it runs in the peers' environments.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

Groups = list[list[str]]


def write_groups(find: Callable[[str, list[str], list[str]], Iterable[Groups]]) -> None:
    """Call ``find`` with the folder, its files and the settings; it gives the groups of each setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", nargs="+")
    options = parser.parse_args()
    files = sorted(str(path) for path in Path(options.folder).rglob("*") if path.is_file())
    found = find(options.folder, files, options.settings)
    options.out.write_text(
        json.dumps(
            {
                setting: [[path.removeprefix(f"{options.folder}/") for path in group] for group in groups]
                for setting, groups in zip(options.settings, found, strict=True)
            }
        )
    )
