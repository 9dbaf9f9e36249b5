"""The short version of the fuzzing; ``make fuzz`` runs all of it."""

import subprocess
import sys

import pandas as pd
import pytest


def fuzz(*arguments):
    """The fuzzing in a process of its own: a case that crashes or takes too long ends the process."""
    command = [sys.executable, "-m", "tests.fuzz_evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.timeout(600)
def test_damaged_files_are_read_or_refused(tmp_path):
    out = tmp_path / "fuzz.csv"
    done = fuzz("--images", 300, "--weights", 60, "--seconds", 60, "--out", out)
    assert done.returncode == 0, done.stderr
    images, weights = pd.read_csv(out).to_dict("records")
    assert images["read"] + images["refused"] == images["cases"] == 300
    assert weights["read"] + weights["refused"] == weights["cases"] == 60
    assert min(images["read"], images["refused"], weights["read"], weights["refused"]) > 3
