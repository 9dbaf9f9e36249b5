"""Statistics of images whose values can be written down, and of drawings beside textured images."""

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import encoded
from drawings import flat_drawing, noisy_image
from PIL import Image

from evaluate import decode_image, fit_image
from illus.clean.photo_statistics import (
    GRADIENT_SIDE,
    THUMBNAIL,
    VOTES,
    image_statistics,
    photo_statistics,
    votes,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

HIGH_IN_DRAWINGS = [
    "top_colour",
    "far_equal",
    "flat",
    "smooth_colour",
    "border",
    "gradient_spread",
    "steep",
    "coherence",
]
HIGH_IN_PHOTOGRAPHS = [
    "residual_shape",
    "middling",
    "texture",
    "texture_low",
    "quiet_patch",
    "noise",
    "edge_shape",
]


def logit(share):
    return np.log((share + 0.02) / (1.02 - share))


def striped(colours, width, height):
    """Vertical stripes of equal width."""
    stripes = np.repeat(np.array(colours, np.uint8), width // len(colours), axis=0)
    return np.repeat(stripes[None], height, axis=0)


@pytest.fixture(scope="module")
def measured():
    """Statistics of ten drawings and of ten textured images."""
    return [
        pd.DataFrame([image_statistics(np.asarray(draw(seed, side))) for seed in range(10)])
        for draw, side in ((flat_drawing, 96), (noisy_image, 192))
    ]


def test_every_statistic_is_one_of_the_two_kinds(measured):
    assert sorted(measured[0].columns) == sorted(HIGH_IN_DRAWINGS + HIGH_IN_PHOTOGRAPHS)


@pytest.mark.parametrize("name", HIGH_IN_DRAWINGS)
def test_drawings_have_more(measured, name):
    drawings, textured = measured
    assert drawings[name].min() > textured[name].max()


@pytest.mark.parametrize("name", HIGH_IN_PHOTOGRAPHS)
def test_textured_images_have_more(measured, name):
    drawings, textured = measured
    assert drawings[name].max() < textured[name].min()


def test_the_votes_of_drawings_and_of_textured_images(measured):
    drawings, textured = (votes(table) for table in measured)
    assert drawings.shape == textured.shape == (10, 7)
    assert (np.abs([drawings, textured]) <= 3).all()
    assert (drawings.mean(1) < -0.5).all()
    assert (textured.mean(1) > 0.5).all()


@pytest.mark.parametrize(("spreads", "expected"), [(0, 0), (1, 1), (-2, -2), (2.5, 2.5), (50, 3), (-50, -3)])
def test_votes_are_distances_in_spreads_up_to_three(spreads, expected):
    row = {name: level + spreads * spread for name, (level, spread) in VOTES.items()}
    table = pd.DataFrame([{"noise": 99.0} | dict(reversed(row.items()))])
    assert votes(table) == pytest.approx(np.full((1, 7), expected))


def test_each_statistic_votes_in_its_own_direction():
    levels = {name: level for name, (level, _) in VOTES.items()}
    table = pd.DataFrame([levels | {name: levels[name] + 0.1} for name in VOTES])
    cast = votes(table)
    np.testing.assert_array_equal(cast != 0, np.eye(len(VOTES), dtype=bool))
    up = [name for name, vote in zip(VOTES, cast.diagonal(), strict=True) if vote > 0]
    assert set(up) == set(VOTES) & set(HIGH_IN_PHOTOGRAPHS)


@pytest.mark.parametrize("size", [(50, 60), (96, 96), (300, 200)])
def test_a_plain_image(size):
    found = image_statistics(np.full((*size, 3), 100, np.uint8))
    for name in ("top_colour", "far_equal", "flat", "smooth_colour", "border"):
        assert found[name] == pytest.approx(logit(1)), name
    for name in ("steep", "middling", "coherence"):
        assert found[name] == pytest.approx(logit(0), abs=1e-5), name
    for name in ("texture", "texture_low", "noise"):
        assert found[name] == pytest.approx(np.log2(0.1), abs=1e-5), name
    assert found["gradient_spread"] == found["quiet_patch"] == 0


def test_an_image_of_two_halves():
    """Columns 19 and 20 touch the other half; a quarter of the width crosses it from 10 of 30 columns."""
    found = image_statistics(striped([[0, 0, 0], [250, 40, 90]], 40, 40))
    assert found["top_colour"] == pytest.approx(logit(0.5)) == 0
    assert found["smooth_colour"] == pytest.approx(logit(0.5))
    assert found["flat"] == pytest.approx(logit(38 / 40))
    assert found["far_equal"] == pytest.approx(logit((20 * 40 + 30 * 40) / (2 * 30 * 40)))


def test_an_image_of_a_quarter_and_three():
    """One edge from top to bottom, between patches: it is all the contrast that there is."""
    found = image_statistics(striped([[0, 0, 0], *[[255, 255, 255]] * 3], GRADIENT_SIDE, GRADIENT_SIDE))
    share = 1 / 95
    assert found["top_colour"] == pytest.approx(logit(0.75))
    assert found["border"] == pytest.approx(logit((2 * 72 + 96) / (4 * 96)))
    assert found["steep"] == pytest.approx(logit(share))
    assert found["middling"] == pytest.approx(logit(0))
    assert found["gradient_spread"] == pytest.approx(8 * np.sqrt(share * (1 - share)), rel=1e-4)
    assert found["coherence"] == pytest.approx(logit(1), abs=1e-3)
    assert found["noise"] == pytest.approx(np.log2(0.1))
    assert found["quiet_patch"] == 0


@pytest.mark.parametrize(
    ("step", "middling", "steep"), [(3, 0, 0), (30, 1 / 95, 0), (50, 0, 0), (80, 0, 1 / 95)]
)
def test_steps_count_as_middling_or_as_steep(step, middling, steep):
    found = image_statistics(striped([[0, 0, 0], [step, 0, 0]], GRADIENT_SIDE, GRADIENT_SIDE))
    assert found["middling"] == pytest.approx(logit(middling))
    assert found["steep"] == pytest.approx(logit(steep))


def test_few_smooth_pixels_have_no_smooth_colour():
    board = (np.indices((40, 40)).sum(0) % 2 * 255).astype(np.uint8)
    found = image_statistics(np.dstack([board] * 3))
    assert found["smooth_colour"] == found["flat"] == pytest.approx(logit(0))
    assert found["top_colour"] == pytest.approx(0)


def test_noise_is_even_and_a_single_dot_is_not():
    noise = np.random.default_rng(0).integers(0, 256, (GRADIENT_SIDE, GRADIENT_SIDE, 3), np.uint8)
    dot = np.zeros((GRADIENT_SIDE, GRADIENT_SIDE, 3), np.uint8)
    dot[50, 50] = 255
    even, uneven = image_statistics(noise), image_statistics(dot)
    for name in ("residual_shape", "edge_shape"):
        assert -1 < even[name] <= 0
        assert uneven[name] < even[name] - 3
    assert even["coherence"] < uneven["coherence"] + 3


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 2), (2, 500), (2, 1000)])
def test_the_smallest_and_narrowest_images_can_be_measured(size):
    found = image_statistics(np.full((*size, 3), 90, np.uint8))
    assert np.isfinite(list(found.values())).all()
    assert found["top_colour"] == pytest.approx(logit(1))
    assert found["border"] == pytest.approx(logit(1))


def test_files_become_rows_and_thumbnails_in_their_order(tmp_path):
    images = {
        "drawing.png": flat_drawing(0),
        "noisy.png": noisy_image(0, 200),
        "gray.png": flat_drawing(1).convert("L"),
        "black and white.png": flat_drawing(2).convert("1"),
        "palette.gif": encoded(flat_drawing(3).convert("P"), "GIF"),
        "clear.png": Image.new("RGBA", (30, 50), (0, 0, 0, 0)),
    }
    for name, image in images.items():
        (tmp_path / name).write_bytes(image if isinstance(image, bytes) else encoded(image))
    paths = [tmp_path / name for name in images]
    with joblib.parallel_config(backend="threading"):
        table, thumbnails = photo_statistics(paths)
    assert thumbnails.shape == (6, THUMBNAIL, THUMBNAIL, 3)
    assert thumbnails.dtype == np.uint8
    assert (table.dtypes == np.float32).all()
    assert np.isfinite(table.to_numpy()).all()
    for number, path in enumerate(paths):
        rgb = decode_image(path.read_bytes())
        np.testing.assert_array_equal(thumbnails[number], fit_image(rgb, THUMBNAIL, "stretch"))
        assert table.iloc[number].to_dict() == pytest.approx(image_statistics(rgb), rel=1e-5, abs=1e-5)
    assert (thumbnails[5] == 255).all(), "transparent is white"
