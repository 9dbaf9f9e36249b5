"""Duplicates and variants of drawings whose duplicates are known, from files to the table."""

from itertools import combinations

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import encoded, write_files
from drawings import BROWN, clock, face, fish, house, plant, rescaled
from PIL import Image, ImageOps

from illus.copies import duplicates
from illus.copies.duplicates import assign_copies, find_duplicates, resolve_duplicates
from illus.copies.settings import DuplicateSettings
from illus.emoji20.truth import class_names, load_truth, planted_pairs, recall_by_transform, score_duplicates
from illus.files.catalog import scan
from illus.files.descriptors import DESCRIPTOR

MIXED = {
    "A/plant.png": plant(),
    "A/same bytes.png": plant(),
    "A/fish.png": fish(),
    "A/same pixels.bmp": encoded(fish(), "BMP"),
    "A/house.png": house(),
    "B/face.png": face(),
    "B/recoloured.png": face(BROWN),
    "A/mirrored.png": ImageOps.mirror(plant()),
    "A/house.jpg": encoded(house(), "JPEG", quality=60),
    "B/clock.png": clock(2),
    "B/another clock.png": clock(6),
    "B/sad.png": face(smiles=False),
}


pytestmark = pytest.mark.usefixtures("in_threads")


@pytest.fixture
def table_of(tmp_path):
    """The table for drawn files, by path."""

    def find(files):
        folder = write_files(tmp_path / "images", files)
        return find_duplicates(scan(folder), folder).set_index("path")

    return find


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = write_files(tmp_path_factory.mktemp("mixed") / "images", MIXED)
    with joblib.parallel_config(backend="threading"):
        catalog = scan(folder)
        return folder, catalog, find_duplicates(catalog, folder)


def test_the_table_lists_files_with_duplicates_or_variants_by_path(mixed):
    table = mixed[2]
    assert list(table.columns) == duplicates.COLUMNS
    assert table[["path", "relation", "keep", "copy_of", "group"]].to_numpy().tolist() == [
        ["A/fish.png", "exact", False, "A/same pixels.bmp", "G1"],
        ["A/house.jpg", "near", False, "A/house.png", "G2"],
        ["A/house.png", "near", True, "A/house.png", "G2"],
        ["A/mirrored.png", "variant", True, "", "G3"],
        ["A/plant.png", "exact", True, "A/plant.png", "G3"],
        ["A/same bytes.png", "exact", False, "A/plant.png", "G3"],
        ["A/same pixels.bmp", "exact", True, "A/same pixels.bmp", "G1"],
        ["B/face.png", "variant", True, "", "G4"],
        ["B/recoloured.png", "variant", True, "", "G4"],
    ]
    assert set(table.reason[table.relation == "variant"]) == {"only copy; its variants are in the group"}
    assert not table.conflict.any()
    assert table.set_index("path").reason["A/house.png"] == "best of 2 copies"
    gaps = table.set_index("path").distance
    assert 0 < gaps["A/house.jpg"] == gaps["A/house.png"] < DuplicateSettings().near
    assert not gaps.drop(["A/house.jpg", "A/house.png"]).any()


def test_broken_files_and_different_drawings_have_no_rows(table_of):
    drawings = {"A/1.png": house(), "A/2.png": clock(2), "B/1.png": clock(6), "B/2.png": fish()}
    table = table_of(drawings | {"A/3.png": b"no image", "B/3.png": b"no image"})
    assert table.empty
    assert table.reset_index().columns.tolist() == duplicates.COLUMNS
    assert table_of({"A/broken.png": b"no image", "B/3.png": fish()}).index.tolist() == ["B/2.png", "B/3.png"]


def test_blank_images_are_listed_and_kept_and_neither_paired_nor_put_to_a_vote(table_of):
    """Transparent everywhere: equal bytes, equal pixels, another size; and in another class."""
    blank = {side: Image.new("RGBA", (side, side), (0, 0, 0, 0)) for side in (80, 60)}
    table = table_of(
        {
            "A/1.png": blank[80],
            "A/2.png": blank[80],
            "A/3.bmp": encoded(Image.new("RGB", (80, 80), "white"), "BMP"),
            "B/1.png": blank[80],
            "B/2.png": blank[60],
            "A/fish.png": fish(),
            "B/fish.png": fish(),
        }
    )
    shown = table.loc[["A/fish.png", "B/fish.png"]]
    assert shown.relation.tolist() == ["exact"] * 2
    assert shown.conflict.all()
    blanks = table.drop(index=shown.index)
    assert len(blanks) == 5
    assert set(blanks.relation) == {"blank"}
    assert blanks.keep.all()
    assert not blanks.conflict.any()
    assert set(blanks.copy_of) == {""}
    assert table.group.nunique() == 6


def test_the_table_does_not_depend_on_the_order_of_the_catalog(mixed):
    folder, catalog, table = mixed
    for seed in range(2):
        shuffled = catalog.sample(frac=1, random_state=seed)
        assert shuffled.index.tolist() != catalog.index.tolist()
        pd.testing.assert_frame_equal(find_duplicates(shuffled, folder), table)


def test_settings_decide_what_is_a_duplicate_and_what_a_variant(mixed):
    folder, catalog, table = mixed
    exact = find_duplicates(catalog, folder, DuplicateSettings(near=0.0)).set_index("path")
    assert set(table.path[table.relation == "near"]) == {"A/house.png", "A/house.jpg"}
    assert set(exact.relation) == {"exact", "variant"}
    assert exact.copy_of.reindex(["A/house.png", "A/house.jpg"], fill_value="").tolist() == ["", ""]
    no_variants = find_duplicates(catalog, folder, DuplicateSettings(min_shape_cosine=1.1))
    assert set(no_variants.path) == {name for name in MIXED if "house" in name or "fish" in name} | {
        "A/plant.png",
        "A/same bytes.png",
        "A/same pixels.bmp",
    }


LARGE, SMALL = rescaled(clock(), 1.5), rescaled(clock(), 0.5)
KEPT = {
    "most pixels": (
        {"A/a.png": SMALL, "A/b.png": clock(), "A/c.png": rescaled(clock(), 0.75)},
        {"A/a.png": "fewer pixels than A/b.png", "A/b.png": True, "A/c.png": "fewer pixels than A/b.png"},
    ),
    "most bytes": (
        {"A/a.png": clock(), "A/b.bmp": encoded(clock(), "BMP")},
        {"A/a.png": "more compressed than A/b.bmp", "A/b.bmp": True},
    ),
    "lossless, even if smaller": (
        {"A/1.jpg": encoded(house(), "JPEG", quality=95), "A/2.png": house()},
        {"A/1.jpg": "lossy, unlike A/2.png", "A/2.png": True},
    ),
    "lossless, as a TIFF and not a WebP are": (
        {"A/1.tif": encoded(house(), "TIFF"), "A/2.webp": encoded(house(), "WEBP", quality=95)},
        {"A/1.tif": True, "A/2.webp": "lossy, unlike A/1.tif"},
    ),
    "the first path": (
        {"A/b.png": clock(), "A/z.png": clock()},
        {"A/b.png": True, "A/z.png": "same as A/b.png, later path"},
    ),
    "none without a majority": (
        {"A/1.png": clock(), "B/1.png": SMALL},
        dict.fromkeys(["A/1.png", "B/1.png"], "label conflict, A: 1, B: 1: undecided"),
    ),
    "the majority's, even if worse": (
        {"A/1.png": clock(), "A/2.png": clock(), "B/large.png": LARGE},
        {
            "A/1.png": True,
            "A/2.png": "same as A/1.png, later path",
            "B/large.png": "label conflict, A: 2, B: 1: outvoted",
        },
    ),
    "variants, whatever their labels": (
        {"A/1.png": plant(), "B/1.png": ImageOps.mirror(plant())},
        {"A/1.png": True, "B/1.png": True},
    ),
}


@pytest.mark.parametrize(("files", "expected"), KEPT.values(), ids=KEPT)
def test_of_copies_the_best_of_the_majority_is_kept(table_of, files, expected):
    """Among two pairs of other drawings, which change nothing; what is expected is True or why not."""
    others = {"A/fish.png": fish(), "A/same fish.png": fish(), "A/face.png": face()}
    table = table_of(files | others)
    assert table.keep[["A/fish.png", "A/same fish.png"]].tolist() == [True, False]
    table = table.loc[list(files)]
    assert table.keep.to_dict() == {path: why is True for path, why in expected.items()}
    for path, why in expected.items():
        assert why is True or table.reason[path] == why
    copies = table[table.relation != "variant"]
    assert (copies.conflict == (len({path[0] for path in copies.index}) > 1)).all()
    assert "B/large.png" not in files or set(copies.copy_of) == {"B/large.png"}, "the best, even if removed"


LINKS = {(0, 1): 1.0, (1, 2): 2.0, (2, 3): 3.0, (3, 4): 0.0}


@pytest.mark.parametrize(
    ("ends", "best", "to_best"),
    [
        ({(0, 2): 7.0, (0, 3): 9.0, (0, 4): 12.0}, [0, 0, 0, 0, 0], [0, 1, 7, 9, 12]),
        ({(0, 2): 7.0, (0, 3): 9.0, (0, 4): 12.1}, [0, 0, 0, 0, 4], [0, 1, 7, 9, 0]),
        ({(0, 2): 7.0, (0, 3): 20.0, (0, 4): 30.0}, [0, 0, 0, 3, 3], [0, 1, 7, 0, 0]),
        ({(0, 2): 13.0, (0, 3): 20.0, (0, 4): 30.0, (2, 4): 50.0}, [0, 0, 2, 2, 4], [0, 1, 0, 3, 0]),
    ],
    ids=["whole", "one end cut", "in two", "in three"],
)
def test_a_chain_is_cut_where_its_ends_are_unlike(monkeypatch, ends, best, to_best):
    known, settings = LINKS | ends, DuplicateSettings(near=6.0, unlike=12.0)
    monkeypatch.setattr(duplicates, "distance", lambda _, i, j, settings: known[int(i), int(j)])
    pairs, distances, descriptors = np.array([*LINKS]), np.array([*LINKS.values()]), np.zeros(5, DESCRIPTOR)
    found = assign_copies(descriptors, pairs, distances, settings)
    assert found[0].tolist() == best
    assert found[1].tolist() == to_best
    backwards = assign_copies(descriptors, pairs[::-1], distances[::-1], settings)
    np.testing.assert_array_equal(found, backwards)


def test_a_file_that_is_taken_apart_from_a_set_keeps_no_other_out_of_it():
    """Of four copies the second and the third are none of each other, nor the third and the fourth."""
    pairs = list(combinations(range(4), 2))
    distances = np.array([np.inf if pair in ((1, 2), (2, 3)) else 1.0 for pair in pairs])
    settings = DuplicateSettings(near=6.0, unlike=12.0)
    best, _ = assign_copies(np.zeros(4, DESCRIPTOR), np.array(pairs), distances, settings)
    assert best.tolist() == [0, 0, 2, 0]


def test_a_chain_is_one_group_and_what_was_cut_off_is_no_duplicate(monkeypatch):
    """The kept file has the largest distance of its set."""
    links = {pair: LINKS[pair] for pair in [(0, 1), (1, 2), (2, 3)]}
    files = pd.DataFrame({"path": list("abcde"), "n_pixels": [50, 40, 30, 20, 20], "sha256": list("vwxyz")})
    files = files.assign(class_name="A", bytes=9, image=np.arange(5))
    known = links | {(0, 2): 7.0, (0, 3): 20.0}
    monkeypatch.setattr(duplicates, "distance", lambda _, i, j, settings: known[int(i), int(j)])
    pairs, distances = np.array([*links]), np.array([*links.values()])
    table = resolve_duplicates(files, np.zeros(5, DESCRIPTOR), pairs, distances).set_index("path")
    assert table.index.tolist() == list("abcd")
    assert table.group.nunique() == 1
    assert table.keep.tolist() == [True, False, False, True]
    assert table.relation.tolist() == ["near", "near", "near", "variant"]
    assert table.copy_of.tolist() == ["a", "a", "a", ""]
    assert table.distance.tolist() == [7, 1, 7, 0]


@pytest.fixture
def truth():
    """Drawing x: 4 files, y: 3, z: 2, w: 1 and a broken one."""
    rows = [
        ("x1", "original", "", "x"),
        ("x2", "duplicate", "jpeg 60", "x"),
        ("x3", "duplicate", "jpeg 75", "x"),
        ("x4", "duplicate", "shift", "x"),
        ("y1", "original", "", "y"),
        ("y2", "original", "", "y"),
        ("y3", "duplicate", "shift", "y"),
        ("z1", "original", "", "z"),
        ("z2", "duplicate", "copy", "z"),
        ("w1", "original", "", "w"),
        ("b1", "broken", "cut", "w"),
    ]
    return pd.DataFrame(rows, columns=["path", "kind", "transform", "drawing"]).assign(concept="")


def copies(pairs):
    return pd.DataFrame(list(pairs.items()), columns=["path", "copy_of"])


@pytest.mark.parametrize(
    ("pairs", "flagged", "right"),
    [
        (
            {"x1": "x1", "x2": "x1", "x3": "x1", "y1": "y3", "y3": "y3", "w1": "z1", "z1": "z1", "x4": ""},
            4,
            3,
        ),
        ({f: f"{f[0]}1" for f in ("x1", "x2", "x3", "x4", "y1", "y2", "y3", "z1", "z2")}, 6, 6),
        ({"x1": "", "x2": ""}, 0, 0),
        ({"x1": "w1", "w1": "w1", "b1": "z1"}, 2, 0),
    ],
    ids=["some", "all", "none", "wrong ones"],
)
def test_recall_and_precision_by_hand(truth, pairs, flagged, right):
    """6 of 10 are redundant."""
    assert score_duplicates(copies(pairs), truth) == {
        "redundant": 6,
        "flagged": flagged,
        "right": right,
        "recall": right / 6,
        "precision": right / max(1, flagged),
    }


def test_recall_of_each_transform_by_hand(truth):
    """x2 is found with x1, y1 with y2; z2 only with a file of another drawing."""
    table = copies({"x1": "x1", "x2": "x1", "x3": "", "y1": "y1", "y2": "y1", "z2": "w1", "w1": "w1"})
    found = recall_by_transform(table, truth)
    assert found.index.name == "transform"
    assert found.to_dict("index") == {
        "copy": {"files": 1, "found": 0, "recall": 0.0},
        "jpeg": {"files": 2, "found": 1, "recall": 0.5},
        "natural": {"files": 2, "found": 2, "recall": 1.0},
        "shift": {"files": 2, "found": 0, "recall": 0.0},
    }


def test_every_duplicate_is_shown_with_another_file_of_its_drawing(truth):
    table = copies({"x1": "x1", "x2": "x1", "y1": "y3", "y3": "y3"})
    pairs = planted_pairs(table, truth).set_index("path")
    drawing = truth.set_index("path").drawing
    assert list(pairs.index) == ["x2", "x3", "x4", "y1", "y2", "y3", "z2"]
    assert (pairs.index.map(drawing) == pairs.other.map(drawing)).all()
    assert (pairs.index != pairs.other).all()
    assert pairs.found.to_dict() == {name: name in ("x2", "y1", "y3") for name in pairs.index}


def test_the_truth_is_read_from_beside_the_folder(tmp_path, truth):
    folder = tmp_path / "training"
    folder.mkdir()
    assert load_truth(folder) is None
    assert class_names(folder).empty
    parts = ["training/A/1.png", "test/A/2.png", "training/B/3.png", "training_more/A/4.png"]
    truth.iloc[:4].assign(path=parts).to_csv(tmp_path / "truth.csv", index=False)
    read = load_truth(folder)
    assert read.path.tolist() == ["A/1.png", "B/3.png"]
    assert read.index.tolist() == [0, 1]
    assert read["transform"].tolist() == ["", "jpeg 75"]
    assert not class_names(folder).empty


@pytest.mark.parametrize("text", ["", "file,label\ntraining/A/1.png,A\n", "path\nA/1.png\n", "\xff\0"])
def test_another_table_of_that_name_is_no_truth(tmp_path, text):
    (tmp_path / "training").mkdir()
    (tmp_path / "truth.csv").write_bytes(text.encode("latin-1"))
    assert load_truth(tmp_path / "training") is None
    assert class_names(tmp_path / "training").empty
