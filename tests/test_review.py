"""The page for reviewing: what it lists, in which order, and that names stay text."""

import base64
import hashlib
import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import draw, encoded, write_files
from PIL import Image

from illus.files.overrides import COLUMNS as DECISION
from illus.report import review
from illus.report.review import thumbnail, write_review

HOSTILE = "<img src=x onerror=alert(1)>{{script}}&lt;\u202egnp.png"
LABELS = ["path", "class_name", "suggested", "score"]
COPIES = ["path", "keep", "reason", "relation", "distance", "conflict", "copy_of"]


pytestmark = pytest.mark.usefixtures("in_threads")


@pytest.fixture
def tables(tmp_path, empty_place):
    """Catalog and tables of a folder in which every section has something."""
    names = ["A/0.png", "A/1.png", "A/2.png", "A/3.png", f"A/{HOSTILE}"]
    names += [f"B/{i}.png" for i in (1, 2, 3, 4)] + ["B/same bytes.png", "B/broken.png"]
    files = {name: encoded(draw("red", 0 if "same" in name else i)) for i, name in enumerate(names)}
    write_files(tmp_path / "images", files | {"B/broken.png": b"text"})
    rows = [
        {"path": name, "class_name": name[0], "format": "PNG", "width": 40, "height": 40, "error": ""}
        for name in names
    ]
    for row in rows:
        data = (tmp_path / "images" / row["path"]).read_bytes()
        row |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rows[-1] |= {"error": "not a PNG image", "format": "", "width": 0, "height": 0}
    copies = [
        ("A/0.png", True, "best of 3 copies", "near", 4.0, False, "A/0.png"),
        ("A/1.png", False, "fewer pixels than A/0.png", "near", 4.0, False, "A/0.png"),
        ("B/same bytes.png", False, "same", "exact", 0.0, False, "A/0.png"),
        ("A/2.png", True, "best of 2 copies", "near", 1.5, False, "A/2.png"),
        ("A/3.png", False, "lossy, unlike A/2.png", "near", 1.5, False, "A/2.png"),
        (f"A/{HOSTILE}", False, "label conflict, A: 1, B: 1: undecided", "near", 0.5, True, f"A/{HOSTILE}"),
        ("B/1.png", False, "label conflict, A: 1, B: 1: undecided", "near", 0.5, True, f"A/{HOSTILE}"),
        ("B/4.png", True, "only copy; its variants are in the group", "variant", 0.0, False, ""),
    ]
    photos = pd.DataFrame({"path": ["A/0.png", "A/1.png", "B/2.png", "B/3.png"], "score": [0.4, 0.4, 0.9, 0]})
    photos["is_photo"] = photos.score > 0
    labels = pd.DataFrame([("B/3.png", "B", "A", 0.6), ("B/4.png", "B", "A", 0.8)], columns=LABELS)
    return pd.DataFrame(rows), pd.DataFrame(copies, columns=COPIES), photos, labels


def write(tables, tmp_path, **settings):
    catalog, duplicates, photos, labels = tables
    settings = {"labels": labels} | settings
    return write_review(
        catalog, duplicates, photos, tmp_path / "images", tmp_path / "out" / "review.html", **settings
    )


def read(path):
    """The data of a page, its cards with names of files for numbers of pictures."""
    html = path.read_text("utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])
    pictures = re.search(r'<script type="text/plain" id="thumbnails">(.*?)</script>', html, re.S)[1]
    for card in data["cards"]:
        card["paths"] = [data["pictures"][member["picture"]]["paths"] for member in card["members"]]
    return html, data, pictures.split("\n")


def cards(data, section):
    return [card for card in data["cards"] if card["section"] == section]


def test_every_section_lists_its_own_the_surest_first(tables, tmp_path):
    path = write(tables, tmp_path)
    assert path == tmp_path / "out" / "review.html"
    _, data, _ = read(path)
    (near,) = cards(data, "copies")
    assert near["paths"] == [["A/2.png"], ["A/3.png"]]
    assert near["score"] == 1.5
    (conflict,) = cards(data, "conflicts")
    shown = [conflict[name] for name in ("title", "kind", "choices")]
    assert shown == ["A: 1, B: 1", "undecided", ["A", "B"]]
    photos = cards(data, "photos")
    assert [card["paths"] for card in photos] == [[["B/2.png"]], [["A/0.png", "B/same bytes.png"]]]
    assert [card["score"] for card in photos] == [0.9, 0.4]
    assert [card["paths"] for card in cards(data, "labels")] == [[["B/4.png"]], [["B/3.png"]]]
    assert cards(data, "labels")[0]["choices"] == ["A", "B"]
    (broken,) = cards(data, "unreadable")
    assert (broken["paths"], broken["members"][0]["reason"]) == ([["B/broken.png"]], "not a PNG image")
    kept = {card["section"]: card["members"][0]["keep"] for card in data["cards"]}
    assert [kept[section] for section in ("photos", "labels", "unreadable")] == [False, True, False]
    n_bytes = (tmp_path / "images" / "A/2.png").stat().st_size
    (picture,) = [picture for picture in data["pictures"] if picture["paths"] == ["A/2.png"]]
    assert picture["facts"] == f"40 × 40 PNG, {n_bytes / 1000:.1f} KB"
    facts = [data[name] for name in ("name", "target", "classes")]
    assert facts == ["images", "work/images/overrides.csv", ["A", "B"]]


SETS = [
    ("A/0.png", False, "outvoted", "near", 5.0, True, "A/0.png"),
    ("B/1.png", True, "kept", "near", 5.0, True, "A/0.png"),
    ("B/2.png", False, "copy", "near", 3.0, True, "A/0.png"),
    ("A/1.png", False, "undecided", "near", 1.0, True, "A/1.png"),
    ("B/3.png", False, "undecided", "near", 1.0, True, "A/1.png"),
    ("A/2.png", True, "kept", "exact", 0.0, False, "A/2.png"),
    ("A/3.png", False, "copy", "exact", 0.0, False, "A/2.png"),
]


def test_a_card_of_copies_says_what_kind_they_are_and_with_which_the_others_are_compared(tables, tmp_path):
    """Of a conflict the class of most comes first, and clear majorities before sets without one."""
    catalog, _, photos, labels = tables
    sets = pd.DataFrame(SETS, columns=COPIES)
    equal = sets[:2].assign(path=["A/0.png", "B/same bytes.png"], distance=0.0, conflict=False)
    _, data, _ = read(write((catalog, sets, photos[:0], labels), tmp_path))
    majority, undecided = cards(data, "conflicts")
    assert [majority[name] for name in ("kind", "title", "choices")] == ["majority", "B: 2, A: 1", ["B", "A"]]
    assert [member["keep"] for member in majority["members"]] == [True, False, False]
    assert majority["paths"][majority["reference"]][0] == "A/0.png", "the best, though it is not kept"
    assert undecided["kind"] == "undecided"
    (pixels,) = cards(data, "copies")
    (same,) = cards(read(write((catalog, equal, photos[:0], labels), tmp_path))[1], "copies")
    found = [(card["kind"], card["title"], len(card["members"])) for card in (pixels, same)]
    assert found == [("same pixels", "2 copies", 2), ("same bytes", "2 copies", 1)]


def test_copies_of_suspected_photos_are_decided_about_as_photos(tables, tmp_path):
    """To keep the first of a set of copies would also say that it is no photo."""
    _, data, _ = read(write(tables, tmp_path))
    assert all(["A/1.png"] not in card["paths"] for card in data["cards"])
    catalog, duplicates, photos, labels = tables
    photos = photos.assign(is_photo=photos.path == "B/2.png")
    _, data, _ = read(write((catalog, duplicates, photos, labels), tmp_path))
    near, far = cards(data, "copies")
    assert near["paths"] == [["A/2.png"], ["A/3.png"]]
    assert far["paths"] == [["A/0.png", "B/same bytes.png"], ["A/1.png"]]
    assert [member["keep"] for member in far["members"]] == [True, False]
    assert far["members"][1]["reason"] == "fewer pixels than A/0.png"


def test_a_folder_without_readable_images_or_without_doubts_has_a_page(tables, tmp_path):
    catalog, duplicates, photos, _ = tables
    broken, empty = catalog.tail(1), photos.head(0).astype(object)
    _, data, _ = read(write((broken, duplicates.head(0), empty, None), tmp_path))
    assert [card["section"] for card in data["cards"]] == ["unreadable"]
    _, data, pictures = read(write((catalog[:3], duplicates[:0], photos[:0], None), tmp_path))
    assert (data["cards"], data["pictures"], pictures) == ([], [], [""])


def test_tables_in_another_order_or_read_from_csv_give_the_same_page(tables, tmp_path):
    html = write(tables, tmp_path).read_text("utf-8")
    shuffled = [tables[0], *(table.sample(frac=1, random_state=0) for table in tables[1:])]
    assert write(shuffled, tmp_path).read_text("utf-8") == html
    again = []
    for number, table in enumerate(tables):
        table.to_csv(tmp_path / f"{number}.csv", index=False)
        again.append(pd.read_csv(tmp_path / f"{number}.csv"))
    assert write(again, tmp_path).read_text("utf-8") == html


def test_decisions_are_in_the_page_with_pictures_of_their_files(tables, tmp_path):
    catalog = tables[0].set_index("path").sha256
    rows = [
        (catalog["B/3.png"], "drop", "", "B/3.png", "2026-11-23"),
        (catalog["B/2.png"], "not_copy_of", catalog["A/1.png"], "B/2.png", "2026-11-23"),
        ("f" * 64, "keep", "", "gone.png", "2026-11-23"),
    ]
    overrides = pd.DataFrame(rows, columns=DECISION)
    page = write((tables[0], tables[1][:0], tables[2][:0], None), tmp_path, overrides=overrides)
    _, data, pictures = read(page)
    assert data["decisions"] == [list(row) for row in rows]
    assert {path for picture in data["pictures"] for path in picture["paths"]} == {
        "B/3.png", "B/2.png", "A/1.png", "B/broken.png"}  # fmt: skip
    assert len(pictures) == len(data["pictures"])


def test_names_are_data_and_only_this_script_may_run(tables, tmp_path):
    tables[0].loc[0, "class_name"] = "</script><script>alert(2)</script>"
    overrides = pd.DataFrame([("f" * 64, "drop", "", "</script><!--<script>", "--><b>")], columns=DECISION)
    html, data, _ = read(write(tables, tmp_path, overrides=overrides))
    assert f"A/{HOSTILE}" in [path for picture in data["pictures"] for path in picture["paths"]]
    assert "onerror" in html
    assert "<img src" not in html
    assert "alert(2)<" not in html
    assert html.count("</script") == html.count("<script") == 3
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:|//cdn", text)


def test_a_name_that_is_no_utf8_is_written(tables, tmp_path):
    tables[0].loc[10, "path"] = "B/\udcff.png"
    _, data, _ = read(write(tables, tmp_path))
    assert cards(data, "unreadable")[0]["paths"] == [["B/\udcff.png"]]


def test_thumbnails_are_small_upright_and_empty_for_broken_files(tmp_path):
    image = Image.new("RGB", (640, 320), "red")
    image.paste("blue", (320, 0, 640, 320))
    for name, one in (("wide", image), ("tiny", image.resize((20, 10))), ("thin", image.resize((4000, 2)))):
        one.save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"x")

    def decode(name):
        data = np.frombuffer(base64.b64decode(thumbnail(tmp_path / name)), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(int)

    assert decode("wide.png").shape == (64, review.SIDE, 3)
    assert abs(decode("wide.png")[32, 16] - (255, 0, 0)).max() < 20
    assert abs(decode("wide.png")[32, 112] - (0, 0, 255)).max() < 20
    assert decode("tiny.png").shape == (10, 20, 3)
    assert decode("thin.png").shape == (1, review.SIDE, 3)
    assert thumbnail(tmp_path / "broken.png") == ""
