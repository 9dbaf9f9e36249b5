"""The short version of the fuzzing; ``make fuzz`` runs all of it."""

import numpy as np
from fuzz_evaluate import damage, draw, encode, main, valid_weights, with_checksums

import evaluate


def test_damaged_files_are_read_or_refused():
    images, weights = main(["--images", "300", "--weights", "60"])
    assert images["read"] + images["refused"] == images["cases"] == 300
    assert weights["read"] + weights["refused"] == weights["cases"] == 60
    assert min(images["read"], images["refused"], weights["read"], weights["refused"]) > 3


def test_valid_weights_are_the_same_bytes_whatever_ran_before(tmp_path):
    first = list(valid_weights(tmp_path))
    assert list(valid_weights(tmp_path)) == first


def test_damage_is_damage_and_repeats():
    data = encode(draw("red"))
    copies = [damage(data, np.random.default_rng(seed)) for seed in range(50)]
    assert copies == [damage(data, np.random.default_rng(seed)) for seed in range(50)]
    assert sum(copy != data for copy in copies) >= 45
    assert {len(damage(data, np.random.default_rng(seed), 4)) <= len(data) for seed in range(50)} == {True}


def test_checksums_are_mended():
    data = encode(draw("red"))
    assert with_checksums(data) == data
    wrong = data[:29] + bytes(4) + data[33:]
    assert isinstance(evaluate.decode_image(with_checksums(wrong)), np.ndarray)
