"""Descriptors of drawn images."""

import imagehash
import numpy as np
import pytest
from drawings import DRAWINGS, face
from PIL import Image

from illus.files.descriptors import (
    DESCRIPTOR,
    THUMBNAIL_SIDE,
    content_box,
    describe_image,
    describe_images,
    mirrored,
    perceptual_hash,
    shape_of,
    square,
)

WHITE = np.array([255, 255, 255], np.uint8)


def patchwork(k):
    """Coloured squares by a formula: no drawing routine and no random numbers."""
    i, j = np.mgrid[:THUMBNAIL_SIDE, :THUMBNAIL_SIDE] // 12
    return np.stack([37 * i + 59 * j**2 + 17 * k * i * j + 80 * c for c in range(3)], -1).astype(np.uint8)


def thumbnail(image):
    rgb = np.asarray(image)
    left, top, right, bottom = content_box(rgb, WHITE)
    return square(rgb[top:bottom, left:right], WHITE)


def white_with(box, level, size=(120, 100)):
    left, top, right, bottom = box
    rgb = np.full((*size[::-1], 3), 255, np.uint8)
    rgb[top:bottom, left:right] = level
    return rgb


@pytest.mark.parametrize(
    ("k", "value"),
    [(1, 0xA36503361DE169F5), (2, 0xA2AD14E13B3629DE), (3, 0xA16F0423750E6FBC), (4, 0xA37104339D3C2CDF)],
)
def test_the_perceptual_hash_is_that_of_imagehash_and_stays_the_same(k, value):
    number = perceptual_hash(patchwork(k))
    assert number.dtype == np.uint64
    assert int(number) == value
    bits = imagehash.phash(Image.fromarray(patchwork(k))).hash.ravel()
    assert int(number) == int("".join(str(int(bit)) for bit in bits), 2)


@pytest.mark.parametrize("box", [(30, 40, 90, 80), (1, 1, 119, 99), (50, 10, 62, 95)])
def test_the_content_box_is_the_drawing_or_the_whole_image_if_that_is_too_faint(box):
    for level in (0, 160, 235):
        np.testing.assert_allclose(content_box(white_with(box, level), WHITE), box, atol=1)
    for level in (250, 255):
        assert content_box(white_with(box, level), WHITE) == (0, 0, 120, 100)


def test_specks_beside_a_drawing_are_not_content():
    rgb = white_with((30, 40, 90, 80), 0)
    clean = content_box(rgb, WHITE)
    rgb[5, 5] = rgb[95, 110] = 0
    assert content_box(rgb, WHITE) == clean
    rgb[4:8, 4:8] = 0  # too large for a speck
    np.testing.assert_allclose(content_box(rgb, WHITE), (4, 4, 90, 80), atol=1)


@pytest.mark.parametrize(
    ("level", "faint", "is_content"), [(195, 230, True), (195, 240, False), (0, 205, True), (0, 228, False)]
)
def test_a_faint_part_is_content_by_the_contrast_of_the_drawing(level, faint, is_content):
    rgb = white_with((60, 40, 110, 90), level)
    rgb[40:90, 10:40] = faint
    assert (content_box(rgb, WHITE)[0] < 15) == is_content


def test_a_long_strip_takes_no_more_memory_than_a_large_square():
    strip = np.zeros((2, 400_000, 3), np.uint8)  # its square would be 480 GB
    thumbnail = square(strip, WHITE)
    assert thumbnail.shape == (96, 96, 3)
    assert (thumbnail[:40] == 255).all() and (thumbnail[56:] == 255).all()


def test_square_centres_on_the_background():
    wide = np.zeros((THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE, 3), np.uint8)
    expected = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), np.uint8)
    expected[: THUMBNAIL_SIDE // 4] = expected[-THUMBNAIL_SIDE // 4 :] = (9, 8, 7)
    np.testing.assert_array_equal(square(wide, np.array([9, 8, 7])), expected)
    for side in (THUMBNAIL_SIDE // 2, 3 * THUMBNAIL_SIDE):
        narrow = square(np.full((side, side // 3, 3), 77, np.uint8), WHITE)
        middle, last = THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE - 1
        assert narrow[middle, [0, middle, last], 0].tolist() == [255, 77, 255]


def test_a_descriptor_has_the_size_and_ignores_the_margin(tmp_path):
    descriptors = np.zeros(2, DESCRIPTOR)
    for row, (corner, size) in enumerate([((30, 40), (120, 100)), ((10, 50), (200, 160))]):
        (x, y), name = corner, tmp_path / f"{row}.png"
        Image.fromarray(white_with((x, y, x + 60, y + 40), (200, 0, 0), size)).save(name)
        descriptors[row] = describe_image(name)
    assert descriptors["size"].tolist() == [[120, 100], [200, 160]]
    np.testing.assert_allclose(descriptors["box"], [[30, 40, 90, 80], [10, 50, 70, 90]], atol=1)
    np.testing.assert_array_equal(*descriptors["thumbnail"])
    np.testing.assert_array_equal(*descriptors["shape"])
    assert descriptors["pixels"][0] != descriptors["pixels"][1]
    assert descriptors["colours"][0, 4, 4].tolist() == [200, 0, 0]
    assert descriptors["colours"][0, 0, 0].tolist() == [255, 255, 255]
    Image.fromarray(white_with((0, 10, 60, 95), 0)).save(name)
    box = describe_image(name)["box"]
    np.testing.assert_allclose(box, [0, 10, 60, 95], atol=1, err_msg="most of the border is the background")


def test_a_flat_image_has_no_shape():
    assert not shape_of(np.full((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), 99, np.uint8)).any()
    assert np.linalg.norm(shape_of(thumbnail(face()))) == pytest.approx(1, abs=1e-5)


def test_cells_of_a_block_keep_their_proportion():
    rgb = np.full((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), 255, np.uint8)
    rgb[3:9, 3:9], rgb[3:9, 15:21] = 55, 205  # in the first two cells, with a quarter of the contrast
    strong, weak = np.linalg.norm(shape_of(rgb).reshape(64, 8)[:2], axis=1)
    assert strong / weak == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("draw_one", DRAWINGS.values(), ids=DRAWINGS)
def test_a_mirrored_shape_is_the_shape_of_the_mirrored_image(draw_one):
    image = thumbnail(draw_one())
    shape, turned = shape_of(image)[None], shape_of(np.ascontiguousarray(image[:, ::-1]))
    assert mirrored(shape)[0] @ turned > 0.95
    np.testing.assert_array_equal(mirrored(mirrored(shape)), shape)
    assert draw_one is not DRAWINGS["fish"] or mirrored(shape)[0] @ shape[0] < 0.9, "it looks left"


def test_rows_come_back_in_any_order_with_their_thumbnails(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(patchwork(number)).save(path)
    whole = np.array([describe_image(path) for path in paths])
    described = describe_images(paths)
    np.testing.assert_array_equal(np.asarray(described), whole)
    for rows in ([2, 0, 0], np.array([False, True, True]), []):
        np.testing.assert_array_equal(np.asarray(described[rows]), whole[rows])
        np.testing.assert_array_equal(described[rows][::-1]["thumbnail"], whole[rows][::-1]["thumbnail"])
        np.testing.assert_array_equal(described[rows]["whole"], whole[rows]["whole"])
    assert len(described[[2, 0, 0]]) == 3
    assert described.columns.nbytes < 3 * 4000 < whole.nbytes
