"""Where the rows of a recorded table come from: their code, their machine. In: tables. Out: text."""

import pandas as pd


def provenance(table: pd.DataFrame, source: str, today: str = "") -> str:
    """One line on where recorded rows come from: the file, their number, code and machine.

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
    parts = [f"{len(table)} rows of {source}", " and ".join(filter(None, [codes and f"code {codes}", older]))]
    if today:
        parts.append("today's code" if set(known) == {today} else f"today's code is {today}")
    if {"device", "backend"} <= set(table):
        parts.append(", ".join(sorted({f"{row.backend} on {row.device}" for row in table.itertuples()})))
        parts.append(f"{table.seconds.sum() / 60:.0f} minutes in all")
    return "; ".join(filter(None, parts)) + "."
