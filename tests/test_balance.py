"""The split: whole groups, the same share of every class."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from illus.balance import COLUMNS, draw_groups, split


def make_catalog(sizes, copies=1):
    """Classes of the given sizes; every picture stands ``copies`` times."""
    rows = [{"path": f"{name}/{i}-{c}.png", "class_name": name, "error": "",
             "sha256": hashlib.sha256(f"{name}/{i}".encode()).hexdigest()}
            for name, size in sizes.items() for i in range(size) for c in range(copies)]
    return pd.DataFrame(rows)


def test_every_class_gets_its_share():
    dataset = split(make_catalog({"L2_2": 200, "L2_10": 40}), seed=3)
    assert list(dataset.columns) == COLUMNS
    assert pd.crosstab(dataset.class_name, dataset.split).to_dict("index") == {
        "L2_2": {"train": 180, "validation": 20}, "L2_10": {"train": 36, "validation": 4}}
    assert dict(zip(dataset.class_name, dataset.class_id, strict=True)) == {"L2_2": 0, "L2_10": 1}


def test_equal_bytes_stay_on_one_side():
    dataset = split(make_catalog({"L2_2": 50, "L2_10": 50}, copies=3))
    assert dataset.groupby("group").split.nunique().max() == 1
    assert (dataset.split == "validation").mean() == pytest.approx(0.1, abs=0.02)


def test_three_parts_and_the_seed():
    catalog = make_catalog({"a": 100, "b": 100})
    fractions = {"train": 0.7, "validation": 0.1, "test": 0.2}
    dataset = split(catalog, fractions=fractions, seed=1)
    assert dataset.split.value_counts().to_dict() == {"train": 140, "validation": 20, "test": 40}
    pd.testing.assert_frame_equal(dataset, split(catalog, fractions=fractions, seed=1))
    assert (dataset.split != split(catalog, fractions=fractions, seed=2).split).any()


def test_tables_of_duplicates_and_photos_are_obeyed():
    catalog = make_catalog({"a": 40, "b": 40})
    duplicates = pd.DataFrame({"path": ["a/0-0.png", "a/1-0.png", "b/5-0.png"], "group": [7, 7, 7],
                               "keep": [True, False, True]})
    photos = pd.DataFrame({"path": ["a/2-0.png", "a/3-0.png"], "is_photo": [True, False]})
    dataset = split(catalog, duplicates, photos, {"train": 0.5, "validation": 0.5}).set_index("path")
    assert set(catalog.path) - set(dataset.index) == {"a/1-0.png", "a/2-0.png"}
    assert dataset.split["a/0-0.png"] == dataset.split["b/5-0.png"]


def test_broken_files_are_left_out():
    catalog = make_catalog({"a": 30})
    catalog.loc[3, "error"] = "empty file"
    assert len(split(catalog)) == 29


@pytest.mark.parametrize(("catalog", "message"), [
    (make_catalog({"a": 3}).assign(error="empty file"), "no readable picture"),
    (make_catalog({"a": 1, "b": 1}), "too few pictures to give the part 'validation' 10%"),
])
def test_nothing_to_split(catalog, message):
    with pytest.raises(ValueError, match=message):
        split(catalog)


def test_drawn_groups_are_whole_and_near_the_share():
    rng = np.random.default_rng(0)
    groups = pd.Series(rng.integers(0, 300, 2000).astype(str))
    classes = pd.Series(np.where(groups.astype(int) % 3, "x", "y"))
    drawn = draw_groups(classes, groups, 0.15, rng)
    assert pd.Series(drawn).groupby(groups).nunique().max() == 1
    shares = pd.Series(drawn).groupby(classes).mean()
    assert shares.between(0.14, 0.1531).all()


def test_a_group_too_large_for_the_share_is_not_drawn():
    groups = pd.Series(["big"] * 90 + ["small"] * 10)
    drawn = draw_groups(pd.Series(["a"] * 100), groups, 0.1, np.random.default_rng(0))
    assert groups[drawn].unique().tolist() == ["small"]
