"""Parallel work in order, and files that are written completely or not at all."""

import os
import sys

import cv2
import joblib
import pandas as pd
import pytest
from conftest import run_python

from evaluate import EvaluationError, atomic_write
from illus import parallel
from illus.files.tables import read_table
from illus.parallel import in_parallel, on_cluster, write_table


def minus(item, other):
    return item - other


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_are_in_the_order_of_the_items(jobs):
    assert list(in_parallel(minus, range(50), "subtract", 3, jobs=jobs, batch_size=4)) == list(range(-3, 47))


def knows_what_was_set(_):
    return hasattr(parallel, "set_by_a_test")


def test_workers_inherit_nothing_so_they_can_be_started_everywhere(monkeypatch):
    monkeypatch.setattr(parallel, "set_by_a_test", True, raising=False)
    monkeypatch.setattr(os, "fork", None)
    assert knows_what_was_set(0)
    assert list(in_parallel(knows_what_was_set, range(4), "look", jobs=2, batch_size=1)) == [False] * 4


def threads_of_opencv(_):
    return cv2.getNumThreads()


def test_opencv_has_one_thread_in_each_worker_and_all_of_them_here():
    before = cv2.getNumThreads()
    assert list(in_parallel(threads_of_opencv, range(4), "count", jobs=2, batch_size=1)) == [1] * 4
    assert list(in_parallel(threads_of_opencv, range(4), "count", jobs=1)) == [before] * 4
    assert cv2.getNumThreads() == before


def test_a_backend_that_gives_no_generator_is_an_error():
    with joblib.parallel_config("multiprocessing"), pytest.raises(ValueError, match="Ray's does not"):
        in_parallel(minus, range(4), "subtract", 1)


def test_a_cluster_without_its_package_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EvaluationError, match="pip install distributed"), on_cluster("tcp://127.0.0.1:9"):
        pass


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_processes_that_write_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "array.npy"
    code = "import sys, evaluate\nwith evaluate.atomic_write(sys.argv[1]) as file: file.write_text('second')"
    with atomic_write(path) as partial:
        partial.write_text("first")
        run_python("-c", code, path, check=True)
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert names_in(tmp_path) == ["array.npy"]


def test_a_name_that_is_not_utf8_is_told_and_nothing_is_written(tmp_path):
    name = os.fsdecode("A/그림.png".encode("cp949"))
    table = pd.DataFrame({"path": ["A/1.png", name], "keep": [True, False]})
    with pytest.raises(ValueError, match=r"^the name 'A/\\udcb1.*\.png' is not in UTF-8: rename the file"):
        write_table(table, tmp_path / "t.csv")
    assert names_in(tmp_path) == []


def test_a_table_is_written_without_its_index_with_unix_line_ends(tmp_path):
    table = pd.DataFrame({"path": ["가.png", "b,c.png"], "keep": [True, False]}, index=[5, 7])
    write_table(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == 'path,keep\n가.png,True\n"b,c.png",False\n'.encode()


@pytest.mark.parametrize("name", ["a/2.png", "a/2.png\r", 'b/"3",\r\n.png'])
def test_a_table_comes_back_as_it_was_written(tmp_path, name):
    rows = [("12345e678901", "007", "1e5", 0.1 + 0.2, 3, True), ("000000000012", "NA", "", -1.5, 0, False)]
    table = pd.DataFrame(rows, columns=["run_id", "class_name", "code", "score", "class_id", "keep"])
    table = table.assign(path=["a/1.png", name])
    write_table(table, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table)
