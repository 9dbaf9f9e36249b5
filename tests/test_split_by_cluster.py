"""A validation part of drawings unlike those trained on."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_class_folders, write_files
from drawings import clock, face, fish, house

from illus.dataset import split as splitting
from illus.dataset.resample import resample
from illus.dataset.split import cluster_by_shape, split, split_by_cluster
from illus.files.catalog import scan


@pytest.fixture
def dataset(tmp_path):
    """Two classes of two kinds of drawing each, eight of a kind, and no groups."""
    for i in range(8):
        drawings = {
            f"L2_2/0{i}.png": face((250 - 6 * i, 205, 70 + 8 * i), side=90 + i),
            f"L2_2/1{i}.png": house((225 - 8 * i, 190, 150), side=90 + i),
            f"L2_3/0{i}.png": clock(2 + i / 4, side=90 + i),
            f"L2_3/1{i}.png": fish(side=90 + 2 * i),
        }
        write_files(tmp_path, drawings)
    catalog = scan(tmp_path)
    catalog["sha256"] = [f"{i:064d}"[::-1] for i in range(len(catalog))]  # no image is a copy of another
    return split(catalog, fractions={"train": 0.5, "validation": 0.5})


def kinds(dataset):
    return dataset.class_name + dataset.path.str.extract("/(.)", expand=False)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_look_alikes_are_in_one_part(dataset, tmp_path, part):
    assert (dataset.groupby(kinds(dataset)).split.nunique() == 2).any(), "the plain split separates no kind"
    separated = split_by_cluster(dataset, tmp_path, {part: 0.5})
    assert (separated.groupby(kinds(separated)).split.nunique() == 1).all()
    assert (separated.groupby(["class_name", "split"]).size() == 8).all()
    assert set(separated.split) == {"train", part}
    assert (separated.path == dataset.path).all()
    assert (separated.columns == dataset.columns).all()
    pd.testing.assert_frame_equal(separated, split_by_cluster(dataset, tmp_path, {part: 0.5}))


def test_the_part_test_stays_as_it_is(dataset, tmp_path):
    dataset.loc[dataset.path.str.startswith("L2_2/0"), "split"] = "test"
    separated = split_by_cluster(dataset, tmp_path, {"validation": 0.5})
    assert ((separated.split == "test") == (dataset.split == "test")).all()
    assert set(separated.split) == {"train", "validation", "test"}


def test_different_shapes_and_classes_are_different_groups_and_linked_images_one():
    shapes = np.repeat(np.eye(4, dtype=np.float32), 8, axis=0)
    apart = pd.Series(range(32))
    one_class = cluster_by_shape(shapes, np.zeros(32, int), apart)
    assert (one_class == np.repeat(range(4), 8)).all()
    assert len(set(cluster_by_shape(shapes * 0, np.repeat([0, 1], 16), apart))) == 2, "one a class"
    linked = apart.replace({0: 100, 31: 100})
    assert (cluster_by_shape(shapes, np.zeros(32, int), linked)[[0, 31]] == 0).all()
    lone = cluster_by_shape(np.zeros((3, 4), np.float32), np.array([0, 1, 1]), pd.Series([0, 1, 2]))
    assert lone.tolist() == [0, 1, 1], "a class of one image is a group"
    small = cluster_by_shape(np.repeat(np.eye(6, dtype=np.float32), 2, 0), np.zeros(12, int), apart[:12], 3)
    assert small.tolist() == np.repeat(range(6), 2).tolist(), "a small class is clustered more finely"
    chain = np.float32([*range(15), 15.5])[:, None]
    halves = cluster_by_shape(chain, np.zeros(16, int), apart[:16])
    assert np.bincount(halves).min() > 4, "a chain is halved, and not cut at its widest gap"


def test_each_part_gets_its_share_of_all_images_and_not_of_those_left(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(splitting, "cluster_by_shape", lambda shapes, labels, groups, least: groups)
    separated = split_by_cluster(dataset, tmp_path, {"test": 0.5, "validation": 0.25})
    assert separated.split.value_counts().to_dict() == {"test": 16, "train": 8, "validation": 8}


@pytest.mark.parametrize("n", [3, 14, 15])
def test_a_small_class_has_images_in_every_part(n, tmp_path):
    write_class_folders(tmp_path / "images", n=n)
    dataset = split(scan(tmp_path / "images"), fractions={"train": 0.6, "validation": 0.4})
    separated = split_by_cluster(dataset, tmp_path / "images", {"test": 0.15, "validation": 0.1})
    assert (separated.groupby("class_name").split.nunique() == 3).all()
    sizes = separated.groupby(["class_name", "split"]).size().unstack()
    assert (sizes.train >= sizes[["test", "validation"]].max(axis=1)).all()
    assert sizes.train.sum() >= n


def test_variants_stay_together_where_that_leaves_few_groups(tmp_path):
    folder = write_class_folders(tmp_path / "images", n=14)
    dataset = split(scan(folder), fractions={"train": 0.6, "validation": 0.4})
    number = dataset.path.str.extract(r"(\d+)\.png")[0].astype(int)
    dataset["group"] = dataset.class_name + (number % 3).astype(str)  # three groups a class, of all shapes
    separated = split_by_cluster(dataset, folder, {"test": 0.15, "validation": 0.1})
    assert (separated.split.groupby(dataset.group).nunique() == 1).all()
    assert (separated.groupby("class_name").split.nunique() == 3).all()


def test_a_class_of_too_few_groups_is_named_before_training(tmp_path):
    folder = write_class_folders(tmp_path / "images", n=14)
    dataset = split(scan(folder), fractions={"train": 0.6, "validation": 0.4})
    dataset.loc[dataset.class_name == "L2_33", "group"] = "one"
    with pytest.warns(UserWarning, match="too few different images for the part 'validation' in L2_33"):
        split_by_cluster(dataset, folder)
    with pytest.raises(ValueError, match="too few different images for a part 'validation'"):
        split_by_cluster(dataset.assign(group=dataset.class_name), folder)


def test_the_balance_of_the_classes_outlives_the_new_split(tmp_path):
    write_class_folders(tmp_path / "images", n=24)
    for path in (tmp_path / "images" / "L2_33").glob("1*.png"):
        path.unlink()
    plain = split(scan(tmp_path / "images"), fractions={"train": 0.7, "validation": 0.3})
    balanced = resample(plain, "upsample")
    separated = split_by_cluster(balanced, tmp_path / "images", {"validation": 0.2})
    train = separated[separated.split == "train"].groupby("class_name").copies
    before = balanced[balanced.split == "train"].groupby("class_name").copies
    np.testing.assert_allclose(train.mean(), before.mean(), atol=0.5 / train.size().min())
    assert train.mean()["L2_33"] > 1.5
    assert (separated.copies[separated.split != "train"] == 1).all()
    assert (split_by_cluster(plain, tmp_path / "images").copies == 1).all()
