"""Where the rows of a recorded table come from: their days, their code, their machine.

In: tables in ``results/``, and ``dates.csv`` beside them (``benchmarks/dates.py``). Out: text.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd


def days(table: Path, codes: Iterable[str] | None = None) -> str:
    """The day, or the first and the last one, on which rows of a recorded table were first committed.

    Parameters
    ----------
    table : Path
        CSV file.
    codes : iterable of str, optional
        Only of rows of this code; by default of all.

    Returns
    -------
    str
        ISO 8601; empty if it is not known.
    """
    dates = table.with_name("dates.csv")
    if not dates.exists():
        return ""
    rows = pd.read_csv(dates, dtype=str, keep_default_na=False)
    rows = rows[(rows.table == table.name) & rows.code.isin(rows.code if codes is None else list(codes))]
    return " to ".join(dict.fromkeys([rows.date.min(), rows.date.max()])) if len(rows) else ""


def provenance(tables: Mapping[str, pd.DataFrame]) -> str:
    """Where recorded rows come from, a line for each table: the file, rows, days, code and machine.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        The file, as it is shown, to the rows that were used of it; with ``code``, and ``device``, ``backend``
        and ``seconds`` where it has them.
    """
    return "\n".join(_line(rows, source) for source, rows in tables.items())


def _line(rows: pd.DataFrame, source: str) -> str:
    known = [str(code) for code in rows.get("code", pd.Series(dtype=str)).fillna("").unique()]
    codes = ", ".join(sorted(filter(None, known)))
    older = "older than the column code" if "" in known or not known else ""
    day = days(Path(source), known or [""])
    parts = [f"{len(rows)} rows of {source}", day and f"recorded {day}"]
    parts.append(" and ".join(filter(None, [codes and f"code {codes}", older])))
    if {"device", "backend"} <= set(rows):
        parts.append(", ".join(sorted({f"{row.backend} on {row.device}" for row in rows.itertuples()})))
        parts.append(f"{rows.seconds.sum() / 60:.0f} minutes in all")
    return "; ".join(filter(None, parts)) + "."
