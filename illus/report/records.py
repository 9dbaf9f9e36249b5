"""Where the rows of a recorded table come from: their days, their code, their machine.

In: tables in ``results/``, and ``dates.csv`` beside them (``benchmarks/dates.py``). Out: text.
"""

from collections.abc import Iterable
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
    dates = next((folder / "dates.csv" for folder in table.parents if (folder / "dates.csv").exists()), None)
    if dates is None:
        return ""
    rows = pd.read_csv(dates, dtype=str, keep_default_na=False)
    rows = rows[(rows.table == table.name) & rows.code.isin(rows.code if codes is None else list(codes))]
    return " to ".join(dict.fromkeys([rows.date.min(), rows.date.max()])) if len(rows) else ""


def provenance(table: pd.DataFrame, source: str, today: str = "") -> str:
    """One line on where recorded rows come from: the file, their number, day, code and machine.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of a table in ``results/``; ``code``, ``device``, ``backend`` and ``seconds`` if it has them.
    source : str
        The file, as it is shown.
    today : str, default ""
        Hash of the code that would write the table today; empty if it is not asked for.
    """
    known = [str(code) for code in table.get("code", pd.Series(dtype=str)).fillna("").unique()]
    codes = ", ".join(sorted(code for code in known if code))
    older = "older than the column code" if "" in known or not known else ""
    day = days(Path(source), known or [""])
    parts = [f"{len(table)} rows of {source}", day and f"recorded {day}"]
    parts.append(" and ".join(filter(None, [codes and f"code {codes}", older])))
    if today:
        parts.append("today's code" if set(known) == {today} else f"today's code is {today}")
    if {"device", "backend"} <= set(table):
        parts.append(", ".join(sorted({f"{row.backend} on {row.device}" for row in table.itertuples()})))
        parts.append(f"{table.seconds.sum() / 60:.0f} minutes in all")
    return "; ".join(filter(None, parts)) + "."
