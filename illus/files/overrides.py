"""overrides.csv -> what a person decided about files, which the stages put above their own rules.

In: the file that the review page saves. Out: a checked table, and what it says of the files of a stage.

A file is known by the SHA-256 of its bytes: decisions outlive renaming and moving, and files with the same
bytes share them. The decisions are

- ``keep``: whatever duplicates or the photo filter say. Of its copies only those are kept too that have such
  a decision; of files with the same bytes, one is;
- ``drop``: left out, and without a vote among its copies;
- ``label``, with the name of a class: its class from here on. The file and the catalog stay as they are;
- ``not_copy_of``, with the SHA-256 of another file: the two are never in one set of duplicates. If they were
  found to be alike, they stay on one side of a split.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evaluate import natural_key, on_one_line, shorten_list
from illus import work_folders

NAME = work_folders.OVERRIDES
COLUMNS = ["sha256", "decision", "value", "path", "date"]
DECISIONS = ("keep", "drop", "label", "not_copy_of")
BY_DECISION = " by decision"  # in every reason that tells one
SHA256 = re.compile("[0-9a-f]{64}")


def read_overrides(path: str | Path) -> pd.DataFrame:
    """The decisions of a person that count, as text, in the order of the file; empty if there is no file.

    Of decisions that contradict each other the last one counts: of ``keep`` and ``drop`` of one file, of two
    labels, of a pair that is named twice. A ``label`` goes together with ``keep`` or ``drop``. The file is
    UTF-8, comma-separated, its first line ``COLUMNS``, of which ``path`` and ``date`` are for the reader.
    ValueError if it is no such table, or a row is malformed: then it names the line, and says what is
    allowed.
    """
    path = Path(path)
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    rows: dict[object, list[str]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for row in _checked_rows(file, path):
                sha256, decision, value = row[:3]
                pair = decision == "not_copy_of"
                subject = frozenset((sha256, value)) if pair else (sha256, decision == "label")
                rows.pop(subject, None)
                rows[subject] = row
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text") from None
    except csv.Error as error:
        raise ValueError(f"{path}: not a comma-separated table: {error}") from None
    return pd.DataFrame(list(rows.values()), columns=COLUMNS, dtype=str)


def _checked_rows(lines: Iterator[str], path: Path) -> Iterator[list[str]]:
    """Rows of an open overrides.csv below its first line, SHA-256 in small letters, names in NFC."""
    reader = csv.reader(lines, strict=True)
    if next(reader, None) != COLUMNS:
        raise ValueError(f"{path}, line 1: the columns must be {','.join(COLUMNS)}, with commas between them")
    for row in filter(any, reader):  # without rows whose cells were cleared
        if len(row) == len(COLUMNS):
            row[0], row[1] = row[0].strip().lower(), row[1].strip()
            row[2] = unicodedata.normalize("NFC", row[2].strip().lower() if row[1] != "label" else row[2])
        if problem := _problem(row):
            raise ValueError(f"{path}, line {reader.line_num}: {on_one_line(problem)}")
        yield row


def _problem(row: list[str]) -> str:
    """What is wrong with a row, and what is allowed; empty if nothing is."""
    if len(row) != len(COLUMNS):
        return f"{len(row)} fields; there must be {len(COLUMNS)}: {','.join(COLUMNS)}"
    sha256, decision, value = row[:3]
    if not SHA256.fullmatch(sha256):
        return f"sha256 is {sha256[:80]!r}; it must be 64 hexadecimal digits"
    if decision not in DECISIONS:
        return f"decision is {decision[:80]!r}; it must be one of {', '.join(DECISIONS)}"
    if decision in ("keep", "drop") and value:
        return f"value is {value[:80]!r}; it must be empty for {decision}"
    if decision == "label" and not value:
        return "value is empty; for label it must be the name of a class"
    if decision == "not_copy_of" and (not SHA256.fullmatch(value) or value == sha256):
        return f"value is {value[:80]!r}; for not_copy_of it must be the sha256 of another file"
    return ""


def relabel(files: pd.DataFrame, overrides: pd.DataFrame | None) -> pd.DataFrame:
    """The same files (``path``, ``class_name``, ``sha256``), with the class names that a person decided on.

    ValueError if a label is the name of none of the files' classes.
    """
    labels = _of_kind(overrides, "label")
    labels = labels[labels.sha256.isin(files.sha256)]
    classes = sorted(files.class_name.unique(), key=natural_key)
    for row in labels[~labels.value.isin(classes)].itertuples():
        what = on_one_line(f"{row.value!r} of {row.path or row.sha256}")
        raise ValueError(f"{NAME}: label {what} is not a class here; the classes are {shorten_list(classes)}")
    new = dict(zip(labels.sha256, labels.value, strict=True))
    names = [new.get(sha256, name) for sha256, name in zip(files.sha256, files.class_name, strict=True)]
    return files.assign(class_name=names) if new else files


def decided(files: pd.DataFrame, overrides: pd.DataFrame | None) -> pd.Series:
    """``keep``, ``drop`` or nothing for each of the files, which have ``sha256``; of str, their index."""
    rows = _of_kind(overrides, "keep", "drop")
    decisions = dict(zip(rows.sha256, rows.decision, strict=True))
    return pd.Series([decisions.get(sha256, "") for sha256 in files.sha256], files.index, dtype=str)


def labelled(files: pd.DataFrame, overrides: pd.DataFrame | None) -> pd.Series:
    """Whether a person decided on the class of each file; bool, with the index of ``files`` (``sha256``)."""
    return files.sha256.isin(_of_kind(overrides, "label").sha256)


def reasons(files: pd.DataFrame, overrides: pd.DataFrame | None, *kinds: str) -> pd.Series:
    """What a person decided on each of the files, in words: ``kept by decision of 2026-11-23``.

    ``files`` have ``path`` and ``sha256``; ``kinds`` are the decisions that are told, by default all. Of str,
    with the index of ``files``: several are joined by ``; ``, none are an empty text.
    """
    paths = files.drop_duplicates("sha256").set_index("sha256").path
    told: dict[str, list[str]] = {}
    for row in _of_kind(overrides, *(kinds or DECISIONS)).itertuples():
        by = BY_DECISION + (f" of {row.date}" if row.date else "")
        words = {"keep": "kept", "drop": "dropped", "label": f"labelled {row.value}"}
        if row.decision != "not_copy_of":
            told.setdefault(row.sha256, []).append(words[row.decision] + by)
        elif {row.sha256, row.value} <= set(paths.index):
            for one, other in ((row.sha256, row.value), (row.value, row.sha256)):
                told.setdefault(one, []).append(f"not a copy of {paths[other]}{by}")
    return pd.Series(["; ".join(told.get(sha256, [])) for sha256 in files.sha256], files.index, dtype=str)


def pairs_apart(overrides: pd.DataFrame | None) -> list[tuple[str, str]]:
    """Pairs of SHA-256 that a person called no copies of each other."""
    pairs = _of_kind(overrides, "not_copy_of")
    return list(zip(pairs.sha256, pairs.value, strict=True))


def print_applied(
    stage: str, files: pd.DataFrame, overrides: pd.DataFrame | None, kinds: tuple[str, ...] = DECISIONS
) -> None:
    """Print how many decisions a stage applied, and which match none of its files; nothing if there are none.

    ``kinds`` are the decisions that this stage applies to ``files``, which have ``sha256``.
    """
    rows = _of_kind(overrides, *kinds)
    if rows.empty:
        return
    known = set(files.sha256)
    found = rows.sha256.isin(known) & ((rows.decision != "not_copy_of") | rows.value.isin(known))
    counts = rows[found].decision.value_counts()
    numbers = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds if kind in counts)
    line = f"{stage}: decisions of {NAME} applied: {found.sum():,}" + (f" ({numbers})" if numbers else "")
    if not found.all():
        lost = [f"{row.decision} {row.path or row.sha256[:12]}" for row in rows[~found].itertuples()]
        line += f"; of no readable file here: {len(lost):,} ({shorten_list(lost, 5)})"
    print(on_one_line(line))


def _of_kind(overrides: pd.DataFrame | None, *kinds: str) -> pd.DataFrame:
    """The rows of some decisions; none without overrides."""
    if overrides is None:
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    return overrides[overrides.decision.isin(kinds)]
