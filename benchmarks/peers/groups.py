"""The one way in and out of the peers that find duplicates.

In: a folder of images and settings in words. Out: JSON, for each setting a list of groups of paths relative
to the folder; a pair is a group of two. Only the standard library, as it runs in the peers' environments.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

Groups = list[list[str]]


def write_groups(find: Callable[[str, list[str], list[str]], Iterable[Groups]]) -> None:
    """Call ``find`` with the folder, its files and the settings; it gives the groups of each setting."""
    folder, out, *settings = sys.argv[1:]
    files = sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())
    named = {
        setting: [[path.removeprefix(f"{folder}/") for path in group] for group in groups]
        for setting, groups in zip(settings, find(folder, files, settings), strict=True)
    }
    Path(out).write_text(json.dumps(named))
