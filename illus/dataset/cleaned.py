"""Catalog, duplicates and photos -> a new folder of class folders, with only what is kept.

In: the tables of the stages. Out: copies of the kept files in class folders; and ``removed.csv``, which says
of each other file why it was left out. The data folder is only read.
"""

import os
import shutil
import signal
import tempfile
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from evaluate import class_folders, natural_key, on_one_line, shorten_list
from illus.copies.duplicates import best_first
from illus.files.overrides import BY_DECISION
from illus.parallel import progress, write_table

REMOVED = "removed.csv"
COLUMNS = ["path", "reason", "counterpart"]
PHOTO, UNREADABLE, CONFLICT = "photo", "unreadable: ", "label conflict"
KERAS_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # of image_dataset_from_directory in Keras 3


def keep_or_remove(
    catalog: pd.DataFrame,
    duplicates: pd.DataFrame,
    photos: pd.DataFrame,
    dropped: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the files of a catalog into what is kept and what is left out.

    ``class_name`` of the catalog is where a file shall go, which may be another class than that of its
    folder. ``dropped`` maps paths of files that are left out, whatever the tables of duplicates and
    photographs say, to the reason. Returns ``path`` and ``class_name`` of the kept, and ``path``, ``reason``
    and ``counterpart`` (the best copy that is kept, empty if there is none) of the others, in the order of
    the catalog.
    """
    keep = duplicates.keep.astype(bool)
    order = pd.Index(best_first(catalog).path)
    of_set = duplicates[keep & (duplicates.copy_of != "")].sort_values("path", key=order.get_indexer)
    of_set = of_set.drop_duplicates("copy_of")  # of several that a person keeps, the best
    best_kept = dict(zip(of_set.copy_of, of_set.path, strict=True))
    out = duplicates[~keep]
    reasons = dict(zip(out.path, out.reason, strict=True))
    instead = {p: best_kept.get(best, "") for p, best in zip(out.path, out.copy_of, strict=True)}
    reasons |= dict.fromkeys(photos.path[photos.is_photo.astype(bool)], PHOTO)
    broken = catalog[catalog.error != ""]
    reasons |= {p: UNREADABLE + error for p, error in zip(broken.path, broken.error, strict=True)}
    reasons |= dropped or {}
    kept = catalog.loc[~catalog.path.isin(list(reasons)), ["path", "class_name"]]
    remaining = set(kept.path)
    rows = [
        (path, reasons[path], instead[path] if instead.get(path) in remaining else "")
        for path in catalog.path
        if path in reasons
    ]
    return kept.reset_index(drop=True), pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def check_out(folder: str | Path, out: str | Path) -> None:
    """Refuse a place for a cleaned folder; call it before the stages, which take long.

    ValueError if ``out`` exists, or lies inside ``folder`` (links resolved) or ``work/``, or its parent does
    not exist or is not writable, or the names of the classes cannot be beside one another there.
    """
    out = Path(out)
    if os.path.lexists(out):
        raise ValueError(f"{out} exists already: name a folder that does not exist")
    if not out.parent.is_dir():
        raise ValueError(f"no such folder: {out.parent}")
    parent = out.parent.resolve()
    if not os.access(parent, os.W_OK):
        raise ValueError(f"{out.parent} is not writable: name another place")
    if parent.is_relative_to(Path("work").resolve()):
        raise ValueError(f"{out} lies inside work/, where the stages write: name a folder outside it")
    if any(outer.samefile(folder) for outer in (parent, *parent.parents)):
        raise ValueError(f"{out} lies inside the data, {folder}: name a folder outside it")
    _check_names(class_folders(folder), out)


def _check_names(class_names: Iterable[str], out: Path) -> None:
    """Refuse names of which the file system would make one, as one does that ignores case."""
    taken = {REMOVED: f"the table {REMOVED}"}  # by names without case
    for name in class_names:
        other = taken.get(name.casefold())
        if other and (name == REMOVED or _ignores_case(out.parent)):
            raise ValueError(f"the class folder {name} and {other} would be one in {out}: rename the folder")
        taken[name.casefold()] = f"the class folder {name}"


def _ignores_case(folder: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix=".case-", dir=folder) as probe:
        return Path(folder, Path(probe).name.swapcase()).exists()


def write_cleaned(
    folder: str | Path, out: str | Path, kept: pd.DataFrame, removed: pd.DataFrame
) -> pd.DataFrame:
    """Write class folders of the kept files, and ``removed.csv`` beside them; all of it or nothing.

    A file keeps its name and its place inside its class folder. One of another class than its folder's keeps
    its whole path in the folder of its class: ``A/1.png``, labelled B, becomes ``B/A/1.png``. Where a name is
    taken, the first part inside the class folder gets a number, as in ``B/A-2/1.png``.

    ``kept`` and ``removed`` are from :func:`keep_or_remove`. ``out`` appears when it is complete; until then
    the files are in a hidden folder beside it, which is deleted if anything fails. Returns ``kept`` with
    ``copy``, the path of each file in ``out``. ValueError as of :func:`check_out`, or if nothing is kept;
    OSError if a file cannot be read or written.
    """
    folder, out = Path(folder), Path(out)
    check_out(folder, out)
    if kept.empty:
        why = f"all are left out: {_count_reasons(removed)}" if len(removed) else "it has no files"
        raise ValueError(f"nothing is kept of {folder}, so {out} is not made; {why}")
    copies = pd.Series("", kept.index, dtype=object)
    with _exit_on_sigterm(), tempfile.TemporaryDirectory(prefix=".cleaned-", dir=out.parent) as temporary:
        building = Path(temporary, "out")  # the folder around it cannot be read by others
        building.mkdir()
        write_table(removed, building / REMOVED)
        for row, target in progress(free_places(kept, building), "clean", len(kept)):
            shutil.copyfile(folder / kept.path[row], target)
            copies[row] = target.relative_to(building).as_posix()
        building.rename(out)
    return kept.assign(copy=copies)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM raises SystemExit, so that what is half made is deleted."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not stop the deleting
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def free_places(files: pd.DataFrame, out: Path) -> Iterator[tuple[Hashable, Path]]:
    """Where each file goes in class folders, see :func:`write_cleaned`, those that stay in their class first.

    ``files`` have ``path`` and ``class_name``, and no label of the index twice. Yields that label and a path
    below ``out``, whose folder is made; the file is to be written before the next one is asked for.
    """
    home = [unicodedata.normalize("NFC", path.split("/")[0]) for path in files.path]
    moved = files.class_name.ne(home)
    for row in files[~moved].index.append(files[moved].index):  # those that stay keep their names
        path = files.path[row]
        target = _free_place(out / files.class_name[row], path if moved[row] else path.split("/", 1)[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        yield row, target


def _free_place(class_folder: Path, inside: str) -> Path:
    """The path of a file, or the first with a number after its first part (``a-2/1.png``) that is free."""
    target, number, (first, *rest) = class_folder / inside, 1, PurePosixPath(inside).parts
    while target.exists() or not next(parent for parent in target.parents if parent.exists()).is_dir():
        number += 1
        numbered = f"{PurePosixPath(first).stem}-{number}{PurePosixPath(first).suffix}"
        target = class_folder.joinpath(numbered, *rest)
    return target


def format_cleaned(written: pd.DataFrame, removed: pd.DataFrame, out: str | Path) -> str:
    """A few lines for a terminal on what :func:`write_cleaned` wrote, which returned ``written``."""
    classes = written.class_name.nunique()
    lines = [f"{len(written):,} files in {classes} class folders of {out}"]
    paths = pd.concat([written.path, removed.path])
    home = paths.str.split("/").str[0].map(lambda name: unicodedata.normalize("NFC", name))
    if lost := sorted(set(home) - set(written.class_name), key=natural_key):
        lines.append(f"nothing is left of {shorten_list(lost)}")
    numbers = _count_reasons(removed)
    lines.append(f"{len(removed):,} left out{': ' if numbers else ''}{numbers}; see {Path(out) / REMOVED}")
    if skipped := (~written["copy"].str.lower().str.endswith(KERAS_ENDINGS)).sum():
        endings = " ".join(KERAS_ENDINGS)
        lines.append(f"image_dataset_from_directory of Keras reads {endings} only: not {skipped:,} of these")
    return "\n".join(on_one_line(line) for line in lines)


def _count_reasons(removed: pd.DataFrame) -> str:
    """How many files were left out for what, in words; empty if none were."""
    kinds = {
        "by decision": removed.reason.str.startswith(f"dropped{BY_DECISION}"),
        "unreadable": removed.reason.str.startswith(UNREADABLE),
        "photos": removed.reason.eq(PHOTO),
        "copies of a kept file": removed.counterpart.ne(""),
        "in label conflicts": removed.reason.str.startswith(CONFLICT),
    }
    counts = pd.Series(np.select(list(kinds.values()), list(kinds), "for other reasons")).value_counts()
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())
