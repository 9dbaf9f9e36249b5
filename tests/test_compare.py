"""The distance: small for whatever copying may do to a drawing, large for real differences."""

import numpy as np
import pytest
from conftest import encoded
from drawings import BROWN, DRAWINGS, brighter, clock, face, fish, house, padded, plant, rehued, rescaled
from PIL import Image, ImageChops, ImageEnhance, ImageOps

from illus.copies.compare import distance, pair_distances, plausible
from illus.copies.settings import DEFAULTS
from illus.files.descriptors import DESCRIPTOR, describe_image

DUPLICATES = {
    "JPEG 60": lambda p: encoded(p, "JPEG", quality=60),
    "WEBP 60": lambda p: encoded(p, "WEBP", quality=60),
    "BMP": lambda p: encoded(p, "BMP"),
    "GIF": lambda p: encoded(p, "GIF"),
    "half the size": lambda p: encoded(rescaled(p, 0.5)),
    "twice the size": lambda p: encoded(rescaled(p, 2)),
    "padded": lambda p: encoded(padded(p, 0.05)),
    "shifted": lambda p: encoded(ImageChops.offset(p, 2, -2)),  # drawings have a white margin
    "brighter": lambda p: encoded(brighter(p, 1.08)),
    "less contrast": lambda p: encoded(ImageEnhance.Contrast(p).enhance(0.93)),
    "small, padded JPEG": lambda p: encoded(rescaled(padded(p, 0.05), 0.5), "JPEG", quality=75),
}
DIFFERENT = {
    "skin": (face(), face(BROWN)),
    "hue": (fish(), rehued(fish(), 0.12)),
    "slight hue": (fish(), rehued(fish(), 0.03)),  # near enough that the other image is held fixed, too
    "wall": (house(), house(wall=(150, 190, 220))),
    "pot": (plant(), plant(pot=(60, 90, 190))),
    "colour as light": (plant(pot=(190, 90, 60)), plant(pot=(60, 140, 145))),
    "hour": (clock(2), clock(3)),
    "minute": (clock(minute=45), clock(minute=50)),
    "third eye": (face(), face(eyes=3)),
    "one eye": (face(), face(eyes=1)),
    "sad": (face(), face(smiles=False)),
    "mirrored fish": (fish(), ImageOps.mirror(fish())),
    "mirrored house": (house(), ImageOps.mirror(house())),
    "mirrored clock": (clock(), ImageOps.mirror(clock())),
    "margin": (house(), padded(house(), 0.25)),
}


@pytest.fixture
def descriptors_of(tmp_path):
    """Descriptors of images, which may be encoded already."""

    def describe(*images):
        descriptors = np.zeros(len(images), DESCRIPTOR)
        for row, image in enumerate(images):
            path = tmp_path / str(row)
            path.write_bytes(image if isinstance(image, bytes) else encoded(image))
            descriptors[row] = describe_image(path)
        return descriptors

    return describe


@pytest.mark.parametrize("change", DUPLICATES.values(), ids=DUPLICATES)
@pytest.mark.parametrize("draw_one", DRAWINGS.values(), ids=DRAWINGS)
def test_a_duplicate_is_near(descriptors_of, draw_one, change):
    descriptors = descriptors_of(draw_one(), change(draw_one()))
    assert plausible(descriptors, np.array([[0, 1], [1, 0]])).all()
    there, back = distance(descriptors, 0, 1), distance(descriptors, 1, 0)
    assert max(there, back) < DEFAULTS.near
    assert there == pytest.approx(back, abs=1)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_real_difference_is_not_near(descriptors_of, one, other):
    descriptors = descriptors_of(one, other)
    there, back = distance(descriptors, 0, 1), distance(descriptors, 1, 0)
    assert min(there, back) > DEFAULTS.near
    assert there == pytest.approx(back, rel=0.1)


@pytest.mark.parametrize("kind", ["hour", "third eye", "mirrored fish"])
@pytest.mark.parametrize("change", ["JPEG 60", "half the size", "small, padded JPEG"])
def test_a_real_difference_is_far_even_after_lossy_copying(descriptors_of, kind, change):
    one, other = DIFFERENT[kind]
    assert distance(descriptors_of(one, DUPLICATES[change](other)), 0, 1) > 2 * DEFAULTS.near


def test_the_more_light_there_is_to_undo_the_further_are_two_images(descriptors_of):
    descriptors = descriptors_of(house(), *(brighter(house(), light) for light in (1, 0.97, 0.94, 0.9)))
    gaps = [distance(descriptors, 0, other) for other in range(1, 5)]
    assert gaps[0] == pytest.approx(0)
    assert np.diff(gaps).min() > 1


def test_what_pairs_share_does_not_change_their_distances(descriptors_of):
    sizes = (1, 0.5, 0.3)  # pairs are compared at the smaller size of their two images
    images = [rescaled(drawn(), size) for size in sizes for drawn in (house, fish, plant)]
    descriptors = descriptors_of(*images)
    pairs = np.array([(i, j) for i in range(9) for j in range(i + 1, 9)])
    alone = [distance(descriptors, i, j) for i, j in pairs]
    assert pair_distances(descriptors, pairs).tolist() == alone


@pytest.mark.parametrize(("shift", "is_near"), [(0, True), (2, True), (12, False)])
def test_a_small_shift_of_an_image_without_margins_is_undone(descriptors_of, shift, is_near):
    tiles = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8))
    wall = tiles.resize((180, 180), Image.Resampling.NEAREST)
    crops = [encoded(wall.crop((left, left, left + 120, left + 120))) for left in (0, shift)]
    assert (distance(descriptors_of(*crops), 0, 1) < DEFAULTS.near) == is_near


def test_pairs_of_another_aspect_margin_or_colour_are_not_plausible(descriptors_of):
    one, wide = house(), house().resize((120, 100))
    descriptors = descriptors_of(one, wide, padded(one, 0.25), rehued(one, 0.3), padded(one, 0.05))
    pairs = np.array([[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [1, 2]])
    assert plausible(descriptors, pairs).tolist() == [True, False, False, False, True, False]
    assert plausible(descriptors, pairs[:0]).shape == (0,)


def test_a_pixel_of_rounding_does_not_make_another_aspect(descriptors_of):
    """The same ratio of sides, where each may be rounded by half a pixel."""
    sizes = [(40, 20), (40, 21), (400, 200), (400, 230)]
    descriptors = descriptors_of(*(fish().resize(size) for size in sizes))
    assert plausible(descriptors, np.array([[0, 1], [2, 3]])).tolist() == [True, False]


def strip(seed, ratio):
    """A row of tiles of random colours, which fills its image to all edges."""
    colours = np.random.default_rng(seed).integers(0, 256, (1, ratio // 2, 3), np.uint8)
    return Image.fromarray(colours).resize((10 * ratio, 10), Image.Resampling.NEAREST)


@pytest.mark.parametrize("ratio", [4, 12, 20, 40, 60, 100, 400])
def test_strips_that_show_something_else_are_far_however_thin(descriptors_of, ratio):
    descriptors = descriptors_of(strip(1, ratio), strip(2, ratio))
    assert min(distance(descriptors, 0, 1), distance(descriptors, 1, 0)) > 2 * DEFAULTS.near


@pytest.mark.parametrize("ratio", [4, 12, 20, 40, 60])
def test_copies_of_a_strip_are_near(descriptors_of, ratio):
    image = strip(1, ratio)
    descriptors = descriptors_of(image, encoded(image, "JPEG", quality=75), encoded(rescaled(image, 2)))
    assert max(distance(descriptors, 0, 1), distance(descriptors, 0, 2)) < DEFAULTS.near
