"""What is said of where recorded rows come from."""

import pandas as pd

from illus.report.records import provenance


def test_where_rows_come_from_is_said_with_codes_and_machines():
    runs = pd.DataFrame({"code": ["abc", None], "device": "cpu", "backend": "jax", "seconds": [60, 90]})
    lines = provenance({"a.csv": runs[["code"]][:1], "b.csv": runs, "c.csv": runs[["seconds"]]}).split("\n")
    assert all(part in lines[0] for part in ("1 rows", "a.csv", "abc"))
    assert "older" not in lines[0]
    assert all(part in lines[1] for part in ("2 rows", "abc and older", "jax on cpu", "2 minutes"))
    assert "older" in lines[2]
