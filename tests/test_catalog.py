"""The catalog: a row for every file, and its reason where it cannot be read."""

import hashlib

import pandas as pd
import pytest
from conftest import COLOURS, draw, encoded

from evaluate import EvaluationError
from illus.files.catalog import COLUMNS, scan


def test_every_file_has_a_row_with_its_facts(class_folder_tree):
    data = encoded(draw(COLOURS["L2_2"], side=30).resize((30, 20)), "JPEG")
    (class_folder_tree / "L2_2" / "사진.png").write_bytes(data)
    (class_folder_tree / "L2_10" / "7.jpg").write_bytes(b"no image")
    catalog = scan(class_folder_tree)
    assert list(catalog.columns) == COLUMNS
    assert len(catalog) == 20
    assert catalog.class_name.unique().tolist() == ["L2_2", "L2_10", "L2_33"]
    good = catalog.set_index("path").loc["L2_2/사진.png"]
    assert good.drop("class_name").to_dict() == {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": "JPEG",
        "mode": "RGB",
        "width": 30,
        "height": 20,
        "error": "",
    }
    bad = catalog.set_index("path").loc["L2_10/7.jpg"]
    assert bad.error.startswith("not a PNG")
    assert (bad["format"], bad.width, bad.bytes) == ("", 0, 8)
    assert bad.sha256 == hashlib.sha256(b"no image").hexdigest()


def test_two_scans_are_equal_and_change_nothing(class_folder_tree):
    before = {p: p.stat().st_mtime_ns for p in class_folder_tree.rglob("*")}
    pd.testing.assert_frame_equal(scan(class_folder_tree), scan(class_folder_tree))
    assert {p: p.stat().st_mtime_ns for p in class_folder_tree.rglob("*")} == before


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(EvaluationError, match="no class folders"):
        scan(tmp_path)


def test_a_folder_of_files_without_class_folders_is_an_error(tmp_path):
    draw(COLOURS["L2_2"]).save(tmp_path / "1.png")
    with pytest.raises(EvaluationError, match="no class folders"):
        scan(tmp_path)


def test_empty_folders_are_no_classes_and_are_named(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    with pytest.raises(EvaluationError, match="could be images: a, b"):
        scan(tmp_path)
    draw(COLOURS["L2_2"]).save(tmp_path / "a" / "1.png")
    with pytest.warns(UserWarning, match="hold no images: b"):
        assert scan(tmp_path).class_name.tolist() == ["a"]
