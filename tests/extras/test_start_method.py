"""Commands whose worker processes are really started, as START_METHOD says (make test-extras)."""

import os
import shutil

import joblib
import pandas as pd
import pytest
from conftest import write_class_folders
from joblib.externals.loky import reusable_executor

from illus.__main__ import main

pytestmark = [pytest.mark.extras, pytest.mark.skipif(joblib.cpu_count() == 1, reason="one core, no workers")]
FILES = 50  # a class: in all more than two batches, so that processes are started


@pytest.fixture
def start_method(monkeypatch):
    """A function that tells how the workers of this test were started."""
    monkeypatch.setenv("PROFILE", "quick")
    reusable_executor.get_reusable_executor().shutdown(wait=True)
    before = reusable_executor._executor

    def used():
        assert reusable_executor._executor is not before, "no workers were started"
        return reusable_executor._executor._context.get_start_method()

    return used


def test_a_folder_is_cleaned_by_workers(tmp_path, empty_place, start_method):
    folder = write_class_folders(tmp_path / "images", n=FILES)
    for i in range(3):
        shutil.copyfile(folder / f"L2_2/{i}.png", folder / f"L2_2/z{i}.png")
    assert main(["clean", str(folder), str(tmp_path / "cleaned")]) == 0
    removed = pd.read_csv(tmp_path / "cleaned/removed.csv")
    kept = list((tmp_path / "cleaned").rglob("*.png"))
    assert {f"L2_2/z{i}.png" for i in range(3)} <= set(removed.path)
    assert len(kept) + len(removed) == 3 * FILES + 3
    assert start_method() == os.environ.get("START_METHOD", "loky")
