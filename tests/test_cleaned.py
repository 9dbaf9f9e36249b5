"""A cleaned folder: what goes into it, where, and that nothing else changes, on disk or half way."""

import os
import signal
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from conftest import files_below, snapshot, write_files

from illus.dataset import cleaned
from illus.dataset.cleaned import check_out, format_cleaned, keep_or_remove, write_cleaned

KOREAN = "한글 클래스"
NOTHING = pd.DataFrame(columns=["path", "reason", "counterpart"])


def kept_table(*rows):
    return pd.DataFrame(rows, columns=["path", "class_name"])


def write(folder, *paths):
    """Files whose content is their path."""
    return write_files(folder, {path: path.encode() for path in paths})


@pytest.fixture
def tables():
    """Catalog, duplicates and photos of nine files."""
    paths = ["A/best.png", "A/copy.jpg", "A/bad.png", "A/photo.jpg", "B/outvoted.png", "B/alone.png"]
    paths += ["B/one.png", "C/other.png", "C/drawn.png"]
    catalog = pd.DataFrame({"path": paths, "class_name": [path[0] for path in paths], "error": ""})
    catalog.loc[2, "error"] = "empty file"
    catalog = catalog.assign(width=40, height=40, format="PNG", bytes=100)
    duplicates = pd.DataFrame(
        [
            ("A/best.png", True, "best of 3 copies", "B/outvoted.png"),
            ("A/copy.jpg", False, "fewer pixels than A/best.png", "B/outvoted.png"),
            ("B/outvoted.png", False, "label conflict, A: 2, B: 1: outvoted", "B/outvoted.png"),
            ("B/alone.png", True, "only copy; its variants are in the group", ""),
            ("B/one.png", False, "label conflict, B: 1, C: 1: undecided", "C/other.png"),
            ("C/other.png", False, "label conflict, B: 1, C: 1: undecided", "C/other.png"),
        ],
        columns=["path", "keep", "reason", "copy_of"],
    )
    photos = pd.DataFrame({"path": ["A/photo.jpg", "B/alone.png"], "is_photo": [True, False]})
    return catalog, duplicates, photos


def test_every_file_is_kept_or_has_a_reason_and_its_kept_copy(tables):
    kept, removed = keep_or_remove(*tables)
    assert kept.to_numpy().tolist() == [["A/best.png", "A"], ["B/alone.png", "B"], ["C/drawn.png", "C"]]
    assert removed.set_index("path").T.to_dict("list") == {
        "A/copy.jpg": ["fewer pixels than A/best.png", "A/best.png"],
        "A/bad.png": ["unreadable: empty file", ""],
        "A/photo.jpg": ["photo", ""],
        "B/outvoted.png": ["label conflict, A: 2, B: 1: outvoted", "A/best.png"],
        "B/one.png": ["label conflict, B: 1, C: 1: undecided", ""],
        "C/other.png": ["label conflict, B: 1, C: 1: undecided", ""],
    }
    assert removed.path.tolist() == [path for path in tables[0].path if path not in set(kept.path)]


def test_a_dropped_file_has_its_own_reason_and_is_no_counterpart(tables):
    """Also a photo and a file that cannot be read."""
    dropped = dict.fromkeys(["A/best.png", "A/photo.jpg", "A/bad.png"], "dropped by decision")
    removed = keep_or_remove(*tables, dropped=dropped)[1].set_index("path")
    assert removed.reason[list(dropped)].tolist() == list(dropped.values())
    assert removed.counterpart["A/copy.jpg"] == ""


def test_files_keep_their_names_and_places_and_the_data_stay_as_they_are(tmp_path):
    """A folder name in decomposed letters becomes the class name."""
    paths = [f"{unicodedata.normalize('NFD', KOREAN)}/깊은 곳/그림 1.png", "B/1.png"]
    data = write(tmp_path / "data", *paths, "B/2.png")
    before = snapshot(data)
    removed = pd.DataFrame([("B/2.png", "photo", "")], columns=NOTHING.columns)
    kept = kept_table((paths[0], KOREAN), (paths[1], "B"))
    written = write_cleaned(data, tmp_path / "out", kept, removed)
    assert written["copy"].tolist() == [f"{KOREAN}/깊은 곳/그림 1.png", "B/1.png"]
    assert files_below(tmp_path / "out") == {
        "removed.csv": b"path,reason,counterpart\nB/2.png,photo,\n",
        **{copy: path.encode() for copy, path in zip(written["copy"], paths, strict=True)},
    }
    assert "nothing is left" not in format_cleaned(written, removed, tmp_path / "out")
    assert snapshot(data) == before
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["data", "out"]
    assert oct((tmp_path / "out").stat().st_mode) == oct(data.stat().st_mode)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ("B/other.png", "B/A/1.png"),
        ("B/A/1.png", "B/A-2/1.png"),  # a file
        ("B/A/1.png/x.png", "B/A-2/1.png"),  # a folder
        ("B/A", "B/A-2/1.png"),  # a file where a folder is wanted
    ],
)
def test_a_relabelled_file_goes_to_its_new_class_under_a_name_that_is_free(tmp_path, taken, expected):
    data = write(tmp_path / "data", "A/1.png", taken)
    written = write_cleaned(data, tmp_path / "out", kept_table(("A/1.png", "B"), (taken, "B")), NOTHING)
    assert written["copy"].tolist() == [expected, taken]
    found = files_below(tmp_path / "out")
    assert (found[expected], found[taken]) == (b"A/1.png", taken.encode())


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("data", "exists already"),
        ("file", "exists already"),
        ("dangling", "exists already"),
        ("data/out", "lies inside the data"),
        ("data/A/deep/../out", "lies inside the data"),
        ("link/out", "lies inside the data"),
        ("work/out", "lies inside work/"),
        ("nowhere/out", "no such folder"),
        ("file/out", "no such folder"),
    ],
)
def test_a_place_that_exists_or_lies_inside_the_data_is_refused(tmp_path, out, message, empty_place):
    """Also if the data are seen through a link; a neighbour whose name begins like theirs is allowed."""
    data = write(tmp_path / "data", "A/deep/1.png")
    (tmp_path / "work").mkdir()
    (tmp_path / "file").write_text("a file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(data / "A")
    (tmp_path / "seen").symlink_to(data)
    before = snapshot(data)
    for folder in (data, tmp_path / "seen"):
        with pytest.raises(ValueError, match=message) as error:
            write_cleaned(folder, tmp_path / out, kept_table(("A/deep/1.png", "A")), NOTHING)
        assert "\n" not in str(error.value)
        check_out(folder, tmp_path / "data-cleaned")
    assert snapshot(data) == before
    assert not (tmp_path / "nothing").exists()


def test_names_that_would_be_one_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    folders = {name: write(tmp_path / name, f"{name}/1.png", "B/1.png") for name in ("removed.csv", "b")}
    folders["Removed.CSV"] = write(tmp_path / "other", "Removed.CSV/1.png")
    with pytest.raises(ValueError, match=r"class folder removed\.csv and the table .* rename the folder$"):
        check_out(folders.pop("removed.csv"), tmp_path / "out")
    if cleaned._ignores_case(tmp_path):
        pytest.skip("this file system ignores case")
    for folder in folders.values():
        check_out(folder, tmp_path / "out")
    before = snapshot(tmp_path)
    monkeypatch.setattr(cleaned, "_ignores_case", lambda folder: True)
    with pytest.raises(ValueError, match="the class folder b and the class folder B would be one"):
        check_out(folders["b"], tmp_path / "out")
    with pytest.raises(ValueError, match=r"the class folder Removed\.CSV and the table removed\.csv"):
        check_out(folders["Removed.CSV"], tmp_path / "out")
    assert snapshot(tmp_path) == before


def test_nothing_to_keep_is_an_error_that_counts_the_reasons(tmp_path):
    reasons = ["label conflict, A: 1, B: 1: undecided"] * 2
    removed = pd.DataFrame({"path": "A/1.png", "reason": reasons, "counterpart": ""})
    data = write(tmp_path / "data", "A/1.png")
    with pytest.raises(ValueError, match=r"nothing is kept .*2 in label conflicts"):
        write_cleaned(data, tmp_path / "out", kept_table(), removed)
    with pytest.raises(ValueError, match="no files"):
        write_cleaned(data, tmp_path / "out", kept_table(), NOTHING)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch, error):
    data = write(tmp_path / "data", "A/1.png", "A/2.png")
    before, copied = snapshot(data), []

    def copyfile(source, target):
        if copied and isinstance(error, SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
        elif copied:
            raise error
        copied.append(Path(target).write_bytes(b"half"))

    monkeypatch.setattr(cleaned.shutil, "copyfile", copyfile)
    handler, kept = signal.getsignal(signal.SIGTERM), kept_table(("A/1.png", "A"), ("A/2.png", "A"))
    with pytest.raises(type(error)):
        write_cleaned(data, tmp_path / "out", kept, NOTHING)
    assert copied
    assert signal.getsignal(signal.SIGTERM) is handler
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert snapshot(data) == before


def test_the_summary_counts_reasons_lost_classes_and_what_keras_cannot_read(tables, tmp_path):
    kept, removed = keep_or_remove(*tables, dropped={"C/drawn.png": "dropped by decision"})
    written = kept.assign(copy=["A/best.WEBP", "B/alone.PNG"])
    said = format_cleaned(written, removed, tmp_path / "out")
    told = "2 files|left of C|7 left out|1 unread|1 photo|2 copies|2 in label|1 by decision|not 1 of"
    assert [count for count in told.split("|") if count not in said] == []
    moved = format_cleaned(written.assign(class_name="A"), removed[:0], tmp_path / "out")
    assert "nothing is left of B" in moved, "all of it were labelled otherwise"
    plain = format_cleaned(written[1:], removed[:0], tmp_path / "out")
    assert "0 left out" in plain
    assert len(plain.splitlines()) == 2, "neither lost classes nor what Keras cannot read"
