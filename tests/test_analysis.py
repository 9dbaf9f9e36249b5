"""Errors and evidence of a scored classifier, with answers known by hand."""

import numpy as np
import pandas as pd
import pytest
from conftest import build, write_files
from drawings import clock, face

from evaluate import BLOCKS, evaluate
from illus.learn.heads import with_temperature
from illus.learn.networks import average
from illus.report import analysis

KINDS = {"face": face, "clock": clock}


def table(*rows):
    columns = ["class_name", "predicted", "probability"]
    return pd.DataFrame(rows, columns=columns).assign(path=[f"{i}.png" for i in range(len(rows))])


def test_unreadable_files_are_left_out(class_folder_tree, colour_weights):
    (class_folder_tree / "L2_2" / "bad.png").write_text("text")
    _, rows, _ = evaluate(class_folder_tree, colour_weights)
    scored = analysis.scored_rows(rows)
    assert len(scored) == len(rows) - 1 == 18
    assert scored.probability.dtype == float


def test_bootstrap_centres_on_the_score_and_narrows_with_more_images():
    few = table(*[("a", "a", 1.0)] * 30, *[("a", "b", 1.0)] * 10, *[("b", "b", 1.0)] * 40)
    many = pd.concat([few] * 16)
    drawn, narrow = (analysis.bootstrap_f1(t, ["a", "b"]) for t in (few, many))
    assert drawn.shape == (2000, 2)
    np.testing.assert_allclose(drawn.mean(0), [60 / 70, 80 / 90], atol=0.01)
    np.testing.assert_allclose(drawn.std(0) / narrow.std(0), 4, rtol=0.15)
    np.testing.assert_array_equal(drawn, analysis.bootstrap_f1(few, ["a", "b"]))
    perfect = analysis.bootstrap_f1(table(("a", "a", 1.0), ("b", "b", 1.0)), ["a", "b", "c"])
    assert np.nanmin(perfect) == 1
    assert np.isnan(perfect[:, 2]).all()


def test_a_class_without_images_does_not_count_in_the_interval_of_macro_f1():
    rows = table(*[("a", "a", 1.0)] * 90, *[("a", "c", 1.0)] * 10, *[("b", "b", 1.0)] * 100)
    low, high = analysis.interval(analysis.bootstrap_f1(rows, ["a", "b", "c"]))
    assert low < (2 * 90 / 190 + 1) / 2 < high
    assert high - low < 0.1


def test_groups_that_are_right_or_wrong_together_widen_the_interval():
    rows = table(*[("a", "a", 1.0)] * 60, *[("a", "b", 1.0)] * 20, *[("b", "b", 1.0)] * 80)
    together = [f"{place // 4}" for place in range(len(rows))]  # groups of four with one outcome
    alone, grouped = (analysis.bootstrap_f1(rows, ["a", "b"], groups) for groups in (None, together))
    np.testing.assert_allclose(grouped.mean(0), alone.mean(0), atol=0.01)
    np.testing.assert_allclose(grouped.std(0) / alone.std(0), 2, rtol=0.15)  # a quarter of the evidence
    each = analysis.bootstrap_f1(rows, ["a", "b"], [str(place) for place in range(len(rows))])
    np.testing.assert_array_equal(each, alone)
    one = analysis.bootstrap_f1(rows, ["a", "b"], ["same"] * len(rows))
    assert np.ptp(one, axis=0).max() == 0


def test_a_class_of_few_groups_is_in_every_draw():
    rows = table(*[("a", "a", 1.0)] * 50, *[("b", "b", 1.0)] * 4, *[("a", "b", 1.0)] * 2)
    groups = [f"{place}" for place in range(50)] + ["few"] * 4 + ["x", "y"]
    drawn = analysis.bootstrap_f1(rows, ["a", "b"], groups)
    assert drawn[:, 1].min() > 0.4  # 0 where only what is called b by mistake was drawn
    np.testing.assert_allclose(drawn.mean(0), [100 / 102, 8 / 10], atol=0.02)


def test_the_interval_holds_the_middle_of_the_draws():
    draws = np.arange(101)[:, None] + [0, 100, np.nan]
    assert analysis.interval(draws) == (52.5, 147.5)


def test_look_alikes_of_a_class_are_clusters_and_where_there_are_few_each_image_is_one(tmp_path):
    drawings = {f"{kind}{i}.png": draw(side=100 + i) for i in range(8) for kind, draw in KINDS.items()}
    write_files(tmp_path, drawings)
    rows = pd.DataFrame({"path": list(drawings), "class_name": "a"})
    assert analysis.look_alikes(rows, tmp_path, least=2).tolist() == [0, 1] * 8
    assert len(set(analysis.look_alikes(rows, tmp_path, least=3))) == 16


def test_confused_pairs_count_both_directions_and_confident_errors_come_first():
    rows = table(("a", "b", 0.5), ("b", "a", 0.9), ("a", "c", 0.6), ("c", "c", 1.0))
    pairs = analysis.most_confused(rows)
    assert pairs.pair.tolist() == [("a", "b"), ("a", "c")]
    assert pairs.images.tolist() == [2, 1]
    assert pairs.share.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert pairs.paths.tolist() == [["1.png", "0.png"], ["2.png"]]
    assert len(analysis.most_confused(rows, max_pairs=1)) == 1
    assert analysis.most_confused(rows[rows.predicted == rows.class_name]).empty


@pytest.fixture
def corner():
    """Red above left, blue below right, and a network that says how red and how blue an image is."""
    model = build(16, 2, width=3, blocks=(), normalisation="ink", dropout=0.0)
    kernel = np.zeros((3, 3, 3, 3))
    kernel[1, 1] = [[-1, 0, 1], [0, 0, 0], [1, 0, -1]]  # ink of blue less that of red, and the reverse
    model.get_layer("stem").set_weights([kernel])
    model.get_layer("score").set_weights([np.float32([[1, 0], [0, 0], [0, 1]]), np.zeros(2, np.float32)])
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[:, :8, :8, 0] = 255
    image[:, 8:, 8:, 2] = 255
    return model, image.repeat(2, 0)


@pytest.mark.parametrize(
    "change", [lambda model: model, lambda model: average([model, model]), lambda m: with_temperature(m, 3.0)]
)
def test_evidence_for_a_class_is_where_its_colour_is(corner, change):
    model, images = corner
    red, blue = analysis.class_activation(change(model), images, [0, 1])
    assert red.shape == (16, 16)
    assert (red[:8, :8] == 1).all()
    assert red[8:].max() == red[:, 8:].max() == 0
    assert (blue[8:, 8:] == 1).all()
    assert blue[:8].max() == 0


@pytest.mark.parametrize(
    ("block", "min_side", "expected"),
    [
        *((block, 12, 12) for block in BLOCKS),
        *(("residual", *case) for case in ((7, 12), (6, 6), (100, 24), (1, 3))),
    ],
)
def test_evidence_is_shown_on_the_last_map_that_is_large_enough(block, min_side, expected):
    model = build(48, 3, block, width=4, blocks=(1, 1, 1, 1), stem_stride=2)
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    maps = analysis.class_activation(model, images, [0, 2], min_side)
    assert maps.shape == (2, expected, expected)
    assert set(maps.max(axis=(1, 2))) <= {0, 1}


def test_evidence_of_unlike_members_is_averaged_at_the_larger_size(corner):
    model, images = corner
    other = build(16, 2, width=4, blocks=(1,), stem_stride=2)
    maps = analysis.class_activation(average([model, other]), images, [0, 1])
    own, others = (analysis.class_activation(member, images, [0, 1]) for member in (model, other))
    assert (own.shape, others.shape, maps.shape) == ((2, 16, 16), (2, 8, 8), (2, 16, 16))
    assert np.isfinite(maps).all()
    where = own[0] == 0
    assert maps[0][~where].mean() > maps[0][where].mean()
