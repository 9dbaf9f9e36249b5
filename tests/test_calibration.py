"""Likelihood and calibration error with answers known by hand."""

import numpy as np
import pytest

from illus.learn.heads import calibration_error, negative_log_likelihood


def test_likelihood_is_of_the_true_class():
    probabilities = np.array([[0.5, 0.5], [0.2, 0.8]], np.float32)
    assert negative_log_likelihood(probabilities, np.array([0, 1])) == pytest.approx(-np.log(0.4) / 2)
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([0])) == 0
    assert np.isfinite(negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])))


def test_calibration_error_is_weighted_by_the_images_of_a_bin():
    probability, right = np.array([0.9, 0.9, 0.5, 0.5, 0.5]), np.array([True, False, True, False, True])
    error = calibration_error(probability, right, 2)
    assert error == pytest.approx(3 / 5 * (2 / 3 - 0.5) + 2 / 5 * 0.4)
    assert calibration_error(probability[:1], ~right[:1], 15) == pytest.approx(0.9), "fewer images than bins"
