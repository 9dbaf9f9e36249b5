"""The sheet of single changes: each one alone, stronger from left to right, and all settings are shown."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from illus.learn import single_changes as singles
from illus.learn.augmentation import AUGMENTATIONS
from illus.report import sheets

YES_OR_NO = {"mirrored", "gray", "outlines", "inverted"}
BY_LAYER = [singles.NO_MAP, singles.NO_COLOURS, singles.NO_FILTERS]


@pytest.fixture(scope="module")
def drawing():
    """A red house left of the middle, a blue tree and a pale sun on white; uint8, (48, 48, 3)."""
    image = Image.new("RGB", (48, 48), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((8, 20, 24, 40), fill=(200, 60, 40))
    pen.polygon([(6, 20), (26, 20), (16, 8)], fill=(90, 50, 30))
    pen.ellipse((28, 14, 40, 30), fill=(60, 90, 200))
    pen.ellipse((40, 2, 46, 8), fill=(250, 220, 120))
    return np.asarray(image)


def changed(image, layer):
    return singles.changed(image[None], [layer])[0]


def far(image, other):
    return np.abs(image.astype(float) - other).mean()


def test_every_setting_of_the_strong_augmentation_has_its_change():
    for layer, single, neutral in zip(
        AUGMENTATIONS["strong"](), singles.single_changes(1.0), BY_LAYER, strict=True
    ):
        assert {type(one) for one in single.values()} == {type(layer)}
        assert neutral.keys() == {
            name for one in single.values() for name in neutral if getattr(one, name) != neutral[name]
        }


def test_a_change_alone_ends_where_the_range_of_the_strong_augmentation_ends():
    affine, colours, _ = AUGMENTATIONS["strong"]()
    shape, tints, _ = singles.single_changes(1.0)
    assert shape["rotation"].rotation == affine.rotation
    assert shape["zoom out"].zoom == (affine.zoom[0],) * 2
    assert tints["more contrast"].contrast == (colours.contrast[1],) * 2
    assert singles.single_changes(0.5)[0]["rotation"].rotation == affine.rotation / 2


@pytest.mark.parametrize("place", range(3))
def test_changes_are_stronger_from_left_to_right(drawing, place):
    strengths = [singles.single_changes(strength)[place] for strength in singles.STRENGTHS]
    for name in strengths[0]:
        gaps = [far(changed(drawing, layers[name]), drawing) for layers in strengths]
        if name in YES_OR_NO:
            assert gaps[0] > 1 and len(set(gaps)) == 1, name
        elif name == "posterising":
            assert min(gaps) > 1, name
        else:
            assert 0 < gaps[0] < gaps[1] < gaps[2], name
        if place < 2 and name not in YES_OR_NO:
            hardly = singles.single_changes(1e-3)[place][name]
            assert far(changed(drawing, hardly), drawing) < 1, name


def test_changes_do_what_their_names_say(drawing):
    shape, tints, filters = singles.single_changes(1.0)
    np.testing.assert_array_equal(changed(drawing, shape["mirrored"]), drawing[:, ::-1])
    assert np.ptp(changed(drawing, tints["gray"]).astype(int), axis=2).max() <= 1
    np.testing.assert_array_equal(changed(drawing, filters["inverted"]), 255 - drawing)
    ink = (changed(drawing, shape["zoom out"]) < 250).any(2).mean()
    assert ink < 0.7 * (drawing < 250).any(2).mean()


def test_each_change_is_shown_in_its_strengths(drawing):
    rows = singles.in_three_strengths(np.stack([drawing] * 3))
    for row, layers in zip(rows, singles.single_changes(1.0), strict=True):
        assert list(row) == ["image", *layers]
        np.testing.assert_array_equal(row["image"], drawing[None])
        for name, layer in layers.items():
            assert len(row[name]) == (1 if name in YES_OR_NO else len(singles.STRENGTHS)), name
            np.testing.assert_array_equal(row[name][-1], changed(drawing, layer))


def test_a_sheet_of_series_names_each_above_its_first_image(axes):
    dark = np.zeros((1, 20, 20, 3), np.uint8)
    light = dark + np.uint8(90)
    sheets.series_sheet(axes, {"one": {"a": dark, "b": np.concatenate([light, dark])}, "two": {"c": light}})
    places = {text.get_text(): text.get_position() for text in axes.texts}
    sheet = np.asarray(axes.images[0].get_array())
    assert list(places) == ["a", "b", "c"]
    for name, level in (("a", 0), ("b", 90), ("c", 90)):
        left, bottom = (int(value) for value in places[name])
        first = sheet[bottom + 5 : bottom + 25, left : left + 20]
        assert (first == level).all(), name
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
