"""Test files that are copies of training files, on drawings whose copies are known."""

import numpy as np
import pandas as pd
import pytest
from conftest import encoded, write_files
from drawings import BROWN, brighter, clock, face, fish, flat_drawing, house, padded, plant, rescaled
from PIL import Image, ImageDraw, ImageOps

from evaluate import score
from illus.copies.leaks import (
    COLUMNS,
    LeakSettings,
    compared_pairs,
    describe_folder,
    detail,
    find_leaks,
    format_leaks,
    format_scores_without,
    is_copy,
    scores_without,
)

TRAINING = {
    "A/plant.png": plant(),
    "A/fish.png": fish(),
    "B/house.png": house(),
    "B/face.png": face(),
    "B/clock.png": clock(2),
}


pytestmark = pytest.mark.usefixtures("in_threads")


@pytest.fixture
def leaks_of(tmp_path):
    """The table for drawn training and test files, by path."""

    def find(test, training=TRAINING):
        folders = write_files(tmp_path / "training", training), write_files(tmp_path / "test", test)
        return find_leaks(*folders).set_index("path")

    return find


def disc(colour):
    image = Image.new("RGB", (480, 480), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 440, 440), fill=colour)
    return image.resize((120, 120), Image.Resampling.BOX)


LEAKED = {  # test file: what it shows, the training file that it copies, and how; in natural order
    "A/2 same pixels.bmp": (encoded(fish(), "BMP"), "A/fish.png", "exact"),
    "A/10 same bytes.png": (plant(), "A/plant.png", "exact"),
    "B/brighter.png": (brighter(clock(2), 1.08), "B/clock.png", "near"),
    "B/compressed.jpg": (encoded(house(), "JPEG", quality=60), "B/house.png", "near"),
    "B/in another class.png": (plant(), "A/plant.png", "exact"),
    "B/padded.png": (padded(clock(2), 0.05), "B/clock.png", "near"),
    "B/small.png": (rescaled(face(), 0.6), "B/face.png", "near"),
}
CLEAN = {
    "B/another clock.png": clock(6),
    "B/sad.png": face(smiles=False),
    "B/recoloured.png": face(BROWN),
    "A/mirrored.png": ImageOps.mirror(plant()),
    "A/flat.png": flat_drawing(3),
    "B/copy within the test.png": flat_drawing(3),
    "A/broken.png": b"text",
}


def test_exact_and_near_copies_are_found_and_everything_else_is_not(leaks_of):
    leaks = leaks_of({name: image for name, (image, *_) in LEAKED.items()} | CLEAN)
    assert [leaks.index.name, *leaks.columns] == COLUMNS
    assert leaks.index.tolist() == list(LEAKED)
    assert leaks.copy_of.tolist() == [source for _, source, _ in LEAKED.values()]
    assert leaks.relation.tolist() == [relation for *_, relation in LEAKED.values()]
    is_near = leaks.relation == "near"
    assert (leaks.distance[~is_near] == 0).all()
    assert (leaks.distance[is_near] < LeakSettings().near).all()
    assert leaks.class_name.tolist() == [name[0] for name in LEAKED]
    assert leaks.copy_class.tolist() == [source[0] for _, source, _ in LEAKED.values()]


def test_every_leaked_file_has_one_row_with_the_most_alike_file_then_one_of_its_class(leaks_of):
    training = {
        "A/compressed.jpg": encoded(house(), "JPEG", quality=30),
        "A/same pixels.bmp": encoded(house(), "BMP"),
        "C/house.png": house(),
        "B/less alike.jpg": encoded(plant(), "JPEG", quality=30),
        "C/more alike.jpg": encoded(plant(), "JPEG", quality=90),
    }
    test = {"A/1.png": house(), "B/2.png": house(), "B/3.png": plant(), "C/4.png": house()}
    leaks = leaks_of(test, training)
    assert leaks.copy_class.tolist() == ["A", "A", "C", "C"]
    assert leaks.copy_of.tolist() == [*["A/same pixels.bmp"] * 2, "C/more alike.jpg", "C/house.png"]
    assert leaks.relation.tolist() == ["exact", "exact", "near", "exact"]


def test_plain_images_must_be_more_alike(leaks_of, tmp_path):
    """Pale discs of almost one gray: as near as duplicates may be, but anyone may have drawn them."""
    pale, other = disc((200, 200, 200)), disc((209, 209, 209))
    copies = {"A/same.bmp": encoded(pale, "BMP"), "A/copy.jpg": encoded(pale, "JPEG", quality=85)}
    leaks = leaks_of({"A/other.png": other} | copies, {"A/1.png": pale})
    assert leaks.relation.to_dict() == {"A/copy.jpg": "near", "A/same.bmp": "exact"}
    pairs = compared_pairs(*(describe_folder(tmp_path / part) for part in ("training", "test")))
    assert pairs.distance.max() < LeakSettings().near, "without the rule all would be leaks"
    assert (pairs.detail < LeakSettings().plain).all()
    assert len(find_leaks(tmp_path / "training", tmp_path / "test", LeakSettings(plain=1))) == 3


def test_the_plainer_image_of_a_pair_decides_and_never_allows_more(tmp_path):
    """The artefacts of a compressed copy are detail, too."""
    files = {"training": disc((200, 0, 0)), "test": encoded(disc((200, 0, 0)), "JPEG", quality=40)}
    images = [describe_folder(write_files(tmp_path / name, {"A/1": file})) for name, file in files.items()]
    levels = {detail(one.descriptors["thumbnail"][0]) for one in images}
    assert len(levels) == 2
    for pair in (images, images[::-1]):
        assert compared_pairs(*pair).detail.tolist() == [min(levels)]
    pairs = pd.DataFrame({"distance": [6.9, 7.0, 3.4, 3.6], "detail": [5000, 5000, 350, 350]})
    assert is_copy(pairs, LeakSettings(near=7.0, plain=700.0)).tolist() == [True, False, True, False]


def test_blank_images_are_copies_by_their_bytes_alone(leaks_of):
    blank = {side: Image.new("RGBA", (side, side), (0, 0, 0, 0)) for side in (60, 80)}
    test = {"A/1.png": blank[60], "A/2.png": blank[80], "A/3.bmp": encoded(blank[60], "BMP")}
    assert leaks_of(test, {"A/1.png": blank[60], "A/2.png": plant()}).index.tolist() == ["A/1.png"]


@pytest.mark.parametrize("empty", ["training", "test"])
def test_a_folder_without_readable_images_has_no_leaks(tmp_path, empty):
    for part in ("training", "test"):
        write_files(tmp_path / part, {"A/1.png": b"text" if part == empty else plant()})
    leaks = find_leaks(tmp_path / "training", tmp_path / "test")
    assert leaks.empty
    assert leaks.columns.tolist() == COLUMNS


ROWS = [
    {"path": "A/1.png", "class_name": "A", "predicted": "A"},
    {"path": "A/2.png", "class_name": "A", "predicted": "B"},
    {"path": "A/3.png", "class_name": "A", "predicted": ""},
    {"path": "B/1.png", "class_name": "B", "predicted": "B"},
]


def test_scores_without_leaks_are_those_of_the_other_readable_files():
    without = scores_without(ROWS, ["A/1.png", "A/3.png"], ["A", "B"])
    assert without == score(np.array([0, 1]), np.array([1, 1]), ["A", "B"])
    assert (without["micro_f1"], without["n_images"]) == (0.5, 2)
    with_them = scores_without(ROWS, [], ["A", "B"])
    assert with_them == score(np.array([0, 0, 1]), np.array([0, 1, 1]), ["A", "B"])
    assert scores_without(ROWS, [row["path"] for row in ROWS], ["A", "B"]) is None
    assert "no image is left" in format_scores_without(with_them, None)


def test_a_terminal_gets_counts_and_conflicts_first():
    table = pd.DataFrame(
        [
            (f"A/{i}.png", "A/x\x1b.png", "near" if i % 2 else "exact", 1.5, "A", "AB"[i == 11])
            for i in range(12)
        ],
        columns=COLUMNS,
    )
    lines = format_leaks(table).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["A/11.png", "A/0.png", "A/1.png"]
    assert (len(lines), lines[-1]) == (12, "  and 2 more")
    assert all(line.isprintable() for line in lines)
