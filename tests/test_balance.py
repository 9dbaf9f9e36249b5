"""The split by whole groups, with the same share of every class; and how often each image is shown."""

import hashlib
import warnings

import numpy as np
import pandas as pd
import pytest

from illus.copies.groups import TOLERANCE, draw_groups
from illus.dataset.resample import STRATEGIES, join_validation, resample
from illus.dataset.split import COLUMNS, split
from illus.dataset.table import remove_images, write_dataset
from illus.files.tables import read_table


def make_catalog(sizes, copies=1):
    """Classes of the given sizes; every image is there ``copies`` times."""
    rows = [
        (f"{name}/{i}-{c}.png", name, "", hashlib.sha256(f"{name}/{i}".encode()).hexdigest())
        for name, size in sizes.items()
        for i in range(size)
        for c in range(copies)
    ]
    return pd.DataFrame(rows, columns=["path", "class_name", "error", "sha256"])


def test_every_class_gets_its_share():
    dataset = split(make_catalog({"L2_2": 200, "L2_10": 40}), seed=3)
    assert list(dataset.columns) == COLUMNS
    assert pd.crosstab(dataset.class_name, dataset.split).to_dict("index") == {
        "L2_2": {"train": 180, "validation": 20},
        "L2_10": {"train": 36, "validation": 4},
    }
    assert dict(zip(dataset.class_name, dataset.class_id, strict=True)) == {"L2_2": 0, "L2_10": 1}


def test_files_of_equal_bytes_are_in_one_part_also_if_they_exceed_the_share():
    dataset = split(make_catalog({"a": 5, "L2_2": 50, "L2_10": 50}, copies=4))
    assert dataset.groupby("group").split.nunique().max() == 1
    assert (dataset.split == "validation").mean() == pytest.approx(0.1, abs=0.02)
    assert (dataset[dataset.class_name == "a"].split == "validation").sum() == 4


def test_three_parts_get_their_shares_and_the_seed_draws_them():
    catalog = make_catalog({"a": 100, "b": 100})
    fractions = {"train": 0.7, "validation": 0.1, "test": 0.2}
    dataset = split(catalog, fractions=fractions, seed=1)
    assert dataset.split.value_counts().to_dict() == {"train": 140, "validation": 20, "test": 40}
    pd.testing.assert_frame_equal(dataset, split(catalog, fractions=fractions, seed=1))
    assert (dataset.split != split(catalog, fractions=fractions, seed=2).split).any()


def test_what_is_removed_or_unreadable_is_left_out_and_groups_stay_together():
    catalog = make_catalog({"a": 40, "b": 40})
    catalog.loc[9, "error"] = "empty file"
    duplicates = pd.DataFrame(
        {"path": ["a/0-0.png", "a/1-0.png", "b/5-0.png"], "group": [7, 7, 7], "keep": [True, False, True]}
    )
    photos = pd.DataFrame({"path": ["a/2-0.png", "a/3-0.png"], "is_photo": [True, False]})
    parts = set()
    for seed in range(20):
        dataset = split(catalog, duplicates, photos, {"train": 0.5, "validation": 0.5}, seed)
        assert set(catalog.path) - set(dataset.path) == {"a/1-0.png", "a/2-0.png", "a/9-0.png"}
        part = dataset.set_index("path").split
        assert part["a/0-0.png"] == part["b/5-0.png"]
        parts.add(part["a/0-0.png"])
    assert parts == {"train", "validation"}, "the group was in either part for some seed"


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (make_catalog({"a": 3}).assign(error="empty file"), "no image is left to split: 3 unreadable"),
        (make_catalog({"a": 2, "b": 2}), r"^no image is left to split: 4 copies that are not kept$"),
        (pd.DataFrame(columns=["path", "class_name", "error", "sha256"]), "no files"),
        (make_catalog({"a": 30}), "only one class, a: a classifier needs at least two"),
        (make_catalog({"a": 1, "b": 1}), "too few different images for a part 'validation'"),
    ],
)
def test_too_few_images_or_classes_are_an_error(catalog, message):
    duplicates = pd.DataFrame({"path": catalog.path, "group": catalog.path, "keep": "copies" not in message})
    with pytest.raises(ValueError, match=message):
        split(catalog, duplicates)


@pytest.mark.parametrize("size", [1, 8, 20])
def test_a_group_of_two_classes_stays_whole_where_one_of_them_lacks_a_part(size):
    catalog = make_catalog({"a": 20, "b": size})
    numbers = [name.split("/")[1].split("-")[0] for name in catalog.path]  # b's are variants of a's
    duplicates = pd.DataFrame({"path": catalog.path, "group": numbers, "keep": True})
    for seed in range(30):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # b has too few
            dataset = split(catalog, duplicates, seed=seed)
        assert dataset.groupby("group").split.nunique().max() == 1


def test_drawn_groups_are_whole_and_near_the_share():
    rng = np.random.default_rng(0)
    groups = pd.Series(rng.integers(0, 300, 2000).astype(str))
    classes = pd.Series(np.where(groups.astype(int) % 3, "x", "y"))
    drawn = draw_groups(classes, groups, 0.15, rng)
    assert pd.Series(drawn).groupby(groups).nunique().max() == 1
    shares = pd.Series(drawn).groupby(classes).mean()
    assert shares.between(0.14, (1 + TOLERANCE) * 0.15).all()


def test_a_group_too_large_for_the_share_is_not_drawn():
    groups = pd.Series(["big"] * 90 + ["small"] * 10)
    drawn = draw_groups(pd.Series(["a"] * 100), groups, 0.1, np.random.default_rng(0))
    assert groups[drawn].unique().tolist() == ["small"]


def test_of_groups_that_are_all_too_large_the_seed_decides_which_is_drawn():
    groups, classes = pd.Series(list("aabbccddd")), pd.Series(["x"] * 9)
    drawn = [groups[draw_groups(classes, groups, 0.1, np.random.default_rng(seed))] for seed in range(20)]
    assert {tuple(one.unique()) for one in drawn} == {("a",), ("b",), ("c",)}  # the smallest ones


def test_a_group_counts_for_the_class_of_most_of_its_members():
    """A group of three of a, which has no other, and one of b, of which there are nine more."""
    classes, groups = pd.Series(list("aaab" + 9 * "b")), pd.Series([0] * 4 + [*range(1, 10)])
    for seed in range(20):
        assert not draw_groups(classes, groups, 0.5, np.random.default_rng(seed))[:4].any()


def test_photographs_do_not_decide_where_drawings_go_unless_a_part_would_be_empty():
    catalog = make_catalog({"a": 60, "b": 60, "c": 6})
    plain = split(catalog).set_index("path").split
    photos = pd.DataFrame({"path": [*plain.index[5:25], *plain.index[70:80]], "is_photo": True})
    left = split(catalog, photos=photos).set_index("path").split
    assert left.equals(plain[~plain.index.isin(photos.path)])
    held = [path for path in plain.index[plain == "validation"] if path.startswith("c/")]
    left = split(catalog, photos=pd.DataFrame({"path": held, "is_photo": True})).set_index("path")
    assert (pd.crosstab(left.class_name, left.split) > 0).all(axis=None)
    assert (left.split == plain[left.index])[left.class_name != "c"].all()


PATHS = [f"a/{i}-0.png" for i in range(4)]


@pytest.mark.parametrize(
    ("how", "why"),
    [("broken", "unreadable"), ("copies", "copies that are not kept"), ("photos", "photographs")],
)
def test_a_class_that_lost_all_its_images_is_named(how, why):
    catalog = make_catalog({"a": 4, "b": 40, "c": 40})
    tables = {
        "duplicates": pd.DataFrame({"path": PATHS, "group": "G1", "keep": how != "copies"}),
        "photos": pd.DataFrame({"path": PATHS, "is_photo": how == "photos"}),
    }
    if how == "broken":
        catalog.loc[catalog.class_name == "a", "error"] = "empty file"
    with pytest.raises(ValueError, match=rf"no image is left of a \(4 {why}\)"):
        split(catalog, **tables)


def test_the_only_image_left_of_a_class_is_for_training():
    catalog = make_catalog({"a": 4, "b": 40})
    duplicates = pd.DataFrame({"path": PATHS, "group": "G1", "keep": [False, False, True, False]})
    for seed in range(5):
        with pytest.warns(UserWarning, match="for the part 'validation' in a"):
            dataset = split(catalog, duplicates, seed=seed)
        left = dataset[dataset.class_name == "a"]
        assert dict(zip(left.path, left.split, strict=True)) == {"a/2-0.png": "train"}
        assert (dataset.split == "validation").sum() == 4


def make_dataset(sizes, validation=5):
    """Classes of the given sizes in training, and ``validation`` further images of each for validation."""
    catalog = make_catalog({name: size + validation for name, size in sizes.items()})
    held_out = catalog.groupby("class_name").cumcount() < validation
    part, ids = np.where(held_out, "validation", "train"), {name: i for i, name in enumerate(sizes)}
    return catalog.assign(class_id=catalog.class_name.map(ids), copies=1, split=part)


def shown(dataset):
    return dataset[dataset.split == "train"].groupby("class_name").copies


@pytest.mark.parametrize(
    ("strategy", "sizes", "sums", "least", "most"),
    [
        ("none", (10, 20, 60), [10, 20, 60], [1, 1, 1], [1, 1, 1]),
        ("downsample", (10, 20, 60), [10, 20, 20], [1, 1, 0], [1, 1, 1]),
        ("upsample", (10, 20, 60), [60, 60, 60], [6, 3, 1], [6, 3, 1]),
        ("both", (10, 20, 60), [20, 20, 20], [2, 1, 0], [2, 1, 1]),
        ("sqrt", (10, 20, 60), [24, 35, 60], [2, 1, 1], [3, 2, 1]),
        ("upsample", (7, 60), [60, 60], [8, 1], [9, 1]),  # 60 = 8 x 7 + 4
        ("both", (7, 60), [33, 33], [4, 0], [5, 1]),  # the median of 7 and 60 is 33
        ("sqrt", (9, 100, 2500), [150, 500, 2500], [16, 5, 1], [17, 5, 1]),
    ],
)
def test_classes_get_the_size_of_the_strategy(strategy, sizes, sums, least, most):
    dataset = make_dataset(dict(zip("abc", sizes, strict=False)))
    copies = shown(resample(dataset, strategy))
    assert copies.sum().tolist() == sums
    assert copies.min().tolist() == least
    assert copies.max().tolist() == most
    with pytest.raises(ValueError, match="strategy 'more': choose one of none, downsample"):
        resample(dataset, "more")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_training_rows_change_and_only_their_copies(strategy):
    dataset = make_dataset({"a": 10, "b": 20, "c": 60}).sample(frac=1, random_state=0)
    before = dataset.copy()
    changed = resample(dataset, strategy)
    pd.testing.assert_frame_equal(dataset, before)
    pd.testing.assert_frame_equal(changed.drop(columns="copies"), dataset.drop(columns="copies"))
    assert (changed.split == "validation").sum() == 15
    assert (changed.copies[changed.split == "validation"] == 1).all()
    assert changed.copies.dtype.kind == "i"


@pytest.mark.parametrize("strategy", ["downsample", "both"])
def test_the_seed_draws_which_images_are_left_out(strategy):
    dataset = make_dataset({"a": 10, "b": 20, "c": 60})
    drawn = [resample(dataset, strategy, seed).copies.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_removing_images_keeps_parts_and_copies_of_the_rest(tmp_path):
    dataset = resample(split(make_catalog({"1": 40, "b": 20})), "upsample")
    write_dataset(dataset, tmp_path)
    left = remove_images(dataset.path[::7], tmp_path)
    kept = dataset.drop(dataset.index[::7]).reset_index(drop=True)
    pd.testing.assert_frame_equal(left, kept)
    pd.testing.assert_frame_equal(read_table(tmp_path / "dataset.csv"), kept)
    assert kept.copies.nunique() > 1


@pytest.mark.parametrize(
    ("gone", "message"),
    [(lambda d: d.class_name == "b", "no image of b would be left"),
     (lambda d: d.split == "validation", "no image in validation")],
)  # fmt: skip
def test_a_class_or_a_part_is_not_removed_whole(gone, message, tmp_path):
    dataset = split(make_catalog({"a": 40, "b": 20}))
    write_dataset(dataset, tmp_path)
    with pytest.raises(ValueError, match=message):
        remove_images(dataset.path[gone(dataset)], tmp_path)
    pd.testing.assert_frame_equal(read_table(tmp_path / "dataset.csv"), dataset)
    with pytest.raises(ValueError, match="no image of b would be shown in training"):
        write_dataset(dataset.assign(copies=(dataset.class_name != "b").astype(int)), tmp_path)


def test_with_the_validation_part_in_training_classes_are_shown_as_often_an_image():
    dataset = split(make_catalog({"L2_2": 400, "L2_10": 40}), fractions={"train": 0.75, "validation": 0.25})
    balanced = resample(dataset, "sqrt")
    joined = join_validation(balanced)
    assert set(joined.split) == {"train"}
    before = balanced[balanced.split == "train"].groupby("class_name").copies.mean()
    after = joined.groupby("class_name").copies.mean()
    np.testing.assert_allclose(after, before, atol=0.02)
    assert (joined.path == balanced.path).all()
    moved = balanced.assign(split=dataset.split.mask(dataset.class_name == "L2_10", "validation"), copies=1)
    assert (join_validation(moved).copies == 1).all(), "of a class that was in validation alone"
