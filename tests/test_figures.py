"""Figures, drawn on axes that the test looks at."""

import numpy as np
import pandas as pd
from conftest import COLOURS
from matplotlib.figure import Figure

from illus.catalog import scan
from illus.figures import class_bars, class_gallery, pairs_sheet, picture_rows


def test_gallery_has_a_row_of_its_own_colour_for_every_class(class_folder_tree):
    axes = Figure().subplots()
    class_gallery(axes, scan(class_folder_tree), class_folder_tree, {"L2_10": "green"}, columns=4, size=20)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (60, 80, 3)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["L2_2", "green", "L2_33"]
    for row, colour in enumerate(COLOURS.values()):
        part = sheet[20 * row : 20 * row + 20].reshape(-1, 3).astype(int)
        assert part.mean(axis=0).argmax() == np.argmax(colour)


def test_pairs_stand_side_by_side_under_their_captions(class_folder_tree):
    axes = Figure().subplots()
    pairs = [("L2_2/0.png", "L2_10/0.png")] * 3
    pairs_sheet(axes, pairs, class_folder_tree, ["a", "b", "c"], columns=2, size=20)
    sheet = np.asarray(axes.images[0].get_array()).astype(int)
    assert sheet.shape == (2 * (20 + 22), 2 * (2 * 20 + 16), 3)
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
    assert sheet[18:34, :16].reshape(-1, 3).mean(0).argmax() == 0
    assert sheet[18:34, 20:36].reshape(-1, 3).mean(0).argmax() == 1


def test_nothing_to_show_is_said():
    axes = Figure().subplots()
    pairs_sheet(axes, [], ".", [])
    assert [text.get_text() for text in axes.texts] == ["none"]
    picture_rows(Figure().subplots(), [], ".", [])


def test_bars_are_in_class_order_with_their_numbers():
    axes = Figure().subplots()
    class_bars(axes, pd.Series({"L2_10": 1500, "L2_2": 7}))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["L2_10", "L2_2"]  # from below
    assert [text.get_text() for text in axes.texts] == ["1,500", "7"]
