"""Charts and sheets, by what is on their axes."""

from functools import partial

import matplotlib
import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS
from matplotlib import font_manager
from matplotlib.figure import Figure

import evaluate
from illus.files.catalog import scan
from illus.report import comparisons, figures, sheets
from illus.report.assemble import matrix_image


def texts(parts):
    return [part.get_text() for part in parts]


def sheet_of(axes):
    """The newest sheet on axes; uint8, (height, width, 3)."""
    return np.asarray(axes.images[-1].get_array())


CURVE = pd.DataFrame({"recall": [0.2, 0.9], "precision": [1.0, 0.5]})
SEEDS = pd.DataFrame({"name": ["b", "b", "a", "a"], "f1": [0.2, 0.4, 0.5, 0.9]})
STAGES = pd.DataFrame({"raw": [50, 9], "kept": [40, 8]}, ["L2_10", "L2_2"])
LINES = {
    "a curve for each name, a star for each mark": (
        lambda axes: figures.precision_recall(axes, {"a": CURVE, "b": CURVE / 2}, [(0.8, 0.7, "chosen")]),
        [[(0.2, 1), (0.9, 0.5)], [(0.1, 0.5), (0.45, 0.25)], [(0.8, 0.7)]],
    ),
    "distances, their knee, and eps": (
        lambda axes: figures.knee_curve(axes, np.array([0.1, 0.2, 0.9]), 0.12),
        [[(0, 0.1), (1, 0.2), (2, 0.9)], [(0, 0.2), (1, 0.2)], [(0, 0.12), (1, 0.12)]],
    ),
    "a point a seed, and means": (
        lambda axes: comparisons.seed_points(axes, SEEDS, "f1"),
        [[(0.2, 0), (0.4, 0), (0.5, 1), (0.9, 1)], [(0.3, 0), (0.7, 1)]],
    ),
    "a stage for each class in its row": (
        lambda axes: comparisons.class_stages(axes, STAGES),
        [[(50, 0), (9, 1)], [(40, 0), (8, 1)]],
    ),
}


@pytest.mark.parametrize(("draw", "expected"), LINES.values(), ids=LINES)
def test_a_chart_has_these_lines(axes, draw, expected):
    draw(axes)
    assert len(axes.lines) == len(expected)
    for line, points in zip(axes.lines, expected, strict=True):
        np.testing.assert_allclose(line.get_xydata(), points)


def test_bars_are_in_class_order(axes):
    figures.class_bars(axes, pd.Series({"L2_10": 1500, "L2_2": 7}))
    assert texts(axes.get_yticklabels()) == ["L2_10", "L2_2"]  # from below


SCORES = np.array([0.5, 0.5, 3.5, 30.5, 99.0])
KINDS = {"few": SCORES < 2, "many": SCORES > 2}


@pytest.mark.parametrize(
    ("draw", "shown", "limit"),
    [
        (lambda axes: figures.score_histogram(axes, SCORES, 0.7, KINDS, bins=10), 5, 0.7),
        (lambda axes: comparisons.pair_distances(axes, SCORES, KINDS, near=6), 4, 6),  # of which up to 60
    ],
)
def test_histograms_show_every_value_and_the_limit(axes, draw, shown, limit):
    draw(axes)
    assert sum(bar.get_height() for bar in axes.patches) == shown
    assert list(axes.lines[0].get_xdata()) == [limit, limit]


def test_kinds_of_pairs_stand_on_one_another(axes):
    kinds = {"a": np.array([True, True, False]), "b": np.array([False, False, True])}
    comparisons.pair_distances(axes, np.full(3, 1.5), kinds, near=6)
    (upper,) = [bar for bar in axes.patches if bar.get_height() == 1]
    assert (upper.get_x(), upper.get_y()) == (1, 2)


def test_a_roc_curve_has_a_step_for_each_threshold_and_its_area_in_its_label(axes):
    figures.roc_curves(axes, np.array([False, True, False, True]), {"a": np.arange(4), "b": -np.arange(4)})
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    assert texts(axes.get_legend().get_texts()) == ["a (0.7500)", "b (0.2500)"]


def test_what_is_shown_more_than_once_is_on_top_of_what_is_shown_once(axes):
    comparisons.shown_images(axes, pd.Series({"x": 8, "y": 2}), pd.Series({"y": 5, "x": 6}))
    assert [bar.get_width() for bar in axes.patches] == [6, 2, 0, 3]
    assert [bar.get_x() for bar in axes.patches] == [0, 0, 6, 2]
    assert axes.lines[0].get_xdata().tolist() == [8, 2]
    assert axes.get_ylim() == (1.5, -0.5)


def test_intervals_are_around_their_changes_and_no_change_is_marked(axes):
    comparisons.change_intervals(axes, pd.DataFrame({"change": [0.2], "low": [0.1], "high": [0.4]}, ["a"]))
    (bars,) = axes.collections
    np.testing.assert_allclose(bars.get_segments()[0][:, 0], [0.1, 0.4])
    assert set(axes.lines[-1].get_xdata()) == {0}


def test_learning_curves_have_two_lines_a_seed():
    left, right = Figure().subplots(1, 2)
    history = pd.DataFrame({"epoch": [1, 2], "loss": [2, 1], "val_loss": [3, 2]})
    history = history.assign(macro_f1=[0.1, 0.2], val_macro_f1=[0.2, 0.4])
    figures.learning_curves(left, right, {"a": [history, history], "b": [history]})
    assert len(left.lines) == len(right.lines) == 6
    assert right.lines[1].get_ydata().tolist() == [0.2, 0.4]


def test_an_architecture_is_as_high_as_its_maps_and_as_wide_as_it_has_channels(axes):
    figures.architecture(axes, [("image", 48, 3), ("block", 24, 16), ("classes", 1, 20)])
    boxes = axes.patches
    assert boxes[0].get_height() > boxes[1].get_height() > boxes[2].get_height()
    assert boxes[0].get_width() < boxes[1].get_width() < boxes[2].get_width()


def test_f1_bars_have_intervals_and_the_images_of_their_class(axes):
    f1, low, high = (pd.Series({"L2_10": v, "L2_2": v / 2}) for v in (0.8, 0.7, 0.9))
    figures.class_f1_bars(axes, f1, low, high, pd.Series({"L2_10": 1500, "L2_2": 7}))
    assert texts(axes.get_yticklabels()) == ["L2_10 (1,500)", "L2_2 (7)"]
    assert [bar.get_width() for bar in axes.patches] == [0.8, 0.4]
    (bars,) = axes.collections
    np.testing.assert_allclose([s[:, 0] for s in bars.get_segments()], [[0.7, 0.9], [0.35, 0.45]])


def test_a_row_of_the_confusion_matrix_is_a_true_class_and_zeros_are_not_shown(axes):
    """Of two that are there or predicted; a third is neither."""
    rows = [{"class_name": "a", "predicted": predicted} for predicted in "ab"]
    comparisons.confusion_matrix(axes, rows, ["a", "b", "c"])
    assert texts(axes.texts) == ["0.50", "0.50", "0.00", "0.00"]
    assert [text.get_visible() for text in axes.texts] == [True, True, False, False]


DOLLARS = ["$_$", "a$b$", r"\$"]
FIVE = pd.Series(5, DOLLARS)
ROWS = [{"class_name": name, "predicted": name} for name in DOLLARS]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "draw",
    [
        lambda axes: comparisons.confusion_matrix(axes, ROWS, DOLLARS),
        lambda axes: comparisons.class_stages(axes, pd.DataFrame({"raw": FIVE, "cleaned": FIVE})),
        lambda axes: comparisons.shown_images(axes, FIVE, FIVE),
        lambda axes: figures.class_bars(axes, FIVE),
        lambda axes: figures.class_f1_bars(axes, FIVE / 9, FIVE / 10, FIVE / 8, FIVE),
        lambda axes: sheets.show_sheet(axes, np.zeros((9, 9, 3), np.uint8), DOLLARS),
        lambda axes: sheets.pairs_sheet(axes, [[], [], []], "", DOLLARS),
    ],
)
def test_a_class_between_dollar_signs_is_no_formula(axes, draw):
    draw(axes)
    axes.figure.draw_without_rendering()


def test_gallery_has_a_row_of_its_own_colour_for_every_class(axes, class_folder_tree):
    catalog = scan(class_folder_tree)
    sheets.class_gallery(axes, catalog, class_folder_tree, {"L2_10": "green"}, columns=4, size=20)
    sheet = sheet_of(axes)
    assert sheet.shape == (60, 80, 3)
    assert texts(axes.get_yticklabels()) == ["L2_2", "green", "L2_33"]
    for row, colour in enumerate(COLOURS.values()):
        part = sheet[20 * row : 20 * row + 20].reshape(-1, 3).astype(int)
        assert part.mean(axis=0).argmax() == np.argmax(colour)


def test_pairs_are_side_by_side_under_their_captions(axes, class_folder_tree):
    pairs = [("L2_2/0.png", "L2_10/0.png")] * 3
    sheets.pairs_sheet(axes, pairs, class_folder_tree, ["a", "b", "c"], columns=2, size=20)
    sheet = sheet_of(axes).astype(int)
    assert sheet.shape == (2 * (20 + 22), 2 * (2 * 20 + 16), 3)
    assert sheet[18:34, :16].reshape(-1, 3).mean(0).argmax() == 0
    assert sheet[18:34, 20:36].reshape(-1, 3).mean(0).argmax() == 1
    three = ["L2_2/0.png", "L2_10/0.png", "L2_33/0.png"]
    sheets.pairs_sheet(axes, [three], class_folder_tree, ["a\nb"], 1, 20)
    assert sheet_of(axes).shape == (20 + 32 + 4, 3 * 20 + 16, 3), "a row of three, a caption of two lines"


@pytest.mark.parametrize("function", [sheets.pairs_sheet, sheets.image_rows])
def test_a_sheet_without_images_is_white(axes, function):
    function(axes, [], ".", [])
    assert (sheet_of(axes) == 255).all()


def test_rows_of_images_are_cut_at_the_number_of_columns_and_empty_places_are_white(axes, class_folder_tree):
    paths = ["L2_2/0.png", "", "L2_2/1.png"]
    for columns, filled in (
        (2, [[True, False], [True, False]]),
        (None, [[True, False, True], [True] + [False] * 2]),
    ):
        sheets.image_rows(axes, [paths, paths[:1]], class_folder_tree, ["a", "b"], columns=columns, size=20)
        cells = sheet_of(axes).reshape(2, 20, -1, 20, 3)
        assert (cells < 255).any(axis=(1, 3, 4)).tolist() == filled


def test_thumbnails_are_where_their_points_are(axes):
    colours = np.uint8([[255, 0, 0], [0, 0, 255]])
    points = np.repeat([[0.2, 0.2], [0.8, 0.8]], 50, axis=0)
    points[0], points[-1] = 0, 1
    thumbnails = np.repeat(colours, 50, axis=0)[:, None, None] * np.ones((1, 40, 40, 1), np.uint8)
    sheets.thumbnail_scatter(axes, points, thumbnails, cells=4)
    cells = {place: sheet_of(axes)[32 * place[0] + 10, 32 * place[1] + 10] for place in np.ndindex(4, 4)}
    assert sheet_of(axes).shape == (128, 128, 3)
    assert cells.pop((3, 0)).tolist() == colours[0].tolist()  # low values: below and left
    assert cells.pop((0, 3)).tolist() == colours[1].tolist()
    assert (np.array(list(cells.values())) == 255).all()
    sheets.thumbnail_scatter(axes, np.zeros((3, 2)), np.zeros((3, 8, 8, 3), np.uint8), cells=2)
    assert (sheet_of(axes) == 0).all(2).sum() == 30 * 30, "equal points are at one place"


def test_the_heat_map_of_evidence_is_over_its_image(axes):
    maps = np.zeros((2, 2, 2), np.float32)
    maps[0, 0, 0] = 1
    sheets.activation_sheet(axes, np.full((2, 8, 8, 3), 255, np.uint8), maps, ["a", "b"], size=20)
    sheet = sheet_of(axes).astype(int)
    assert sheet.shape == (40, 40, 3)
    assert (sheet[:20] == 255).all()
    hot, cold = sheet[22, 2], sheet[38, 38]
    assert hot[0] > hot[2]
    assert cold[2] > cold[0]


@pytest.mark.parametrize(("names", "used"), [(["Arial", "NanumGothic"], ["NanumGothic"]), (["Arial"], [])])
def test_hangul_is_drawn_with_a_font_that_is_installed(monkeypatch, names, used):
    fonts = [font_manager.FontEntry(name=name) for name in names]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    with matplotlib.rc_context():
        figures.use_style()
        assert matplotlib.rcParams["font.family"] == ["sans-serif", *used]
    families = []
    with monkeypatch.context() as patch:
        for drawing in ("evaluate.draw_confusion_matrix", "illus.report.assemble.confusion_matrix"):
            patch.setattr(drawing, lambda *_: families.append(matplotlib.rcParams["font.family"]))
        for draw in (partial(evaluate.format_figure, path="scores.png"), matrix_image):
            patch.setattr(font_manager.fontManager, "ttflist", fonts)  # a font that is missing is looked for
            draw([], [])
    assert families == [["sans-serif", *used]] * 2, "of evaluate.py --figure and of the report, too"
