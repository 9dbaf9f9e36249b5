"""The short version of the fuzzing; ``make fuzz`` runs all of it."""

import pandas as pd
import pytest
from conftest import run_python


@pytest.mark.timeout(600)
def test_damaged_files_are_read_or_refused(tmp_path):
    """In a process of its own: a case that crashes or takes too long ends the process."""
    out, sizes = tmp_path / "fuzz.csv", ["--images", "300", "--weights", "60", "--seconds", "60"]
    done = run_python("-m", "tests.fuzz_evaluate", *sizes, "--out", out)
    assert done.returncode == 0, done.stderr
    images, weights = pd.read_csv(out).to_dict("records")
    assert images["read"] + images["refused"] == images["cases"] == 300
    assert weights["read"] + weights["refused"] == weights["cases"] == 60
    assert min(images["read"], images["refused"], weights["read"], weights["refused"]) > 3
