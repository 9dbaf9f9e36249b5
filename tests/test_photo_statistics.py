"""Statistics of images whose values can be written down, and the blocks."""

import joblib
import numpy as np
import pytest
from conftest import encoded, write_files
from drawings import flat_drawing, noisy_image
from PIL import Image

from illus.files.decoded import decode
from illus.files.photo_statistics import (
    APPEARANCE,
    BLOCK,
    BLOCK_STEP,
    BLOCKS,
    MAX_SIDE,
    MIN_CONTRAST,
    NO_CONTRAST,
    STATISTICS,
    VIVID,
    cut_blocks,
    foreground,
    image_statistics,
    incoherence,
    measure_appearance,
    otsu_residual,
    photo_statistics,
    shrink,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

NARROW = [(1, 1), (1, 300), (300, 1), (2, 2), (3, 2), (2, 500), (7, 9), (15, 17)]


def logit(share):
    return np.log((share + 0.02) / (1.02 - share))


def plain(colour, height=60, width=60):
    return np.full((height, width, 3), colour, np.uint8)


def with_square(side, corner=20):
    """A red square on a white background of 60 x 60 pixels."""
    rgb = plain(255)
    rgb[corner : corner + side, corner : corner + side] = (250, 10, 10)
    return rgb


def gray_blocks(*blocks):
    """Blocks of 8 x 8 levels side by side, float32."""
    return np.hstack([np.reshape(block, (8, 8)) for block in blocks]).astype(np.float32)


def noise(side=96, spread=20):
    return np.random.default_rng(0).normal(128, spread, (side, side)).clip(0, 255).astype(np.float32)


def test_the_best_of_all_thresholds_counts_in_the_median_of_whole_patches():
    blocks = np.vstack([noise(24).reshape(9, 64), np.repeat([0, 200], 32), np.repeat([30, 130], [60, 4])])
    gray = gray_blocks(*blocks)
    residuals = []
    for block in blocks:
        parts = [(block[block <= level], block[block > level]) for level in np.unique(block)[:-1]]
        left = [sum(part.var() * part.size for part in pair) / 64 for pair in parts]
        residuals.append(min(left) / block.var())
    assert otsu_residual(gray) == pytest.approx(np.median(residuals), rel=1e-4)
    more = np.pad(gray, ((0, 7), (0, 7)), constant_values=255)
    assert otsu_residual(more) == otsu_residual(gray)


def test_fewer_than_three_patches_with_contrast_are_no_contrast():
    flat, ramp = np.full(64, 90), np.arange(64)
    assert otsu_residual(gray_blocks(ramp, ramp, flat, flat)) == NO_CONTRAST
    assert otsu_residual(gray_blocks(ramp, ramp, ramp, flat)) == pytest.approx(1023 / 4095, rel=1e-4)
    assert otsu_residual(np.zeros((7, 300), np.float32)) == NO_CONTRAST
    for step, residual in ((3, NO_CONTRAST), (5, 0)):  # of the variances 2.25 and 6.25
        halves = np.repeat([100, 100 + step], 32)
        assert otsu_residual(gray_blocks(halves, halves, halves)) == pytest.approx(residual, abs=1e-5)


@pytest.mark.parametrize("period", [2, 6, 16])
def test_straight_edges_and_flat_areas_are_coherent(period):
    stripes = np.tile(np.float32(200 * (np.arange(96) % period < period / 2)), (96, 1))
    for gray in (stripes, stripes.T, np.full((40, 50), 7, np.float32), np.tile(np.arange(96.0), (60, 1))):
        assert incoherence(gray.astype(np.float32)) == pytest.approx(0, abs=2e-3)


def test_noise_is_incoherent_faint_noise_less_and_an_edge_makes_it_less_so():
    gray = noise()
    alone = incoherence(gray)
    assert 0.6 < alone < 1
    assert 0.05 < incoherence(noise(spread=0.5)) < 0.5 * alone
    gray[:, 48:] += 2000
    assert alone - 0.1 < incoherence(gray) < alone - 0.02


def test_the_foreground_is_more_than_two_pixels_away_from_the_background():
    inside = foreground(with_square(20))
    expected = np.zeros((60, 60), bool)
    expected[22:38, 22:38] = True
    np.testing.assert_array_equal(inside, expected)
    assert foreground(with_square(11)).all(), "too small: the whole image"


def test_the_most_frequent_colour_is_the_background_wherever_it_lies():
    """The square covers most of the image: what lies around it is the foreground."""
    rgb = with_square(54, corner=6)
    assert foreground(rgb).sum() == 60 * 60 - 56 * 56
    assert foreground(rgb)[:4].all()


@pytest.mark.parametrize(
    ("colour", "saturation", "vivid"),
    [
        ((90, 90, 90), 0, 0),
        ((200, 50, 80), 150, 1),
        ((20 + VIVID, 20, 30), VIVID, 0),
        ((21 + VIVID, 20, 30), VIVID + 1, 1),
        ((0, 0, 255), 255, 1),
    ],
)
def test_a_plain_image(colour, saturation, vivid):
    assert image_statistics(plain(colour)) == pytest.approx(
        {
            "otsu_residual": NO_CONTRAST,
            "incoherence": 0,
            "saturation": saturation,
            "border": logit(1),
            "vivid": logit(vivid),
            "flat": logit(1),
        }
    )


def test_saturation_is_of_the_foreground_and_vivid_of_all():
    found = image_statistics(with_square(20))
    assert found["saturation"] == pytest.approx(240)
    assert found["vivid"] == pytest.approx(logit(20**2 / 60**2))


def test_flat_is_the_share_of_the_foreground_without_any_edge():
    """Of 26 columns of the square's inside, the two at the edge between its halves are not flat."""
    rgb = with_square(30)
    assert image_statistics(rgb)["flat"] == pytest.approx(logit(1))
    rgb[20:50, 35:50] = (10, 10, 250)
    assert image_statistics(rgb)["flat"] == pytest.approx(logit(24 / 26))
    rgb[20:50, 35:50] = (251, 10, 10)
    assert image_statistics(rgb)["flat"] == pytest.approx(logit(24 / 26)), "one level is an edge"
    rgb[20:50, 20:50, 0] = 200 + np.indices((30, 30)).sum(0) % 2
    assert image_statistics(rgb)["flat"] == pytest.approx(logit(0))


def test_border_is_the_share_of_the_outermost_pixels_near_their_median():
    rgb = plain((100, 100, 100), 96, 96)
    rgb[1:-1, 1:-1] = 0
    rgb[:, :24] = (100, 106, 100)
    assert image_statistics(rgb)["border"] == pytest.approx(logit(1))
    rgb[:, :24] = (100, 107, 100)
    assert image_statistics(rgb)["border"] == pytest.approx(logit((2 * 72 + 96) / (4 * 96)))


@pytest.mark.parametrize("size", NARROW)
def test_the_smallest_and_narrowest_images_can_be_measured(size):
    found = image_statistics(plain(90, *size))
    assert list(found) == list(STATISTICS)
    assert found == pytest.approx(image_statistics(plain(90)), abs=1e-6)
    speckled = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.isfinite(list(image_statistics(speckled).values())).all()


def looks(levels):
    """What is measured for the eye, by name, of levels that can be broadcast to colours."""
    rgb = np.broadcast_to(levels, (*levels.shape[:2], 3)).astype(np.uint8)
    measures = measure_appearance(decode(encoded(Image.fromarray(rgb))))["measures"]
    return dict(zip(APPEARANCE, measures, strict=True))


def test_what_an_image_looks_like():
    found = looks(plain((200, 100, 100)))
    expected = {"brightness": 130 / 255, "saturation": 0.5, "colours": 1, "flat": 1, "noise": 0}
    assert found == pytest.approx(expected, abs=0.005)
    ramp = np.tile(np.arange(0, 240, 4)[:, None], (60, 1, 1))
    assert looks(ramp)["flat"] < 0.1, "four levels a pixel"
    assert looks(ramp // 4)["flat"] == 1, "one level a pixel"
    board = 255 * (np.indices((96, 384)).sum(0) % 2)[..., None]
    assert looks(board)["noise"] == 0, "at a quarter of its size nothing is left of it"
    assert looks(board[:, :96])["noise"] > 5


def striped(height, width):
    """The row and the column of each pixel in two channels, and stripes in the third."""
    rows, columns = np.indices((height, width))
    return np.dstack([rows, columns, 255 * (columns % 2)]).astype(np.uint8)


def corners(blocks):
    return [tuple(block[0, 0, :2].tolist()) for block in blocks]


def test_blocks_are_pieces_on_a_grid_and_the_pixels_alone_decide_which():
    rgb = striped(256, 200)
    blocks = cut_blocks(rgb)
    assert blocks.shape == (BLOCKS, BLOCK, BLOCK, 3)
    assert blocks.dtype == np.uint8
    places = corners(blocks)
    assert len(set(places)) == BLOCKS
    for block, (y, x) in zip(blocks, places, strict=True):
        assert y % BLOCK_STEP == x % BLOCK_STEP == 0
        np.testing.assert_array_equal(block, rgb[y : y + BLOCK, x : x + BLOCK])
    assert max(y for y, _ in places) > 160 > 80 > min(y for y, _ in places)
    np.testing.assert_array_equal(cut_blocks(rgb.copy()), blocks)
    rgb[0, 0, 2] = 99
    assert corners(cut_blocks(rgb)) != places


def test_blocks_have_contrast_and_repeat_evenly_where_few_have():
    """An edge between two tones runs through the columns 20 to 27 of 64: two blocks of a row are on it."""
    rgb = plain((100, 100, 100), 8, 64)
    rgb[:, 24:] = 200
    blocks = cut_blocks(rgb)
    assert {block[0, :, 0].tobytes() for block in blocks} == {rgb[0, 20:28, 0].tobytes()}
    rgb[:, 24:] = 100 + round(2 * MIN_CONTRAST) - 1
    rgb[:, 44:] = 200
    assert {block[0, 0, 0] for block in cut_blocks(rgb)} == {100 + round(2 * MIN_CONTRAST) - 1}
    rgb[:, 24:44] = 100 + round(2 * MIN_CONTRAST)
    counts = [sum(block[0, 0, 0] == level for block in cut_blocks(rgb)) for level in (100, 108)]
    assert counts == [BLOCKS / 2] * 2


def test_without_contrast_the_block_with_most_is_taken():
    rgb = plain((100, 100, 100), 60, 60)
    rgb[40:, 40:] += 2
    rgb[42, 42] += 28
    assert all(block.max() == 130 for block in cut_blocks(rgb))
    assert (cut_blocks(plain(90)) == 90).all()


@pytest.mark.parametrize("size", NARROW)
def test_small_images_are_reflected(size):
    """As in a mirror at the right and lower edge, over and over: 0 1 2 2 1 0 0 1 2 and so on."""
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    ways = [(np.arange(max(side, BLOCK)) % (2 * side), 2 * side - 1) for side in size]
    rows, columns = (np.minimum(way, last - way) for way, last in ways)
    whole = rgb[rows][:, columns]
    places = [range(0, side - BLOCK + 1, BLOCK_STEP) for side in whole.shape[:2]]
    expected = {whole[y : y + BLOCK, x : x + BLOCK].tobytes() for y in places[0] for x in places[1]}
    blocks = cut_blocks(rgb)
    assert blocks.shape == (BLOCKS, BLOCK, BLOCK, 3)
    found = {block.tobytes() for block in blocks}
    assert found <= expected
    assert len(found) == min(BLOCKS, len(expected))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((MAX_SIDE, MAX_SIDE), (256, 256)),
        ((200, 100), (200, 100)),
        ((512, 300), (256, 150)),
        ((257, 40), (256, 40)),
        ((1, 1000), (1, 256)),
    ],
)
def test_larger_images_are_reduced(tmp_path, size, expected):
    path, board = tmp_path / "image.png", 200 * (np.indices(size[::-1]).sum(0) % 2)
    Image.fromarray(board.astype(np.uint8)).save(path)
    rgb = shrink(decode(path.read_bytes()).small)
    assert rgb.shape == (*expected[::-1], 3)
    assert size == expected or np.ptp(rgb.astype(int)) < 200, "means are taken"


def test_files_become_rows_and_blocks_in_their_order(tmp_path):
    images = {
        "drawing.png": flat_drawing(0),
        "noisy.png": noisy_image(0, 300),
        "palette.gif": encoded(flat_drawing(3).convert("P"), "GIF"),
        "dot.png": Image.new("RGB", (1, 1)),
    }
    write_files(tmp_path, images)
    paths = [tmp_path / name for name in images]
    with joblib.parallel_config(backend="threading"):
        table, blocks = photo_statistics(paths)
    assert table.columns.tolist() == list(STATISTICS)
    assert (table.dtypes == np.float32).all()
    assert np.isfinite(table.to_numpy()).all()
    assert blocks.shape == (4, BLOCKS, BLOCK, BLOCK, 3)
    assert blocks.dtype == np.uint8
    for number, path in enumerate(paths):
        rgb = shrink(decode(path.read_bytes()).small)
        np.testing.assert_array_equal(blocks[number], cut_blocks(rgb))
        assert table.iloc[number].to_dict() == pytest.approx(image_statistics(rgb), rel=1e-5, abs=1e-5)
