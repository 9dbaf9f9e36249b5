"""Nearest training features and temperature as layers of a network, beside NumPy's answers."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from illus.learn.calibration import calibration_error, negative_log_likelihood
from illus.learn.heads import (
    NearestFeatures,
    fit_temperature,
    nearest_features,
    unit_rows,
    with_temperature,
)
from illus.learn.networks import average, build, multiply_adds

IMAGES, QUERIES = np.random.default_rng(0).integers(0, 256, (2, 30, 16, 16, 3), np.uint8)
LABELS = np.arange(30) % 3


def network(scale=1.0, seed=0, **settings):
    """An untrained network whose last layer's weights are made ``scale`` times as large."""
    keras.utils.set_random_seed(seed)
    model = build(16, 3, width=4, blocks=(1, 1), **settings)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([scale * kernel, bias])
    return model


@pytest.fixture(scope="module")
def model():
    return network()


def pooled(model, images):
    return keras.Model(model.input, model.layers[-1].input).predict_on_batch(images)


def test_the_nearest_feature_head_is_a_softmax_over_cosines(model):
    found = nearest_features(model, IMAGES, LABELS, NearestFeatures(None, None, 0.05))
    cosines = unit_rows(pooled(model, QUERIES)) @ unit_rows(pooled(model, IMAGES)).T
    expected = softmax(cosines / 0.05, axis=1) @ np.eye(3)[LABELS]
    np.testing.assert_allclose(found.predict_on_batch(QUERIES), expected, atol=1e-4)
    assert multiply_adds(found) == multiply_adds(model) - 8 * 3 + 8 * 30 + 30 * 3


def test_a_stored_image_is_of_its_own_class(model):
    found = nearest_features(model, IMAGES, LABELS, NearestFeatures(None, None, 1e-4))
    np.testing.assert_array_equal(found.predict_on_batch(IMAGES).argmax(1), LABELS)


def test_features_in_fewer_dimensions_keep_their_scalar_products(model):
    features = unit_rows(pooled(model, IMAGES))
    assert np.linalg.matrix_rank(features) > 3
    found = nearest_features(model, IMAGES, LABELS, NearestFeatures(3, None))
    vectors = np.linalg.svd(features, full_matrices=False)[2][:3].T
    np.testing.assert_allclose(found.get_layer("projection").get_weights()[0], vectors, atol=1e-5)
    memory = found.get_layer("memory").get_weights()[0]
    assert memory.shape == (3, 30)
    np.testing.assert_allclose(memory, unit_rows(features @ vectors).T, atol=1e-5)
    assert np.abs(memory.T @ memory - features @ features.T).max() < 0.1
    more = nearest_features(model, IMAGES, LABELS, NearestFeatures(64, None))
    assert more.get_layer("memory").get_weights()[0].shape == (8, 30), "never more than there are"


def test_a_class_gets_so_many_places_at_most(model):
    labels = np.repeat([0, 1, 2], [20, 8, 2])
    heads = [nearest_features(model, IMAGES, labels, NearestFeatures(None, 5), seed) for seed in (0, 0, 1)]
    classes = heads[0].get_layer("probability").get_weights()[0]
    assert classes.sum(0).tolist() == [5, 5, 2]
    memories = [head.get_layer("memory").get_weights()[0] for head in heads]
    np.testing.assert_array_equal(memories[0], memories[1])
    assert not np.array_equal(memories[0], memories[2])


def test_a_class_without_images_is_an_error(model):
    with pytest.raises(ValueError, match=r"no training images of the classes \[2\]"):
        nearest_features(model, IMAGES, LABELS % 2)


def test_rows_of_zeros_stay_zeros():
    assert unit_rows(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [[0, 0], pytest.approx([0.6, 0.8])]


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
        assert calibration_error(probabilities.max(1), right, 15)[1] == pytest.approx(error, abs=1e-4)


def test_where_no_temperature_is_better_it_stays_one():
    model = network(0.0)  # every class is as probable as every other at any temperature
    fitted = fit_temperature([model], IMAGES, LABELS)
    assert fitted.temperature == 1
    assert fitted.nll_after == fitted.nll_before == pytest.approx(np.log(3))


@pytest.mark.parametrize("mirrored", [False, True])
def test_members_of_an_average_get_one_temperature_fitted_to_their_mean(mirrored):
    plain, nearest = network(20.0, 1), nearest_features(network(1.0, 2), IMAGES, LABELS)
    labels = LABELS[::-1]
    fitted = fit_temperature([plain, nearest], IMAGES, labels, mirrored)
    for temperature, loss in ((1.0, fitted.nll_before), (fitted.temperature, fitted.nll_after)):
        members = [with_temperature(member, temperature) for member in (plain, nearest)]
        shipped = average(members, mirrored).predict_on_batch(IMAGES)
        assert negative_log_likelihood(shipped, labels) == pytest.approx(loss, abs=1e-3)
    assert fitted.nll_after <= fitted.nll_before
