"""What is said of where recorded rows come from."""

import pandas as pd

from illus.report.records import provenance


def test_where_rows_come_from_is_said_with_codes_and_machines():
    rows = pd.DataFrame(
        {"code": ["abc", None], "device": "cpu", "backend": "tensorflow", "seconds": [60, 90]}
    )
    line = provenance(rows, "x.csv")
    assert line == (
        "2 rows of x.csv; code abc and older than the column code; tensorflow on cpu; 2 minutes in all."
    )
    assert provenance(rows[["code"]][:1], "y") == "1 rows of y; code abc."
    assert "older" in provenance(rows[["seconds"]], "z")
    assert provenance(rows[["code"]][:1], "y", "abc") == "1 rows of y; code abc; today's code."
    assert "; today's code is abc;" in provenance(rows, "x.csv", "abc")  # not all rows are of it
