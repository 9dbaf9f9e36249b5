"""When each recorded table got rows of each code: the table ``results/dates.csv`` (``make benchmarks``).

In: the CSV files in ``results/`` and the history of the repository. Out: one row per table and code, with the
day on which rows of that code were first committed; today for those that are not committed yet. Rows that are
there stay as they are, so that a clone without history changes nothing.
"""

import io
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from illus import config

DATES = config.RESULTS / "dates.csv"
COLUMNS = ["table", "code", "date"]


def codes(table: str) -> set[str]:
    """The values of the column ``code`` of a table that is given as text; one empty value if it has none."""
    if not table.strip():
        return set()
    rows = pd.read_csv(io.StringIO(table), dtype=str, keep_default_na=False)
    return set(rows["code"]) if "code" in rows else {""}


def history(path: Path) -> Iterator[tuple[str, str]]:
    """Day (ISO 8601) and text of every committed version of a file, oldest first; none without git."""
    folder, name = path.parent, path.name
    try:
        log = git("log", "--reverse", "--format=%H %as", "--", name, folder=folder)
    except (OSError, subprocess.CalledProcessError):
        return
    for commit, day in map(str.split, log.splitlines()):
        try:
            yield day, git("show", f"{commit}:./{name}", folder=folder)
        except subprocess.CalledProcessError:  # the commit removed it
            continue


def git(*words: str, folder: Path) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


def first_days(path: Path) -> dict[str, str]:
    """Code to the day on which the table first had rows of it, for the codes that it has now."""
    now = path.read_text(encoding="utf-8")
    today = datetime.now(UTC).date().isoformat()
    days: dict[str, str] = {}
    for day, text in [*history(path), (today, now)]:
        for code in codes(text) - set(days):
            days[code] = day
    return {code: days[code] for code in codes(now)}


def update(dates: Path) -> pd.DataFrame:
    """The table of dates for all tables beside it: rows that are known, and those of new tables and codes."""
    known: dict[tuple[str, str], str] = {}
    if dates.exists():
        rows = pd.read_csv(dates, dtype=str, keep_default_na=False)
        known = {(row.table, row.code): row.date for row in rows.itertuples() if row.date}
    found: dict[tuple[str, str], str] = {}
    for path in sorted(set(dates.parent.glob("*.csv")) - {dates}):
        there = {(path.name, code) for code in codes(path.read_text(encoding="utf-8"))}
        new = {(path.name, code): day for code, day in first_days(path).items()} if there - set(known) else {}
        found |= {pair: known.get(pair) or new[pair] for pair in there}
    return pd.DataFrame([(*pair, found[pair]) for pair in sorted(found)], columns=COLUMNS)


def rendered() -> str:
    """``results/dates.csv`` as it should be."""
    return update(DATES).to_csv(index=False, lineterminator="\n")
