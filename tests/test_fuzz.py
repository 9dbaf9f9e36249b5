"""The short version of the fuzzing; ``make fuzz`` runs all of it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import draw, encoded
from fuzz_evaluate import damage, valid_weights, with_checksums

import evaluate


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


def test_a_case_that_takes_too_long_ends_the_fuzzing_with_a_stack():
    done = fuzz("--images", 100_000, "--weights", 0, "--seconds", 1e-3)
    assert done.returncode != 0
    assert "most recent call first" in done.stderr


def test_valid_weights_are_the_same_bytes_whatever_ran_before(tmp_path):
    first = list(valid_weights(tmp_path))
    assert list(valid_weights(tmp_path)) == first


def test_damage_is_damage_and_repeats():
    data = encoded(draw("red"))
    copies = [damage(data, np.random.default_rng(seed)) for seed in range(50)]
    assert copies == [damage(data, np.random.default_rng(seed)) for seed in range(50)]
    assert sum(copy != data for copy in copies) >= 45
    assert {len(damage(data, np.random.default_rng(seed), 4)) <= len(data) for seed in range(50)} == {True}


def test_checksums_are_mended():
    data = encoded(draw("red"))
    assert with_checksums(data) == data
    wrong = data[:29] + bytes(4) + data[33:]
    assert isinstance(evaluate.decode_image(with_checksums(wrong)), np.ndarray)
