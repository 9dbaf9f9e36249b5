"""A validation part of drawings unlike those trained on."""

import numpy as np
import pandas as pd
import pytest
from drawings import clock, face, fish, house

from illus.balance import split
from illus.catalog import scan
from illus.look_alikes import look_alikes, separate

FACES = [face((250 - 6 * i, 205, 70 + 8 * i), side=90 + i) for i in range(8)]
HOUSES = [house((225 - 8 * i, 190, 150), side=90 + i) for i in range(8)]
CLOCKS = [clock(2 + i / 4, side=90 + i) for i in range(8)]
FISH = [fish(side=90 + 2 * i) for i in range(8)]


@pytest.fixture
def dataset(tmp_path):
    """Two classes of two kinds of drawing each, eight of a kind, and no groups."""
    for class_name, kinds in {"L2_2": [FACES, HOUSES], "L2_3": [CLOCKS, FISH]}.items():
        (tmp_path / class_name).mkdir()
        for kind, pictures in enumerate(kinds):
            for number, picture in enumerate(pictures):
                picture.save(tmp_path / class_name / f"{kind}{number}.png")
    catalog = scan(tmp_path)
    catalog["sha256"] = [f"{i:064d}"[::-1] for i in range(len(catalog))]  # no picture is a copy of another
    return split(catalog, fractions={"train": 0.5, "validation": 0.5})


def kinds(dataset):
    return dataset.class_name + dataset.path.str.extract("/(.)", expand=False)


def test_look_alikes_stay_on_one_side(dataset, tmp_path):
    assert (dataset.groupby(kinds(dataset)).split.nunique() == 2).any(), "the plain split parts none"
    separated = separate(dataset, tmp_path, {"validation": 0.5})
    assert (separated.groupby(kinds(separated)).split.nunique() == 1).all()
    assert (separated.groupby(["class_name", "split"]).size() == 8).all()
    assert (separated.path == dataset.path).all()
    assert (separated.columns == dataset.columns).all()
    pd.testing.assert_frame_equal(separated, separate(dataset, tmp_path, {"validation": 0.5}))


def test_more_parts_than_one(dataset, tmp_path):
    separated = separate(dataset, tmp_path, {"test": 0.5})
    assert (separated.groupby(kinds(separated)).split.nunique() == 1).all()
    assert set(separated.split) == {"train", "test"}


def test_the_part_test_stays(dataset, tmp_path):
    dataset.loc[dataset.path.str.startswith("L2_2/0"), "split"] = "test"
    separated = separate(dataset, tmp_path, {"validation": 0.5})
    assert ((separated.split == "test") == (dataset.split == "test")).all()
    assert set(separated.split) == {"train", "validation", "test"}


def test_unlike_pictures_part_and_groups_and_classes_stay_whole():
    shapes = np.repeat(np.eye(4, dtype=np.float32), 8, axis=0)
    apart = pd.Series(range(32))
    one_class = look_alikes(shapes, np.zeros(32, int), apart)
    assert (one_class == np.repeat(range(4), 8)).all()
    assert len(set(look_alikes(shapes * 0, np.repeat([0, 1], 16), apart))) == 2, "classes share a group"
    linked = apart.replace({0: 100, 31: 100})
    assert (look_alikes(shapes, np.zeros(32, int), linked)[[0, 31]] == 0).all()


def test_a_class_of_one_picture_is_a_group():
    groups = look_alikes(np.zeros((3, 4), np.float32), np.array([0, 1, 1]), pd.Series([0, 1, 2]))
    assert groups.tolist() == [0, 1, 1]
