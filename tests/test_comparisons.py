"""Charts that compare, by what is on their axes; and the numbers that they show."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from illus.report.assemble import matrix_image
from illus.report.comparisons import (
    change_intervals,
    class_seeds,
    class_stages,
    confusion_matrix,
    learning_rates,
    pair_distances,
    seed_points,
    shown_images,
)
from illus.report.effects import against_control, at_the_edge
from illus.report.figures import class_bars, class_f1_bars
from illus.report.sheets import mean_images, pairs_sheet, show_sheet, unlike

RUNS = pd.DataFrame({"name": ["b", "b", "a", "a"], "f1": [0.2, 0.4, 0.5, 0.7]})


def texts(parts):
    return [part.get_text() for part in parts]


def test_stages_of_a_class_are_points_in_its_row_in_class_order():
    axes = Figure().subplots()
    stages = pd.DataFrame({"raw": [50, 9], "kept": [40, 8]}, ["L2_10", "L2_2"])
    class_stages(axes, stages, {"L2_2": "L2_2 faces"})
    assert texts(axes.get_yticklabels()) == ["L2_10", "L2_2 faces"]  # from below
    assert [line.get_xdata().tolist() for line in axes.lines] == [[50, 9], [40, 8]]


def test_what_is_shown_more_than_once_is_on_top_of_what_is_shown_once():
    axes = Figure().subplots()
    shown_images(axes, pd.Series({"x": 8, "y": 2}), pd.Series({"y": 5, "x": 6}))
    assert [bar.get_width() for bar in axes.patches] == [6, 2, 0, 3]
    assert [bar.get_x() for bar in axes.patches] == [0, 0, 6, 2]
    assert axes.lines[0].get_xdata().tolist() == [8, 2]
    assert axes.get_ylim() == (1.5, -0.5)


def test_every_seed_is_a_point_and_the_mean_a_bar_in_the_order_of_the_table():
    axes = Figure().subplots()
    seed_points(axes, RUNS, "f1")
    points, means = axes.lines
    assert points.get_xydata().tolist() == [[0.2, 0], [0.4, 0], [0.5, 1], [0.7, 1]]
    assert means.get_xdata() == pytest.approx([0.3, 0.6])
    assert texts(axes.get_yticklabels()) == ["b", "a"]


def test_intervals_are_around_their_changes_and_no_change_is_dashed():
    axes = Figure().subplots()
    change_intervals(axes, pd.DataFrame({"change": [0.2], "low": [0.1], "high": [0.4]}, ["a"]))
    (bars,) = axes.collections
    np.testing.assert_allclose(bars.get_segments()[0][:, 0], [0.1, 0.4])
    assert axes.lines[-1].get_linestyle() == "--"
    assert set(axes.lines[-1].get_xdata()) == {0}


def test_rates_are_in_order_with_a_line_for_each_cell():
    search = pd.DataFrame({
        "block": ["plain", "plain", "residual", "residual"],
        "augmentation": "flip",
        "budget": 10,
        "learning_rate": [0.004, 0.001, 0.001, 0.004],
        "val_macro_f1": [0.3, 0.1, 0.2, 0.4],
    })  # fmt: skip
    axes = Figure().subplots()
    learning_rates(axes, search)
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {
        "plain, flip": [[0.001, 0.1], [0.004, 0.3]],
        "residual, flip": [[0.001, 0.2], [0.004, 0.4]],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4"]


def test_classes_have_a_point_for_each_run_of_each_candidate():
    axes = Figure().subplots()
    runs = {"a": [np.array([0.1, 0.9]), np.array([0.3, 0.8])], "b": [np.array([0.5, 0.6])]}
    class_seeds(axes, runs, ["x", "y"])
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.1, 0.9], [0.3, 0.8], [0.5, 0.6]]


def test_pairs_of_both_kinds_are_stacked_and_the_limit_is_dashed():
    axes = Figure().subplots()
    distances = np.array([0.5, 0.5, 3.5, 30.5, 99.0])
    pair_distances(axes, distances, {"copies": distances < 2, "others": distances > 2}, near=6)
    assert sum(bar.get_height() for bar in axes.patches) == 4
    assert list(axes.lines[0].get_xdata()) == [6, 6]


def test_classes_of_the_confusion_matrix_have_their_names_where_they_are_known():
    axes = Figure().subplots()
    pairs = [("L2_2", "L2_2"), ("L2_2", "L2_10"), ("L2_10", "L2_10")]
    rows = [{"class_name": true, "predicted": predicted} for true, predicted in pairs]
    confusion_matrix(axes, rows, ["L2_2", "L2_10"], {"L2_2": "L2_2 faces"})
    for axis in (axes.xaxis, axes.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == ["L2_2 faces", "L2_10"]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.50", "0.00", "1.00"]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_class_between_dollar_signs_is_no_formula():
    names = ["$_$", "a$b$", r"\$"]
    rows = [{"class_name": name, "predicted": name} for name in names]
    assert matrix_image(rows, names)[1:4] == b"PNG"
    numbers = pd.Series(5, names)
    draw = [
        lambda axes: confusion_matrix(axes, rows, names),
        lambda axes: class_stages(axes, pd.DataFrame({"raw": numbers, "cleaned": numbers})),
        lambda axes: shown_images(axes, numbers, numbers),
        lambda axes: class_seeds(axes, {"a": [np.ones(3)]}, names),
        lambda axes: class_bars(axes, numbers),
        lambda axes: class_f1_bars(axes, numbers / 9, numbers / 10, numbers / 8, numbers),
        lambda axes: show_sheet(axes, np.zeros((9, 9, 3), np.uint8), names),
        lambda axes: mean_images(axes, np.zeros((3, 8, 8, 3), np.uint8), pd.Series(names)),
        lambda axes: pairs_sheet(axes, [[], [], []], "", names),
    ]
    for function in draw:
        figure = Figure()
        function(figure.subplots())
        figure.draw_without_rendering()


def test_changes_against_a_control_by_hand():
    """Three candidates, two seeds each: the pooled standard deviation is 0.1 * sqrt(2)."""
    samples = {"none": [0.1, 0.3], "same": [0.1, 0.3], "more": [10.1, 10.3]}
    changes = against_control(samples, "none")
    assert changes.index.tolist() == ["same", "more"]
    assert changes.change.tolist() == pytest.approx([0, 10])
    assert changes.low["same"] < 0 < changes.high["same"]
    assert changes.low["more"] > 9
    # Dunnett's constant for two comparisons and three degrees of freedom is 3.866
    half = (changes.high - changes.low) / 2
    assert half.tolist() == pytest.approx([3.866 * 0.1 * 2**0.5] * 2, rel=0.02)


def test_candidates_that_agree_by_chance_get_no_narrow_interval():
    steady = against_control({"none": [0.1, 0.5, 0.9], "a": [0.5, 0.51, 0.49]}, "none")
    assert steady.high["a"] - steady.low["a"] > 0.5


def test_cells_whose_best_rate_is_the_highest_are_counted():
    rows = pd.DataFrame(
        [
            ("d", "plain", "flip", 0.1, 0),
            ("d", "plain", "flip", 0.2, 1),
            ("d", "plain", "strong", 0.1, 1),
            ("d", "plain", "strong", 0.2, 0),
            ("e", "plain", "strong", 0.1, 1),
        ],
        columns=["data_hash", "block", "augmentation", "learning_rate", "tuned"],
    )
    assert at_the_edge(rows) == (2, 3)


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (3, [0, 3, 2]), (9, [0, 3, 2, 1])])
def test_images_that_differ_are_taken_one_after_the_other(count, expected):
    assert unlike(np.array([[0.0], [0.1], [5.0], [9.0]]), count).tolist() == expected


def test_of_no_images_none_is_taken():
    assert unlike(np.zeros((0, 4)), 3).tolist() == []
