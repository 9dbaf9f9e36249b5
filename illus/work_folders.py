"""Where things are: data, work folders, test folders, results and weights.

In: the environment variable ``DATA_DIR``. Out: constants and small functions. All paths are relative to the
root of the repository, where notebooks and commands run.
"""

import os
import unicodedata
from pathlib import Path

EMOJI20 = Path("data/emoji20")
EMOJI20_SOURCES = Path("work/emoji20-sources")
DOWNLOADED = Path("data/training")
RESULTS = Path("results")
ARCHIVE = RESULTS / "archive"  # rows of code that no longer exists
SHIPPED_WEIGHTS = Path("weights/best.h5")
TRAINING_NAMES = {"training", "train"}
OVERRIDES = "overrides.csv"  # may be there before anything else, see illus.files.overrides


def data_dir() -> Path:
    """The class folders to work on: ``DATA_DIR``, or emoji20's training folder if it is not set."""
    return Path(os.environ.get("DATA_DIR") or EMOJI20 / "training")


def is_emoji20(folder: str | Path) -> bool:
    """Whether a folder is emoji20's training folder, however its path is written."""
    return Path(folder).resolve() == (EMOJI20 / "training").resolve()


def is_work_of_emoji20(work: Path) -> bool:
    """Whether a work folder belongs to emoji20's training folder, see :func:`work_dir`."""
    mark = work / "folder.txt"
    return mark.exists() and is_emoji20(_owner(mark))


def test_folders(folder: str | Path) -> list[Path]:
    """Folders to score: those beside a training folder called ``test…`` that hold a class of it, sorted.

    Upper and lower case are the same. Empty if ``folder`` has none of the names in ``TRAINING_NAMES``.
    """
    folder = Path(folder)
    classes = _sub_folders(folder) if _is_training(folder) else set()
    return [path for path in _named_test(folder) if classes & _sub_folders(path)]


def untested_folders(folder: str | Path) -> dict[Path, str]:
    """Folders beside a training folder that look like :func:`test_folders`, and why they are none."""
    folder = Path(folder)
    found = _named_test(folder)
    if _is_training(folder):
        why = f"none of its sub-folders is a class of {folder}"
        return dict.fromkeys((path for path in found if path not in test_folders(folder)), why)
    why = f"{folder} is called neither {' nor '.join(sorted(TRAINING_NAMES))}"
    classes = _sub_folders(folder)
    return dict.fromkeys((path for path in found if classes & _sub_folders(path)), why)


def _is_training(folder: Path) -> bool:
    return folder.resolve().name.casefold() in TRAINING_NAMES


def _named_test(folder: Path) -> list[Path]:
    """The folders called ``test…`` beside a folder, sorted."""
    resolved = folder.resolve()
    parent = folder.parent if folder.name == resolved.name else resolved.parent  # of "." only the latter
    named = (path for path in parent.glob("*") if path.name.casefold().startswith("test"))
    return sorted(path for path in named if path.is_dir() and path.resolve() != resolved)


def _sub_folders(folder: Path) -> set[str]:
    """Names of sub-folders that may be classes, in Unicode NFC."""
    from evaluate import is_system_folder  # slow to load: help comes at once

    inside = folder.iterdir() if folder.is_dir() else ()
    names = (path.name for path in inside if path.is_dir())
    return {unicodedata.normalize("NFC", name) for name in names if not is_system_folder(name)}


def weights_path(folder: str | Path) -> Path:
    """Where ``make weights`` writes: ``weights/best.h5`` for emoji20, for others into their work folder."""
    return SHIPPED_WEIGHTS if is_emoji20(folder) else work_dir(folder) / "best.h5"


def work_dir(folder: str | Path) -> Path:
    """Where stages write their tables for a folder of class folders: ``work/<dataset>``, which is created.

    The name is that of the folder, or of the one around it where it is called ``training``. A file
    ``folder.txt`` keeps which folder a name belongs to; where two folders share a name, or something else is
    there, the later one gets ``<dataset>-2``, and so on. ValueError if the folder is inside ``work/``, or
    ``work/`` inside the folder.
    """
    root, folder = Path.cwd(), Path(folder).resolve()
    if folder.is_relative_to(root / "work"):
        raise ValueError(f"{folder} is inside work/, where the stages write: move it elsewhere")
    if root.is_relative_to(folder):
        raise ValueError(f"the stages would write into {folder}, as it contains {root}: run from elsewhere")
    name = (folder.parent.name if folder.name.casefold() in TRAINING_NAMES else folder.name) or "data"
    place = folder.relative_to(root) if folder.is_relative_to(root) else folder  # a clone can be moved
    mark = f"{place.as_posix()}\n".encode("utf-8", "surrogateescape")  # a name may hold any bytes, "\r" too
    number, orphans = 1, list[Path]()
    while True:
        work = Path("work", name if number == 1 else f"{name}-{number}")
        owner = work / "folder.txt"
        if not work.exists() or (work.is_dir() and not any(map(_is_of_somebody, work.iterdir()))):
            work.mkdir(parents=True, exist_ok=True)
            owner.write_bytes(mark)
            for decisions in orphans:  # perhaps of this folder, before it was moved
                print(f"{decisions} is of a folder that is gone; if it was this one, copy it to {work}")
        if owner.exists():
            if owner.read_bytes() == mark:
                return work
            if not _owner(owner).exists() and (decisions := work / OVERRIDES).exists():
                orphans.append(decisions)
        number += 1


def _is_of_somebody(path: Path) -> bool:
    """Whether a file or folder in a work folder shows that it is in use, or no work folder."""
    from evaluate import JUNK_NAMES  # slow to load: help comes at once

    return path.name != OVERRIDES and path.name.casefold() not in JUNK_NAMES


def _owner(mark: Path) -> Path:
    """The folder that a file ``folder.txt`` names."""
    return Path(mark.read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n"))
