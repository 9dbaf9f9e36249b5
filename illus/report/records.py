"""Where the rows of recorded tables come from: their code, their machine. In: tables. Out: text."""

from collections.abc import Mapping

import pandas as pd


def provenance(tables: Mapping[str, pd.DataFrame]) -> str:
    """Where recorded rows come from, a line for each table: the file, its rows, hash of the code, machine.

    ``tables`` has the rows that were used of a file; with ``code``, and ``device``, ``backend`` and
    ``seconds`` where it has them.
    """
    lines = [_line(rows, source) for source, rows in tables.items()]
    return "\n".join(["Recorded numbers above, with a hash of the code that made them:", *lines])


def _line(rows: pd.DataFrame, source: str) -> str:
    known = [str(code) for code in rows.get("code", pd.Series(dtype=str)).fillna("").unique()]
    codes = ", ".join(sorted(filter(None, known)))
    older = "older than the column code" if "" in known or not known else ""
    parts = [f"{len(rows)} rows of {source}", " and ".join(filter(None, [codes and f"code {codes}", older]))]
    if {"device", "backend"} <= set(rows):
        parts.append(", ".join(sorted({f"{row.backend} on {row.device}" for row in rows.itertuples()})))
        parts.append(f"{rows.seconds.sum() / 60:.0f} minutes in all")
    return "; ".join(filter(None, parts)) + "."
