"""Calibration: likelihood and error by hand, and temperatures that are fitted."""

import keras
import numpy as np
import pytest
from conftest import build

from illus.learn.heads import calibration_error, fit_temperature, negative_log_likelihood, with_temperature
from illus.learn.networks import average

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
LABELS = np.arange(30) % 3


def network(scale=1.0, seed=0, **settings):
    """An untrained network whose last layer's weights are made ``scale`` times as large."""
    keras.utils.set_random_seed(seed)
    model = build(16, 3, width=4, blocks=(1, 1), **settings)
    kernel, bias = model.get_layer("score").get_weights()
    model.get_layer("score").set_weights([scale * kernel, bias])
    return model


@pytest.mark.parametrize("scale", [0.2, 30.0], ids=["unsure", "too sure"])
def test_a_temperature_fits_better_and_changes_no_class(scale):
    model = network(scale)
    before = model.predict_on_batch(IMAGES)
    labels = np.where(np.arange(30) % 4 > 0, before.argmax(1), LABELS)
    fitted = fit_temperature([model], IMAGES, labels)
    after = with_temperature(model, fitted.temperature).predict_on_batch(IMAGES)
    assert (fitted.temperature > 1) == (scale > 1)
    np.testing.assert_array_equal(after.argmax(1), before.argmax(1))
    assert fitted.nll_before == pytest.approx(negative_log_likelihood(before, labels), abs=1e-4)
    assert fitted.nll_after == pytest.approx(negative_log_likelihood(after, labels), abs=1e-4)
    assert fitted.nll_after < fitted.nll_before
    for probabilities, error in ((before, fitted.ece_before), (after, fitted.ece_after)):
        right = probabilities.argmax(1) == labels
        assert calibration_error(probabilities.max(1), right, 15) == pytest.approx(error, abs=1e-4)


def test_where_no_temperature_is_better_it_stays_one():
    model = network(0.0)  # every class is as probable as every other at any temperature
    fitted = fit_temperature([model], IMAGES, LABELS)
    assert fitted.temperature == 1
    assert fitted.nll_after == fitted.nll_before == pytest.approx(np.log(3))


def test_members_of_an_average_get_one_temperature_fitted_to_their_mean():
    members = [network(20.0, 1), network(1.0, 2)]
    labels = LABELS[::-1]
    fitted = fit_temperature(members, IMAGES, labels)
    for temperature, loss in ((1.0, fitted.nll_before), (fitted.temperature, fitted.nll_after)):
        shipped = average([with_temperature(member, temperature) for member in members])
        found = negative_log_likelihood(shipped.predict_on_batch(IMAGES), labels)
        assert found == pytest.approx(loss, abs=1e-3)
    assert fitted.nll_after <= fitted.nll_before


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
