"""What a person decided: read and checked, and held by every stage, for drawn files."""

import hashlib
import unicodedata

import numpy as np
import pandas as pd
import pytest
from conftest import encoded, no_photos, write_class_folders, write_files
from drawings import BROWN, clock, face, fish, house, plant

from illus import pipeline
from illus.copies.duplicates import find_duplicates
from illus.dataset.cleaned import keep_or_remove
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.files.overrides import COLUMNS, read_overrides, relabel
from illus.parallel import write_table
from illus.photos import finder as photos

DAY = "2026-11-23"
A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
FILES = {
    "A/clock.png": encoded(clock()),
    "A/clock.bmp": encoded(clock(), "BMP"),
    "A/clock.jpg": encoded(clock(), "JPEG", quality=70),
    "A/fish.png": encoded(fish()),
    "B/fish.bmp": encoded(fish(), "BMP"),
    "A/plant.png": encoded(plant()),
    "B/face.png": encoded(face()),
    "B/brown face.png": encoded(face(BROWN)),
    "B/house.png": encoded(house()),
}
CLOCKS = ["A/clock.bmp", "A/clock.jpg", "A/clock.png"]


pytestmark = pytest.mark.usefixtures("in_threads")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Class folders and their catalog."""
    folder = write_files(tmp_path_factory.mktemp("drawn") / "images", FILES)
    return folder, scan(folder)


def sha(path):
    return hashlib.sha256(FILES[path]).hexdigest()


def table(*decisions):
    """Overrides of rows (sha256 or path, decision, value), all of one day."""
    rows = [(sha(one) if one in FILES else one, what, sha(value) if value in FILES else value, "", DAY)
            for one, what, value in decisions]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS, dtype=str)


def find(drawn, *decisions):
    return find_duplicates(drawn[1], drawn[0], overrides=table(*decisions)).set_index("path")


def save(path, *rows):
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_are_read_as_text_in_their_order(tmp_path):
    path = save(
        tmp_path / "o.csv",
        f"{A.upper()},keep,,007.png,{DAY}",
        ",,,,",
        "",
        f'{B},label,"1, 2",x.png,',
        f"{B},drop,,x.png,",
        f"{C},not_copy_of,{A},,",
        f"{D},label,{unicodedata.normalize('NFD', '표정')},,",
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # as Excel saves it
    assert read_overrides(path).to_numpy().tolist() == [
        [A, "keep", "", "007.png", DAY],
        [B, "label", "1, 2", "x.png", ""],
        [B, "drop", "", "x.png", ""],
        [C, "not_copy_of", A, "", ""],
        [D, "label", "표정", "", ""],
    ]


def test_the_last_of_contradicting_decisions_counts(tmp_path):
    path = save(
        tmp_path / "o.csv",
        f"{A},keep,,,1",
        f"{A},label,L2_2,,1",
        f"{A},not_copy_of,{B},,1",
        f"{C},drop,,,1",
        f"{A},drop,,,2",
        f"{A},label,L2_3,,2",
        f"{B},not_copy_of,{A},,2",
    )
    assert read_overrides(path)[["sha256", "decision", "value", "date"]].to_numpy().tolist() == [
        [C, "drop", "", "1"],
        [A, "drop", "", "2"],
        [A, "label", "L2_3", "2"],
        [B, "not_copy_of", A, "2"],
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,keep,,,", "64 hexadecimal digits"),
        (f"{A}\x1b,keep,,,", "64 hexadecimal digits"),
        (f"{A},kepp,,,", "one of keep, drop, label, not_copy_of"),
        (f"{A},keep,L2_2,,", "must be empty for keep"),
        (f"{A},label,,,", "must be the name of a class"),
        (f"{A},not_copy_of,b.png,,", "sha256 of another file"),
        (f"{A},not_copy_of,{A},,", "sha256 of another file"),
        (f"{A},keep", "2 fields; there must be 5"),
        (f"{A},keep,,,,", "6 fields"),
    ],
)
def test_a_malformed_row_is_one_line_that_names_it(tmp_path, row, message):
    path = save(tmp_path / "o.csv", f"{B},keep,,,", row)
    with pytest.raises(ValueError, match=message) as error:
        read_overrides(path)
    assert f"{path}, line 3: " in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the columns must be sha256,decision,value,path,date"),
        (b"sha256;decision;value;path;date\n", "line 1: the columns"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (",".join(COLUMNS).encode() + b'\n"' + A.encode(), "not a comma-separated table"),
    ],
)
def test_another_file_is_refused(tmp_path, content, message):
    (tmp_path / "o.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_overrides(tmp_path / "o.csv")


def test_without_decisions_the_tables_are_what_they_were(drawn, capsys):
    folder, catalog = drawn
    before, halves = find_duplicates(catalog, folder), {"train": 0.5, "validation": 0.5}
    parted = split(catalog, before, None, halves)
    for none in (None, table()):
        pd.testing.assert_frame_equal(find_duplicates(catalog, folder, overrides=none), before)
        pd.testing.assert_frame_equal(split(catalog, before, None, halves, 0, none), parted)
    others = table((A, "keep", ""), (B, "drop", ""), (C, "not_copy_of", D), ("A/fish.png", "not_copy_of", D))
    pd.testing.assert_frame_equal(find_duplicates(catalog, folder, overrides=others), before)
    said = capsys.readouterr().out
    assert all(name[:12] in said for name in (A, B, C)), "decisions about no file here are named"
    assert "applied: 0; of no readable file here: 4" in said, "also of a pair of which one is gone"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("other", ["A/clock.bmp", "A/clock.jpg"])
def test_no_copies_are_both_kept_and_stay_in_one_group(drawn, other, turned):
    """One has the same pixels, the other nearly: any two of the three can be taken apart."""
    pair = (other, "A/clock.png") if turned else ("A/clock.png", other)
    found = find(drawn, (pair[0], "not_copy_of", pair[1]))
    clocks = found[found.index.str.contains("clock")]
    assert clocks.group.nunique() == 1
    assert clocks.keep.sum() == 2
    assert clocks.copy_of[pair[0]] != clocks.copy_of[pair[1]] or "" in clocks.copy_of[list(pair)].tolist()
    assert clocks.reason[pair[0]].endswith(f"not a copy of {pair[1]} by decision of {DAY}")
    assert clocks.reason[pair[1]].endswith(f"not a copy of {pair[0]} by decision of {DAY}")
    others = found[~found.index.str.contains("clock")].drop(columns="group")
    pd.testing.assert_frame_equal(others, find(drawn).drop(columns="group").loc[others.index])


def test_three_can_be_taken_apart_from_each_other(drawn):
    pairs = zip(CLOCKS, CLOCKS[1:] + CLOCKS[:1], strict=True)
    found = find(drawn, *((a, "not_copy_of", b) for a, b in pairs)).loc[CLOCKS]
    assert found.keep.all()
    assert (found.relation == "variant").all()
    assert found.group.nunique() == 1
    assert (found.copy_of == "").all()


def test_the_best_of_equal_pixels_keeps_the_others(tmp_path):
    """Of four files with the same pixels one is no copy; the other three still are copies."""
    drawing = clock().convert("P").convert("RGB")
    files = {"A/1.png": encoded(drawing), "A/2.bmp": encoded(drawing, "BMP")}
    files["A/3.webp"] = encoded(drawing, "WEBP", lossless=True)
    files["A/4.gif"] = encoded(drawing, compress_level=1)
    folder = write_files(tmp_path / "images", files)
    ids = [hashlib.sha256(data).hexdigest() for data in files.values()]
    found = find_duplicates(scan(folder), folder, overrides=table((ids[1], "not_copy_of", ids[0])))
    assert found.keep.sum() == 2
    (alone,) = found.path[found.copy_of == ""]
    assert alone in ("A/1.png", "A/2.bmp")


KEEP_JPG, DROP_BMP = ("A/clock.jpg", "keep", ""), ("A/clock.bmp", "drop", "")
DROP_PNG = ("A/clock.png", "drop", "")
BMP_IS_B, JPG_IS_B = ("A/clock.bmp", "label", "B"), ("A/clock.jpg", "label", "B")


FISHES = ["A/fish.png", "B/fish.bmp"]


@pytest.mark.parametrize(
    ("copies", "decisions", "kept"),
    [
        (FISHES, [], []),  # a conflict
        (FISHES, [("B/fish.bmp", "label", "A")], ["B/fish.bmp"]),
        (FISHES, [("A/fish.png", "keep", "")], ["A/fish.png"]),
        (FISHES, [("A/fish.png", "drop", "")], ["B/fish.bmp"]),
        (CLOCKS, [], ["A/clock.bmp"]),
        (CLOCKS, [KEEP_JPG], ["A/clock.jpg"]),
        (CLOCKS, [KEEP_JPG, ("A/clock.png", "keep", "")], ["A/clock.jpg", "A/clock.png"]),
        (CLOCKS, [DROP_BMP], ["A/clock.png"]),
        (CLOCKS, [DROP_BMP, DROP_PNG], ["A/clock.jpg"]),
        (CLOCKS, [DROP_BMP, DROP_PNG, ("A/clock.jpg", "drop", "")], []),
        (CLOCKS, [BMP_IS_B], ["A/clock.bmp"]),  # though two of three copies lie in another folder
        (CLOCKS, [DROP_PNG, JPG_IS_B], ["A/clock.jpg"]),  # one of two
        (CLOCKS, [("A/clock.bmp", "label", "A"), JPG_IS_B], []),  # they contradict each other
        (["B/brown face.png", "B/face.png"], [("B/brown face.png", "drop", "")], ["B/face.png"]),  # variants
    ],
)
def test_of_copies_those_are_kept_that_a_person_decided_on(drawn, copies, decisions, kept):
    found = find(drawn, *decisions).loc[copies]
    assert found.index[found.keep].tolist() == kept
    if copies is FISHES:
        settled = any(decision in ("label", "drop") for _, decision, _ in decisions)
        assert found.conflict.tolist() == [not settled] * 2


def test_the_counterpart_is_the_kept_file_that_the_reason_names(drawn):
    found = find(drawn, KEEP_JPG, ("A/clock.png", "keep", "")).reset_index()
    removed = keep_or_remove(drawn[1], found, pd.DataFrame({"path": [], "is_photo": []}))[1].set_index("path")
    row = removed.loc["A/clock.bmp"]
    assert row.reason.startswith(f"copy of {row.counterpart},")


@pytest.mark.parametrize(("decision", "kept"), [(None, ["B/1.png"]), ("keep", ["B/1.png"]), ("drop", [])])
def test_files_with_the_same_bytes_share_a_decision_and_one_of_the_majority_is_kept(tmp_path, decision, kept):
    data = encoded(clock())
    files = dict.fromkeys(["A/1.png", "B/1.png", "B/2.png"], data) | {"A/other.png": plant()}
    folder = write_files(tmp_path / "images", files)
    overrides = decision and table((hashlib.sha256(data).hexdigest(), decision, ""))
    found = find_duplicates(scan(folder), folder, overrides=overrides)
    assert found.path[found.keep].tolist() == kept


def test_the_photo_filter_spares_what_is_kept(drawn, monkeypatch, capsys):
    folder, catalog = drawn
    monkeypatch.setattr(photos, "kept_statistics", lambda files, *_: (len(files), None))

    def all_are_photos(n, patches, seed, settings):
        yes = np.ones(n)
        return photos.Analysis(*[yes] * 4, 1.0, yes.astype(int), yes, yes, yes, yes > 0, True, "photos")

    monkeypatch.setattr(photos, "analyse", all_are_photos)
    found = photos.find_photos(catalog, folder, overrides=table(("A/fish.png", "keep", "")))
    assert found.path[~found.is_photo].tolist() == ["A/fish.png"]
    assert photos.find_photos(catalog, folder).is_photo.all()


def catalog_of(n):
    """Two classes of n files each."""
    rows = [
        {"path": f"{name}/{i}.png", "class_name": name, "error": "",
         "sha256": hashlib.sha256(f"{name}{i}".encode()).hexdigest()}
        for name in "AB" for i in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_split_leaves_out_what_is_dropped_and_takes_new_labels(capsys):
    catalog = catalog_of(20)
    overrides = table((catalog.sha256[0], "drop", ""), (catalog.sha256[1], "label", "B"), (D, "drop", ""))
    before, after = split(catalog), split(catalog, overrides=overrides)
    assert set(before.path) - set(after.path) == {"A/0.png"}
    row = after.set_index("path").loc["A/1.png"]
    assert (row.class_name, row.class_id) == ("B", 1)
    assert catalog.class_name[1] == "A"
    assert D[:12] in capsys.readouterr().out


def test_a_class_can_be_relabelled_away_but_not_dropped():
    catalog = catalog_of(10)
    catalog = pd.concat([catalog, catalog[:2].assign(path=["C/0", "C/1"], class_name="C", sha256=[C, D])])
    away = table((C, "label", "A"), (D, "label", "B"))
    assert split(catalog, overrides=away).class_name.value_counts().to_dict() == {"A": 11, "B": 11}
    with pytest.raises(ValueError, match="no image is left of C"):
        split(catalog, overrides=table((C, "drop", ""), (D, "drop", "")))


def test_a_label_that_is_no_class_is_an_error_only_for_a_file_that_is_there(drawn):
    _, catalog = drawn
    with pytest.raises(ValueError, match=r"label 'L2_99' of \w+ is not a class here; the classes are A, B"):
        relabel(catalog, table(("A/fish.png", "label", "L2_99")))
    pd.testing.assert_frame_equal(relabel(catalog, table((A, "label", "L2_99"))), catalog)


def test_decisions_outlive_renaming_and_moving_and_go_with_the_file(tmp_path, monkeypatch, empty_place):
    """Prepare; decide; rename the folder, the files, and move one; prepare; delete the decisions; prepare."""
    folder, work = write_class_folders(tmp_path / "images", n=24), tmp_path / "work" / "images"
    monkeypatch.setattr(pipeline, "find_photos", no_photos)
    pipeline.prepare(folder)
    tables = {path.name: path.read_bytes() for path in work.glob("*.csv")}
    ids = pd.read_csv(work / "catalog.csv").set_index("path").sha256
    overrides = table((ids["L2_2/0.png"], "drop", ""), (ids["L2_2/1.png"], "label", "L2_33"))
    write_table(overrides, work / "overrides.csv")
    dataset = pipeline.prepare(folder).set_index("path")
    assert "L2_2/0.png" not in dataset.index
    assert dataset.class_name["L2_2/1.png"] == "L2_33"
    assert (work / "catalog.csv").read_bytes() == tables["catalog.csv"]

    (folder / "L2_2/0.png").rename(folder / "L2_2/renamed.png")
    (folder / "L2_2/1.png").rename(folder / "L2_10/moved.png")
    moved = pipeline.prepare(folder).set_index("path")
    assert "L2_2/renamed.png" not in moved.index
    assert moved.class_name["L2_10/moved.png"] == "L2_33"
    assert len(moved) == len(dataset)

    (folder / "L2_2/renamed.png").rename(folder / "L2_2/0.png")
    (folder / "L2_10/moved.png").rename(folder / "L2_2/1.png")
    (work / "overrides.csv").unlink()
    pipeline.prepare(folder)
    assert {path.name: path.read_bytes() for path in work.glob("*.csv")} == tables
