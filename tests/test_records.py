"""Where recorded rows come from: their days in the history of a repository, and what is said of them."""

import subprocess

import pandas as pd
import pytest

from benchmarks import dates
from illus.report.records import days, provenance

DAYS = ("2026-01-05", "2026-02-06", "2026-03-07")


def commit(folder, day, **tables):
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    time = f"{day}T12:00:00+0000"
    for words in (["add", "."], ["commit", "-qm", "x", "--date", time]):
        subprocess.run(
            [*git, *words], cwd=folder, check=True, env={"GIT_COMMITTER_DATE": time, "PATH": "/usr/bin:/bin"}
        )


@pytest.fixture
def repository(tmp_path):
    """Table a gets rows of code 1, then 2 instead, then both; b is older than the column code."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path, DAYS[0], a="x,code\n1,1111\n", b="x,code\n1,\n", c="x\n1\n")
    commit(tmp_path, DAYS[1], a="x,code\n1,2222\n")
    commit(tmp_path, DAYS[2], a="x,code\n1,1111\n2,2222\n", b="x,code\n1,\n2,3333\n")
    return tmp_path


def test_dates_are_those_of_the_first_commit_with_rows_of_a_code(repository):
    found = dates.update(repository / "dates.csv")
    assert found.values.tolist() == [
        ["a.csv", "1111", DAYS[0]],
        ["a.csv", "2222", DAYS[1]],
        ["b.csv", "", DAYS[0]],
        ["b.csv", "3333", DAYS[2]],
        ["c.csv", "", DAYS[0]],
    ]


def test_known_dates_stay_and_those_of_code_that_is_gone_go(repository):
    known = pd.DataFrame(
        [["a.csv", "1111", "2025-01-01"], ["a.csv", "9999", "2025-01-01"]], columns=dates.COLUMNS
    )
    known.to_csv(repository / "dates.csv", index=False)
    found = dates.update(repository / "dates.csv").set_index(["table", "code"]).date
    assert found["a.csv", "1111"] == "2025-01-01"
    assert found["a.csv", "2222"] == DAYS[1]
    assert ("a.csv", "9999") not in found.index


def test_an_empty_version_and_an_empty_date_say_nothing(repository):
    commit(repository, DAYS[2], d="")
    commit(repository, DAYS[2], d="x,code\n1,7777\n")
    (repository / "dates.csv").write_text("table,code,date\nd.csv,7777,\n")
    found = dates.update(repository / "dates.csv").set_index(["table", "code"]).date
    assert found["d.csv", "7777"] == DAYS[2]


def test_what_is_not_committed_is_of_today(repository):
    (repository / "a.csv").write_text("x,code\n1,4444\n")
    (repository / "new.csv").write_text("x,code\n1,5555\n")
    found = dates.update(repository / "dates.csv").set_index(["table", "code"]).date
    assert found["a.csv", "4444"] == found["new.csv", "5555"] > DAYS[2]


def test_without_history_what_is_known_is_enough(tmp_path):
    (tmp_path / "a.csv").write_text("x,code\n1,1111\n")
    (tmp_path / "dates.csv").write_text(f"table,code,date\na.csv,1111,{DAYS[0]}\n")
    assert dates.update(tmp_path / "dates.csv").values.tolist() == [["a.csv", "1111", DAYS[0]]]


def test_every_recorded_table_has_its_dates():
    assert dates.DATES.read_text(encoding="utf-8") == dates.rendered(), "make benchmarks"


def test_days_are_of_the_rows_that_are_asked_for(tmp_path):
    table = tmp_path / "a.csv"
    assert days(table) == ""
    (tmp_path / "dates.csv").write_text(
        f"table,code,date\na.csv,1111,{DAYS[1]}\na.csv,,{DAYS[0]}\nb.csv,,{DAYS[2]}\n"
    )
    assert days(table) == f"{DAYS[0]} to {DAYS[1]}"
    assert days(table, ["1111"]) == DAYS[1]
    assert days(table, ["9999"]) == days(tmp_path / "c.csv") == ""


def test_where_rows_come_from_is_said_with_days_codes_and_machines(tmp_path):
    (tmp_path / "dates.csv").write_text(f"table,code,date\na.csv,abc,{DAYS[0]}\na.csv,def,{DAYS[1]}\n")
    path = (tmp_path / "a.csv").as_posix()
    runs = pd.DataFrame({"code": ["abc", None], "device": "cpu", "backend": "jax", "seconds": [60, 90]})
    first, second, third = provenance(
        {path: runs[["code"]][:1], "b.csv": runs, "c.csv": runs[["seconds"]]}
    ).split("\n")
    assert all(part in first for part in (path, DAYS[0], "abc"))
    assert DAYS[1] not in first
    assert all(part in second for part in ("2 rows", "abc and older", "jax on cpu", "2 minutes"))
    assert "older" in third
