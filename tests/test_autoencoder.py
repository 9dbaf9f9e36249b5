"""The autoencoder: what it is built of, that it learns, and what its errors mean."""

import numpy as np
import pytest
from conftest import draw

from illus.clean.autoencoder import (
    ReconstructionBatches,
    apply,
    build,
    error_statistics,
    reconstruction_errors,
    train,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

NOTHING = np.log(1e-3)


@pytest.fixture(scope="module")
def images():
    return np.stack([np.asarray(draw((200, 30 * seed % 256, 40), seed, side=16)) for seed in range(12)])


@pytest.mark.parametrize("side", [16, 64])
def test_the_network_gives_back_images_and_a_code_of_a_twelfth(side):
    network = build(side)
    assert network.input_shape == network.output_shape == (None, side, side, 3)
    assert network.inputs[0].dtype == "uint8"
    code = network.get_layer("code").output
    assert code.shape == (None, side // 8, side // 8, 16)
    assert 12 * np.prod(code.shape[1:]) == side * side * 3
    output = network.predict_on_batch(np.full((2, side, side, 3), 255, np.uint8))
    assert output.shape == (2, side, side, 3)
    assert output.dtype == np.float32
    assert np.isfinite(output).all()


def test_code_and_width_are_as_asked():
    network = build(24, code=5, width=7)
    assert network.get_layer("code").output.shape == (None, 3, 3, 5)
    assert network.layers[2].output.shape == (None, 12, 12, 7)


def test_it_learns_drawn_images(images):
    before = images.copy()
    model, losses = train(images, epochs=12, batch_size=16)
    assert len(losses) == 12
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_array_equal(images, before)
    output = apply(model, images)
    np.testing.assert_allclose(apply(model, images, batch_size=5), output, atol=1e-4)
    np.testing.assert_allclose(model.predict_on_batch(images), output, atol=1e-4)
    assert output.dtype == np.float32
    assert np.abs(output - images / 255).mean() < 1.3 * losses[-1]
    assert -0.5 < output.min() < output.max() < 1.5


def test_one_seed_gives_the_same_losses_and_another_does_not(images):
    runs = [train(images, seed, epochs=1, batch_size=4)[1] for seed in (3, 3, 4)]
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)
    assert runs[0] != pytest.approx(runs[2], rel=1e-2)


def test_batches_are_mirrored_by_half_and_depend_on_seed_epoch_and_step():
    sides = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    sides[:, :, :4] += 100  # the left is bright
    batches = ReconstructionBatches(sides, steps=3, batch_size=10, seed=0)
    assert len(batches) == 3
    batch, targets = batches[0]
    np.testing.assert_allclose(targets, batch / 255, rtol=1e-6)
    assert targets.dtype == np.float32
    left = batch[:, 0, 0, 0] >= 100
    assert left.tolist() == [False] * 5 + [True] * 5
    np.testing.assert_array_equal(batches[0][0], batch)
    assert (batches[1][0] != batch).any()
    assert (ReconstructionBatches(sides, 3, 10, 1)[0][0] != batch).any()
    batches.on_epoch_end()
    assert (batches[0][0] != batch).any()
    assert (sides[:, :, :4] >= 100).all(), "the images are left as they are"


# --- Errors ---------------------------------------------------------------------------------------


def errors_of(difference):
    """Errors of one gray image of 32 x 32 pixels that is off by this much."""
    images = np.full((1, 32, 32, 3), 102, np.uint8)
    return error_statistics(images, np.float32(0.4 + difference * np.ones((1, 32, 32, 1))))[0]


def test_no_difference_has_the_lowest_errors():
    found = errors_of(0)
    assert found == pytest.approx([NOTHING, NOTHING, NOTHING, np.log(1e-6)], abs=1e-3)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 32, 32, 1))
    assert (errors_of(noise) > found + 1).all()


def test_the_same_difference_everywhere_is_even():
    assert errors_of(0.1) == pytest.approx([np.log(0.101)] * 3 + [0], abs=1e-3)
    assert errors_of(-0.1) == pytest.approx(errors_of(0.1), abs=1e-3)


def test_the_same_error_at_one_pixel_is_less_even():
    dot = np.zeros((1, 32, 32, 1))
    dot[0, 9, 20] = 0.5
    one, everywhere = errors_of(dot), errors_of(0.5 / 32**2)
    assert one[0] == pytest.approx(everywhere[0], abs=1e-3), "the same mean"
    assert one[3] == pytest.approx(np.log(1 / 32**2), abs=0.02)
    assert one[3] < everywhere[3] - 1
    assert one[2] == pytest.approx(NOTHING, abs=1e-3), "most patches are right"
    assert everywhere[2] > NOTHING + 0.3


def test_coarse_errors_are_of_means():
    board = 0.1 * (-1.0) ** np.indices((32, 32)).sum(0)[None, :, :, None]
    found = errors_of(board)
    assert found == pytest.approx([np.log(0.101), NOTHING, np.log(0.101), 0], abs=1e-3)


def test_errors_of_many_images_are_those_of_each():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 8, 8, 3), np.uint8)
    rebuilt = rng.random((300, 8, 8, 3), np.float32)
    found = error_statistics(images, rebuilt)
    assert found.shape == (300, 4)
    assert found.dtype == np.float32
    for number in (0, 255, 256, 299):
        alone = error_statistics(images[number : number + 1], rebuilt[number : number + 1])[0]
        assert found[number] == pytest.approx(alone, rel=1e-5)


def test_errors_in_batches_are_those_of_all_at_once():
    images = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), np.uint8)
    model = build(16)
    expected = error_statistics(images, apply(model, images))
    np.testing.assert_allclose(reconstruction_errors(model, images, batch_size=4), expected, atol=1e-4)
    np.testing.assert_allclose(reconstruction_errors(model, images), expected, atol=1e-6)
