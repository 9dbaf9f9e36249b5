"""The autoencoder: what it is built of, that it learns, and what it says of each image."""

import keras
import numpy as np
import pytest
from drawings import flat_drawing, noisy_image

from illus.files.photo_statistics import cut_patches
from illus.photos import autoencoder
from illus.photos.autoencoder import CODE, ReconstructionBatches, build, encode_images, reconstruct, train

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SHORT, SMALL = 25, 32  # batches, and patches in each, of the lessons in this file


@pytest.fixture(scope="module")
def patches():
    """Of eight drawings and four noisy images."""
    images = [flat_drawing(seed) for seed in range(8)] + [noisy_image(seed) for seed in range(4)]
    return np.stack([cut_patches(np.asarray(image)) for image in images])


@pytest.fixture(scope="module")
def lessons(patches):
    """Models and losses of seed 3, seed 3 again, and seed 4; and the precisions of all that was built."""
    dtypes = []

    def noted(side, dtype="float32"):
        dtypes.append(dtype)
        return build(side, dtype=dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "STEPS", SHORT)
        patch.setattr(autoencoder, "BATCH_SIZE", SMALL)
        patch.setattr(autoencoder, "build", noted)
        before = patches.copy()
        taught = [train(patches, seed) for seed in (3, 3, 4)]
        np.testing.assert_array_equal(patches, before)
    return taught, dtypes


@pytest.fixture(scope="module")
def model(lessons):
    return lessons[0][0][0]


# --- The network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [16, 64])
def test_the_network_gives_back_images_and_a_code_of_a_24th(side):
    network = build(side)
    assert network.input_shape == network.output_shape == (None, side, side, 3)
    assert network.inputs[0].dtype == "uint8"
    code = network.get_layer("code").output
    assert code.shape == (None, side // 8, side // 8, CODE)
    assert 24 * np.prod(code.shape[1:]) == side * side * 3


# --- Training -------------------------------------------------------------------------------------


def test_the_loss_falls(lessons):
    _, losses = lessons[0][0]
    assert len(losses) == SHORT
    assert all(isinstance(loss, float) and 0 < loss < 1 for loss in losses)
    assert 0 < np.mean(losses[-3:]) < 0.4 * losses[0]


def test_it_is_trained_in_float64_and_given_back_in_float32(lessons, model):
    assert autoencoder.TRAINING_DTYPE == "float64"
    assert lessons[1] == ["float64", "float32"] * 3
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.floatx() == "float32"
    assert model.input_shape == (None, 16, 16, 3)


def test_one_seed_gives_one_model_and_another_gives_another(lessons):
    (one, losses), (again, same), (other, others) = lessons[0]
    assert losses == pytest.approx(same, rel=1e-9)
    assert losses != pytest.approx(others, rel=1e-2)
    for weights, repeated in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(weights, repeated, rtol=0, atol=1e-6)
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 0.01


def test_every_other_batch_is_mirrored_and_all_depend_on_the_seed(monkeypatch):
    """Each image has its number everywhere, and is brighter on the left."""
    monkeypatch.setattr(autoencoder, "BATCH_SIZE", 10)
    images = np.arange(5, dtype=np.uint8)[:, None, None, None, None] * np.ones((5, 2, 8, 8, 3), np.uint8)
    images[:, :, :, :4] += 100
    images[:, 1] += 10
    before = images.copy()
    batches = ReconstructionBatches(images, seed=0)
    assert len(batches) == autoencoder.STEPS
    seen = set()
    for step in range(20):
        batch, targets = batches[step]
        assert batch.shape == (10, 8, 8, 3)
        np.testing.assert_allclose(targets, batch / 255, rtol=1e-12)
        assert targets.dtype == np.float64
        bright, dark = (batch[:, :, 4:], batch[:, :, :4]) if step % 2 else (batch[:, :, :4], batch[:, :, 4:])
        assert (bright >= 100).all()
        assert (dark < 100).all()
        seen |= set(dark[:, 0, 0, 0].tolist())
        np.testing.assert_array_equal(batches[step][0], batch)
        assert (ReconstructionBatches(images, 1)[step][0] != batch).any()
    assert seen == {0, 1, 2, 3, 4, 10, 11, 12, 13, 14}, "all images and all of their patches"
    np.testing.assert_array_equal(images, before)


# --- What it says of images -----------------------------------------------------------------------


def test_an_image_has_36_numbers(model, patches):
    numbers = encode_images(model, patches)
    assert numbers.shape == (12, 36)
    assert numbers.dtype == np.float32
    code = keras.Model(model.input, model.get_layer("code").output)
    for image in (0, 11):
        made, places = np.asarray(model(patches[image])), np.asarray(code(patches[image]))
        errors = [
            np.log(1e-3 + np.square(a - b / 255).mean()) for a, b in zip(made, patches[image], strict=True)
        ]
        contrasts = [np.log1p(np.mean([p[..., c].std() for c in range(3)])) for p in patches[image]]
        each = np.column_stack([errors, contrasts, places.mean((1, 2)), places.std((1, 2))])
        np.testing.assert_allclose(numbers[image], [*each.mean(0), *each.std(0)], rtol=1e-3, atol=1e-4)
    assert numbers[0, 0] == pytest.approx(np.mean(encode_images(model, patches[:1])[0, 0]), abs=1e-5)


def test_noise_is_reconstructed_worse_and_has_more_contrast_than_a_plain_image(model):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1, 32, 16, 16, 3), np.uint8)
    plain = np.full((1, 32, 16, 16, 3), 255, np.uint8)
    noisy, flat = encode_images(model, noise)[0], encode_images(model, plain)[0]
    assert noisy[0] > flat[0] + 0.5
    assert np.log(1e-3) < flat[0]
    assert noisy[1] == pytest.approx(np.log1p(256 / np.sqrt(12)), abs=0.1)
    assert flat[1] == 0
    np.testing.assert_allclose(flat[18:], 0, atol=1e-4)
    assert (noisy[18:] > 1e-3).all()


def test_batches_of_images_give_what_all_at_once_give(model, patches, monkeypatch):
    at_once = encode_images(model, patches)
    monkeypatch.setattr(autoencoder, "IMAGES_AT_ONCE", 5)
    np.testing.assert_allclose(encode_images(model, patches), at_once, rtol=0, atol=1e-4)
    shuffled = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(encode_images(model, patches[shuffled]), at_once[shuffled], rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (8, 200), (5, 5), (1, 40)])
def test_reconstruction_takes_any_size(model, size):
    rgb = np.asarray(flat_drawing(0, 200))[40 : 40 + size[0], : size[1]]
    made = reconstruct(model, rgb)
    assert made.shape == rgb.shape
    assert made.dtype == np.uint8


def test_a_training_patch_is_reconstructed_the_same_alone_and_in_its_image(model, patches):
    mosaic = np.vstack([np.hstack([patches[0, 0], patches[8, 1]]), np.hstack([patches[1, 2], patches[9, 3]])])
    made = reconstruct(model, mosaic)
    for patch, (top, left) in ((patches[0, 0], (0, 0)), (patches[8, 1], (0, 16)), (patches[9, 3], (16, 16))):
        there = made[top : top + 16, left : left + 16].astype(int)
        assert np.abs(there - reconstruct(model, patch)).max() <= 1
        alone = np.asarray(model(patch[None]))[0]
        np.testing.assert_allclose(there / 255, alone.clip(0, 1), atol=0.5 / 255 + 1e-3)
    assert np.ptp(made) > 75


def test_channels_first_in_the_settings_of_keras_changes_nothing(model, patches):
    expected = encode_images(model, patches[:2])
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        other = build(16)
        other.set_weights(model.get_weights())
        np.testing.assert_allclose(encode_images(other, patches[:2]), expected, rtol=1e-4, atol=1e-5)
    finally:
        keras.config.set_image_data_format(before)
