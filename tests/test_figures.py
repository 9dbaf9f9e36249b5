"""Figures and sheets, by what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS
from matplotlib.figure import Figure

from illus.files.catalog import scan
from illus.report.figures import (
    architecture,
    bars_of_seeds,
    class_bars,
    class_f1_bars,
    cluster_scatter,
    curves_by_time,
    knee_curve,
    label_log_axis,
    learning_curves,
    precision_recall,
    reliability,
    roc_curves,
    score_histogram,
    sweep_lines,
)
from illus.report.sheets import (
    activation_sheet,
    class_gallery,
    image_rows,
    mean_images,
    pairs_sheet,
    reconstruction_sheet,
    sizes_sheet,
    thumbnail_scatter,
)


def test_gallery_has_a_row_of_its_own_colour_for_every_class(class_folder_tree):
    axes = Figure().subplots()
    class_gallery(axes, scan(class_folder_tree), class_folder_tree, {"L2_10": "green"}, columns=4, size=20)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (60, 80, 3)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["L2_2", "green", "L2_33"]
    for row, colour in enumerate(COLOURS.values()):
        part = sheet[20 * row : 20 * row + 20].reshape(-1, 3).astype(int)
        assert part.mean(axis=0).argmax() == np.argmax(colour)


def test_pairs_are_side_by_side_under_their_captions(class_folder_tree):
    axes = Figure().subplots()
    pairs = [("L2_2/0.png", "L2_10/0.png")] * 3
    pairs_sheet(axes, pairs, class_folder_tree, ["a", "b", "c"], columns=2, size=20)
    sheet = np.asarray(axes.images[0].get_array()).astype(int)
    assert sheet.shape == (2 * (20 + 22), 2 * (2 * 20 + 16), 3)
    assert sheet[18:34, :16].reshape(-1, 3).mean(0).argmax() == 0
    assert sheet[18:34, 20:36].reshape(-1, 3).mean(0).argmax() == 1


def test_a_sheet_without_images_is_white():
    axes = Figure().subplots()
    pairs_sheet(axes, [], ".", [])
    other = Figure().subplots()
    image_rows(other, [], ".", [])
    for sheet in (axes, other):
        assert (np.asarray(sheet.images[0].get_array()) == 255).all()


def test_longer_rows_stand_under_captions_of_several_lines(class_folder_tree):
    axes = Figure().subplots()
    pairs_sheet(axes, [["L2_2/0.png", "L2_10/0.png", "L2_33/0.png"]], class_folder_tree, ["a\nb"], 1, 20)
    assert np.asarray(axes.images[0].get_array()).shape == (20 + 32 + 4, 3 * 20 + 16, 3)


def test_an_empty_path_leaves_its_place_white(class_folder_tree):
    axes = Figure().subplots()
    image_rows(axes, [["L2_2/0.png", "", "L2_2/1.png"]], class_folder_tree, ["a"], size=20)
    sheet = np.asarray(axes.images[0].get_array())
    assert [(sheet[:, x : x + 20] < 255).any() for x in (0, 20, 40)] == [True, False, True]


def test_rows_of_images_are_cut_at_the_number_of_columns(class_folder_tree):
    paths = [f"L2_2/{i}.png" for i in range(3)]
    axes = Figure().subplots()
    image_rows(axes, [paths, paths[:1]], class_folder_tree, ["a", "b"], columns=2, size=20)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (40, 40, 3)
    filled = [(sheet[y : y + 20, x : x + 20] < 255).any() for y in (0, 20) for x in (0, 20)]
    assert filled == [True, True, True, False]
    image_rows(axes, [paths, paths[:1]], class_folder_tree, ["a", "b"], size=20)
    assert np.asarray(axes.images[-1].get_array()).shape == (40, 60, 3)


def test_mean_images_are_those_of_each_class_in_class_order():
    axes = Figure().subplots()
    images = np.uint8([10, 30, 200])[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    mean_images(axes, images, pd.Series(["L2_10", "L2_10", "L2_2"]), columns=2)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (8 + 8, 2 * (8 + 2), 3)
    assert (sheet[8:, :8] == 200).all()
    assert (sheet[8:, 10:18] == 20).all()
    assert [text.get_text() for text in axes.texts] == ["L2_2", "L2_10"]


def test_input_sizes_are_shown_enlarged_one_row_each(class_folder_tree):
    axes = Figure().subplots()
    sizes_sheet(axes, ["L2_2/0.png", "L2_10/0.png"], class_folder_tree, [2, 16], size=32)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (64, 64, 3)
    small, large = sheet[:32, :32], sheet[32:, :32]
    assert len(np.unique(small.reshape(-1, 3), axis=0)) <= 4
    np.testing.assert_array_equal(small, small[[0] * 16 + [31] * 16][:, [0] * 16 + [31] * 16])
    assert len(np.unique(large.reshape(-1, 3), axis=0)) > 4


def test_precision_and_recall_have_a_line_for_each_curve_and_a_star_for_each_mark():
    axes = Figure().subplots()
    curves = {"a": pd.DataFrame({"recall": [0.2, 0.9], "precision": [1.0, 0.5]})}
    precision_recall(axes, curves | {"b": curves["a"] / 2}, [(0.8, 0.7, "chosen")])
    first, second, mark = axes.lines
    assert first.get_xydata().tolist() == [[0.2, 1.0], [0.9, 0.5]]
    assert second.get_xydata().tolist() == [[0.1, 0.5], [0.45, 0.25]]
    assert mark.get_xydata().tolist() == [[0.8, 0.7]]


def test_bars_are_in_class_order_with_their_numbers():
    axes = Figure().subplots()
    class_bars(axes, pd.Series({"L2_10": 1500, "L2_2": 7}))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["L2_10", "L2_2"]  # from below
    assert [text.get_text() for text in axes.texts] == ["1,500", "7"]


def test_clusters_are_counted_in_the_legend_and_the_smallest_left_out():
    axes = Figure().subplots()
    points = np.arange(12.0).reshape(6, 2)
    cluster_scatter(axes, points, np.array([0, 0, 0, 1, 2, -1]), max_clusters=2)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["noise (1)", "cluster 0 (3)", "cluster 1 (1)"]
    shown = [dots.get_offsets().tolist() for dots in axes.collections]
    assert shown == [points[5:].tolist(), points[:3].tolist(), points[3:4].tolist()]


def test_thumbnails_are_where_their_points_are():
    axes = Figure().subplots()
    colours = np.uint8([[255, 0, 0], [0, 0, 255]])
    points = np.repeat([[0.2, 0.2], [0.8, 0.8]], 50, axis=0)
    points[0], points[-1] = 0, 1
    thumbnails = np.repeat(colours, 50, axis=0)[:, None, None] * np.ones((1, 40, 40, 1), np.uint8)
    thumbnail_scatter(axes, points, thumbnails, cells=4)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (128, 128, 3)
    cells = {(row, column): sheet[32 * row + 10, 32 * column + 10] for row in range(4) for column in range(4)}
    assert cells.pop((3, 0)).tolist() == colours[0].tolist()  # low values: below and left
    assert cells.pop((0, 3)).tolist() == colours[1].tolist()
    assert (np.array(list(cells.values())) == 255).all()


def test_thumbnails_of_equal_points_are_at_one_place():
    axes = Figure().subplots()
    thumbnail_scatter(axes, np.zeros((3, 2)), np.zeros((3, 8, 8, 3), np.uint8), cells=2)
    sheet = np.asarray(axes.images[0].get_array())
    assert (sheet == 0).all(2).sum() == 30 * 30


def test_a_perfect_reconstruction_has_a_black_difference():
    axes = Figure().subplots()
    images = [np.full((8, 8, 3), 204, np.uint8), np.full((8, 8, 3), 204, np.uint8)]
    reconstructions = [images[0], np.full((8, 8, 3), 164, np.uint8)]
    reconstruction_sheet(axes, images, reconstructions, size=8)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (24, 16, 3)
    assert sheet[20, 4].tolist() == [0, 0, 0]
    assert sheet[20, 12].tolist() == [120, 120, 120]


def test_the_curve_of_distances_has_lines_at_its_knee_and_at_eps():
    axes = Figure().subplots()
    knee_curve(axes, np.array([0.1, 0.2, 0.9]), 0.12)
    assert axes.lines[0].get_ydata().tolist() == [0.1, 0.2, 0.9]
    assert list(axes.lines[1].get_ydata()) == [0.2, 0.2]
    assert list(axes.lines[2].get_ydata()) == [0.12, 0.12]


def test_the_histogram_shows_every_score_and_the_threshold():
    scores = np.repeat([-1.0, 1.0], [80, 20])
    axes = Figure().subplots()
    score_histogram(axes, scores, 0.5, {"drawings": scores < 0, "photos": scores > 0}, bins=10)
    assert sum(bar.get_height() for bar in axes.patches) == 100
    assert list(axes.lines[0].get_xdata()) == [0.5, 0.5]


def test_bars_are_means_and_dots_are_seeds():
    table = pd.DataFrame(
        {"set": ["a"] * 3 + ["b"] * 3, "rung": ["x"] * 6, "f1": [0.2, 0.4, 0.6, 0.5, 0.5, 0.8]}
    )
    axes = Figure().subplots()
    bars_of_seeds(axes, table, "f1", "set", "rung")
    assert [bar.get_height() for bar in axes.patches[:2]] == pytest.approx([0.4, 0.6])
    assert sum(len(dots.get_offsets()) for dots in axes.collections) == 6


def test_a_sweep_has_a_line_for_each_set_with_photos():
    table = pd.DataFrame(
        {
            "setting": ["eps", "eps", "eps", "eps", "other"],
            "value": [1, 2, 1, 2, 9],
            "set": ["a", "a", "none", "none", "a"],
            "f1": [0.5, 0.7, np.nan, np.nan, 0.1],
        }
    )
    axes = Figure().subplots()
    sweep_lines(axes, table, "eps", 2)
    line, chosen = axes.lines
    assert list(line.get_xdata()) == [1, 2]
    assert list(line.get_ydata()) == [0.5, 0.7]
    assert list(chosen.get_xdata()) == [2, 2]


def test_a_curve_says_its_area():
    truth = np.array([False, False, True, True])
    axes = Figure().subplots()
    roc_curves(axes, truth, {"good": np.arange(4), "bad": -np.arange(4)})
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["good (1.0000)", "bad (0.0000)"]
    assert axes.lines[0].get_ydata().max() == 1


def test_learning_curves_have_two_lines_a_seed():
    left, right = Figure().subplots(1, 2)
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "loss": [2, 1],
            "val_loss": [3, 2],
            "macro_f1": [0.1, 0.2],
            "val_macro_f1": [0.2, 0.4],
        }
    )
    learning_curves(left, right, {"a": [history, history], "b": [history]})
    assert len(left.lines) == len(right.lines) == 6
    assert right.lines[1].get_ydata().tolist() == [0.2, 0.4]


def test_curves_by_time_are_in_minutes_in_the_order_of_the_table():
    axes = Figure().subplots()
    curves_by_time(
        axes, pd.DataFrame({"method": ["b", "b", "a"], "seconds": [60, 90, 30], "macro_f1": [0.1, 0.2, 0.3]})
    )
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["b", "a"]
    assert [line.get_xdata().tolist() for line in axes.lines] == [[1, 1.5], [0.5]]
    assert axes.lines[0].get_ydata().tolist() == [0.1, 0.2]


def test_an_architecture_is_as_high_as_its_maps():
    axes = Figure().subplots()
    architecture(axes, [("image", 48, 3), ("block", 24, 16), ("classes", 1, 20)])
    heights = [patch.get_height() for patch in axes.patches]
    np.testing.assert_allclose(heights, [0.3 + 3, 0.3 + 1.5, 0.3 + 3 / 48])
    widths = [patch.get_width() for patch in axes.patches]
    assert widths[0] < widths[1] < widths[2], "the more channels, the wider"


def test_f1_bars_have_intervals_and_counts():
    axes = Figure().subplots()
    f1, low, high = (pd.Series({"L2_10": v, "L2_2": v / 2}) for v in (0.8, 0.7, 0.9))
    class_f1_bars(axes, f1, low, high, pd.Series({"L2_10": 1500, "L2_2": 7}))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["L2_10 (1,500)", "L2_2 (7)"]
    assert [bar.get_width() for bar in axes.patches] == [0.8, 0.4]
    (bars,) = axes.collections
    np.testing.assert_allclose([s[:, 0] for s in bars.get_segments()], [[0.7, 0.9], [0.35, 0.45]])


def test_a_reliability_diagram_has_the_diagonal_and_the_curve():
    axes = Figure().subplots()
    reliability(axes, pd.DataFrame({"probability": [0.3, 0.9], "accuracy": [0.4, 0.8]}), 0.1, "test")
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert axes.lines[1].get_xydata().tolist() == [[0.3, 0.4], [0.9, 0.8]]


def test_the_heat_map_of_evidence_is_over_its_image():
    axes = Figure().subplots()
    images = np.full((2, 8, 8, 3), 255, np.uint8)
    maps = np.zeros((2, 2, 2), np.float32)
    maps[0, 0, 0] = 1
    activation_sheet(axes, images, maps, ["a", "b"], size=20)
    sheet = np.asarray(axes.images[0].get_array()).astype(int)
    assert sheet.shape == (40, 40, 3)
    assert (sheet[:20] == 255).all()
    hot, cold = sheet[22, 2], sheet[38, 38]
    assert hot[0] > hot[2]
    assert cold[2] > cold[0]


def test_labels_of_a_logarithmic_axis_do_not_crowd():
    axes = Figure().subplots()
    axes.plot([0, 1], [0.015, 0.7])
    axes.set(yscale="log")
    label_log_axis(axes.yaxis)
    axes.figure.draw_without_rendering()
    shown = [label.get_text() for label in axes.get_yticklabels(which="both")]
    assert {"0.02", "0.05", "0.1", "0.2", "0.5"} <= set(shown)
    assert not {"0.03", "0.09", "0.7"} & set(shown)
