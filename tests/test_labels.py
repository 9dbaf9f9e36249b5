"""Wrong labels are found, right ones are not: the rule by hand, and networks on drawn images."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, TINY, draw, write_class_folders

from benchmarks.labels import change_labels, score_method
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.learn import labels
from illus.learn.labels import LabelSettings, checkable, draw_folds, find_label_errors, suggest

CONFIG = replace(TINY, blocks=(1,), batch_size=16, augmentation="none", label_smoothing=0.1)
SMALL = LabelSettings(CONFIG, folds=2, min_score=0.5, min_steps=10)

PROBABILITIES = np.array([[90, 5, 5], [80, 20, 0], [10, 70, 20], [5, 95, 0], [55, 5, 40]]) / 100
LABELS = np.array([0, 0, 0, 1, 1])


def test_the_score_is_the_share_of_the_other_class_of_two():
    suggested, scores = suggest(PROBABILITIES, LABELS)
    assert suggested.tolist() == [1, 1, 1, 0, 0]
    np.testing.assert_allclose(scores, [5 / 95, 0.2, 0.7 / 0.8, 0.05, 0.55 / 0.6])
    certain = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    assert suggest(certain, np.array([0, 0]))[1].tolist() == [pytest.approx(1), 0]
    assert suggest(np.full((1, 4), 0.25), np.array([2]))[1].tolist() == [0.5]


def test_a_benchmark_changes_so_many_labels_and_counts_what_is_found():
    dataset = rows_of({"a": 50, "b": 30, "c": 20})
    noisy = change_labels(dataset, 0.1, seed=0)
    changed = (noisy.class_name != dataset.class_name).to_numpy()
    assert changed.sum() == 10
    assert (noisy.class_id == noisy.class_name.map({"a": 0, "b": 1, "c": 2})).all()
    pd.testing.assert_frame_equal(noisy, change_labels(dataset, 0.1, seed=0))
    labels, true = noisy.class_id.to_numpy(), dataset.class_id.to_numpy()
    perfect = score_method((changed * 1.0, changed), labels, true, true)
    assert perfect["auroc"] == perfect["precision"] == perfect["flagged_recall"] == 1
    half = changed & (np.cumsum(changed) <= 5)
    found = score_method((half * 1.0 - 2 * (changed & ~half), half | ~changed), labels, true, labels)
    assert found["precision"] == found["flagged_recall"] == 0.5
    assert found["flagged_precision"] == pytest.approx(5 / 95)
    assert found["suggested_right"] == 0


def rows_of(counts, groups=None):
    """A data set of so many images of each class, every image a group of its own unless said otherwise."""
    names = [name for name, count in counts.items() for _ in range(count)]
    ids = {name: number for number, name in enumerate(counts)}
    return pd.DataFrame(
        {
            "path": [f"{name}/{number}.png" for number, name in enumerate(names)],
            "class_name": names,
            "class_id": [ids[name] for name in names],
            "group": groups if groups is not None else np.arange(len(names)),
            "split": "train",
            "copies": 1,
            "sha256": [f"{number:064x}" for number in range(len(names))],
        }
    )


def test_folds_hold_whole_groups_and_a_third_of_each_class():
    rows = checkable(rows_of({"a": 90, "b": 30}, np.arange(120) // 3), 10)
    folds = draw_folds(rows, 3, seed=0)
    assert pd.Series(folds).groupby(rows.group).nunique().max() == 1
    assert pd.crosstab(rows.class_name, folds).to_numpy().tolist() == [[30] * 3, [9, 9, 12]]
    np.testing.assert_array_equal(folds, draw_folds(rows, 3, seed=0))
    assert (folds != draw_folds(rows, 3, seed=1)).any()


def test_the_classes_of_a_fold_are_balanced(tmp_path):
    for fold in labels.make_folds(checkable(rows_of({"a": 90, "b": 30}), 10), SMALL, tmp_path):
        copies = fold.rows[fold.rows.split == "train"].groupby("class_name").copies.mean()
        assert copies.tolist() == pytest.approx([1, 3**0.5], abs=0.05)


def test_what_networks_of_other_code_have_judged_is_not_used(tmp_path, monkeypatch):
    rows = checkable(rows_of({"a": 12, "b": 12}), 10)
    folders = []
    for code in ("a", "a", "b"):
        monkeypatch.setattr(labels, "code_hash", lambda code=code: code)
        folders.append([fold.run_folder for fold in labels.make_folds(rows, SMALL, tmp_path)])
    assert folders[0] == folders[1]
    assert not set(folders[0]) & set(folders[2])


def test_the_test_part_is_left_out_and_every_image_counts_once():
    dataset = rows_of({"a": 20, "b": 20}).assign(copies=4)
    dataset.loc[[0, 25], "split"] = "test"
    dataset.loc[[1, 26], "split"] = "validation"
    rows = checkable(dataset, 10)
    assert set(dataset.path) - set(rows.path) == {dataset.path[0], dataset.path[25]}
    assert set(rows.copies) == {1}


def test_a_class_of_three_images_is_left_out_and_named_and_one_of_just_enough_is_not():
    with pytest.warns(UserWarning, match=r"fewer than 10 different images: b \(3\)$"):
        rows = checkable(rows_of({"a": 10, "b": 3, "c": 15}), 10)
    assert rows.groupby("class_name").class_id.first().to_dict() == {"a": 0, "c": 1}


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ({"a": 3, "b": 3, "c": 3}, None),
        ({"a": 1, "b": 1}, None),
        ({"a": 40, "b": 9}, None),
        ({"a": 15, "b": 15}, np.where(np.arange(30) < 15, 0, np.arange(30))),  # a: copies of one image
    ],
)
def test_too_few_images_are_one_clear_sentence(tmp_path, counts, groups):
    with pytest.raises(ValueError, match=r"^labels cannot be checked: [^\n]* at least 10 different images"):
        find_label_errors(rows_of(counts, groups), tmp_path, SMALL, tmp_path)
    assert not list(tmp_path.iterdir())


PLANTED = {"L2_2/wrong.png": "L2_10", "L2_10/wrong.png": "L2_33"}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Three classes by colour with two images in wrong ones; a test part whose files do not exist."""
    base = tmp_path_factory.mktemp("labels")
    folder = write_class_folders(base / "images", n=14)
    for seed, (path, true_class) in enumerate(PLANTED.items()):
        draw(COLOURS[true_class], 90 + seed).save(folder / path)
    dataset = split(scan(folder))
    gone = dataset.iloc[:3].assign(path="L2_2/gone.png", split="test", sha256="0", group="test")
    dataset = pd.concat([dataset, gone], ignore_index=True)
    return dataset, folder, base, find_label_errors(dataset, folder, SMALL, base)


def test_wrong_labels_are_found_and_right_ones_are_not(checked):
    found = checked[3]
    assert list(found.columns) == ["path", "class_name", "suggested", "score"]
    assert dict(zip(found.path, found.suggested, strict=True)) == PLANTED
    assert found.class_name.tolist() == [path.split("/")[0] for path in found.path]
    assert found.score.between(0.5, 1).all()
    assert found.score.is_monotonic_decreasing


def test_a_second_check_trains_nothing_and_says_the_same(checked, monkeypatch):
    dataset, folder, base, found = checked
    monkeypatch.setattr(labels, "fit", None)
    pd.testing.assert_frame_equal(find_label_errors(dataset, folder, SMALL, base), found)
