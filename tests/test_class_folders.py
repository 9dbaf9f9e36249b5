"""Class order and the listing of files."""

import os
import unicodedata

import pytest
from conftest import draw, encoded, write_class_folders, write_files

import evaluate
from evaluate import EvaluationError, ImageDecodeError, class_folders, list_files, read_file, sort_folders


def test_natural_order_is_the_same_however_names_are_listed():
    names = ["1b", "2", "10", "A2", "a02", "a2", "L1_40", "L2_2", "L2_3", "L2_10", "L2_33"]
    assert sorted({*names}, key=evaluate.natural_key) == names


def test_one_name_in_two_unicode_forms_is_an_error(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "표정")).mkdir(exist_ok=True)
        (tmp_path / unicodedata.normalize(form, "표정") / "1.png").touch()
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system keeps one form only")
    with pytest.raises(EvaluationError, match="different Unicode forms"):
        class_folders(tmp_path)


def test_links_are_reported_and_not_followed(tmp_path):
    outside = write_class_folders(tmp_path / "outside")
    inside = write_class_folders(tmp_path / "inside", n=2)
    (inside / "L2_2" / "link.png").symlink_to(outside / "L2_2" / "5.png")
    (inside / "L2_2" / "linked").symlink_to(outside / "L2_10", target_is_directory=True)
    found = list_files(inside / "L2_2")
    assert [p.name for p in found] == ["0.png", "1.png", "link.png", "linked"]
    for path in found[2:]:
        with pytest.raises(ImageDecodeError, match="links are not followed"):
            read_file(path)
    (inside / "L2_99").symlink_to(outside / "L2_2", target_is_directory=True)
    with pytest.raises(EvaluationError, match="links are not followed: L2_99"):
        class_folders(inside)


def test_a_folder_without_permission_is_reported(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [p.name for p in list_files(tmp_path)] == ["locked"]
    with pytest.raises(ImageDecodeError, match="a folder that cannot be read"):
        read_file(tmp_path / "locked")


def test_files_in_natural_order_with_nested_ones_and_without_junk(tmp_path):
    names = ("10.png", "2.png", "sub/3.PNG", ".DS_Store", "Thumbs.db", "Icon\r", "._2.png", ".git/x.png")
    write_files(tmp_path, dict.fromkeys(names, b"x"))
    found = [p.relative_to(tmp_path).as_posix() for p in list_files(tmp_path)]
    assert found == ["2.png", "10.png", "sub/3.PNG"]


def test_a_file_is_no_folder_and_folders_without_images_are_named_where_there_is_no_class(tmp_path):
    write_files(tmp_path, {"notes/a/x.txt": b"x", "notes/b/x.txt": b"x"})
    with pytest.raises(EvaluationError, match="could be images: a, b"):
        class_folders(tmp_path / "notes")
    with pytest.raises(EvaluationError, match="not a folder"):
        class_folders(tmp_path / "notes/a/x.txt")


def test_folders_of_systems_are_neither_classes_nor_parts_of_one(class_folder_tree):
    (class_folder_tree / "readme.txt").write_text("not a class")
    for name in (*evaluate.SYSTEM_FOLDERS, "@eaDir", "$RECYCLE.BIN", "System Volume Information", ".x"):
        files = (f"{name}/thumb.jpg", f"L2_2/{name}/0.png/thumb.jpg")
        write_files(class_folder_tree, dict.fromkeys(files, draw("red")))
    assert sort_folders(class_folder_tree) == (class_folders(class_folder_tree), [])
    assert list(class_folders(class_folder_tree)) == ["L2_2", "L2_10", "L2_33"]
    assert len(list_files(class_folder_tree / "L2_2")) == 6


def test_a_folder_without_anything_like_an_image_is_no_class_and_is_named(class_folder_tree):
    (class_folder_tree / "empty").mkdir()
    write_files(class_folder_tree, dict.fromkeys(("junk/.DS_Store", "notes/readme.txt"), b"BM notes"))
    classes, others = sort_folders(class_folder_tree)
    assert (list(classes), others) == (["L2_2", "L2_10", "L2_33"], ["empty", "junk", "notes"])
    with pytest.warns(UserWarning, match="empty, junk, notes"):
        class_folders(class_folder_tree)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.PNG", b"damaged"),
        ("a.heic", b"of a kind that is not read"),
        *(
            ("no ending", encoded(draw("red"), kind))
            for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
        ),
    ],
)
def test_a_folder_is_a_class_if_a_file_has_the_name_or_the_start_of_an_image(tmp_path, name, data):
    write_files(tmp_path, {f"class/sub/{name}": data})
    assert list(class_folders(tmp_path)) == ["class"]
