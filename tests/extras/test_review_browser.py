"""The review page in a real browser, from disk: opened, decided on, saved, and run again."""

import json
import time
from pathlib import Path

import pandas as pd
import pytest
from browser import PATIENCE, Browser, find_chromium
from conftest import encoded, no_photos, write_files
from drawings import clock, face, fish, house, plant

from illus.copies.duplicates import find_duplicates
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.files.overrides import COLUMNS, read_overrides
from illus.parallel import write_table
from illus.report import review
from illus.report.review import write_review

pytest.importorskip("websocket", reason="the DevTools protocol needs websocket-client, which jupyter brings")
pytestmark = [pytest.mark.extras, pytest.mark.skipif(find_chromium() is None, reason="no Chromium is there")]
PAGE, SAVED = Path("review.html"), Path("downloads/overrides.csv")
HALVES = {"train": 0.5, "validation": 0.5}


@pytest.fixture
def browser(tmp_path, in_threads, empty_place):
    (tmp_path / "downloads").mkdir()
    with Browser(tmp_path / "downloads") as one:
        yield one


def photos_of(catalog, *photos):
    table = no_photos(catalog)
    table.loc[table.path.isin(photos), ["score", "is_photo"]] = 1.0, True
    return table


@pytest.fixture
def folder(tmp_path):
    """Two pairs of copies, a label conflict, a file that will be called a photo, one of a wrong class."""
    files = {
        "A/clock.png": clock(),
        "A/clock.jpg": encoded(clock(), "JPEG", quality=70),
        "A/fish.png": fish(),
        "B/fish.bmp": encoded(fish(), "BMP"),
        "A/plant.png": plant(),
        "A/plant.bmp": encoded(plant(), "BMP"),
        "B/house.png": house(),
        "B/face.png": face(),
        "B/broken.png": b"x",
    }
    return write_files(tmp_path / "images", files)


def run_stages(folder, overrides=None):
    """The tables, and the page that is written from them."""
    catalog = scan(folder)
    duplicates = find_duplicates(catalog, folder, overrides=overrides)
    photos = photos_of(catalog, "B/house.png")
    labels = pd.DataFrame({"path": ["B/face.png"], "class_name": "B", "suggested": "A", "score": 0.9})
    write_review(catalog, duplicates, photos, folder, PAGE, labels, overrides)
    return catalog, duplicates.set_index("path"), split(catalog, duplicates, None, HALVES, 0, overrides)


def wait_for(path):
    stop = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < stop, f"{path.name} was not saved"
        time.sleep(0.05)
    return path


def tab(browser, section):
    browser.run(f"document.querySelector('[data-section={section}]').click()")


def progress(browser):
    return browser.run("document.getElementById('progress').textContent")


def test_decisions_are_made_saved_and_hold_in_the_next_run(folder, browser):
    catalog, before, _ = run_stages(folder)
    assert before.index[before.keep].tolist() == ["A/clock.png", "A/plant.bmp"]
    browser.open(PAGE)
    assert progress(browser) == "6 open of 6"
    browser.press("ArrowRight", "k")  # the plant that would be removed
    browser.press("ArrowDown", "n")  # the clocks are no copies
    tab(browser, "conflicts")
    browser.press("1")  # all are B
    tab(browser, "photos")
    browser.press("k")
    tab(browser, "labels")
    browser.press(" ")
    assert progress(browser) == "1 open of 6"
    tab(browser, "unreadable")
    browser.press("d", "u")
    assert progress(browser) == "1 open of 6"
    browser.run("document.getElementById('save').click()")
    saved = read_overrides(wait_for(SAVED))
    paths = catalog.set_index("sha256").path
    told = [(paths[row.sha256], row.decision, paths.get(row.value, row.value)) for row in saved.itertuples()]
    assert told == [
        ("A/plant.png", "keep", ""),
        ("A/clock.png", "not_copy_of", "A/clock.jpg"),
        ("A/fish.png", "label", "B"),
        ("B/house.png", "keep", ""),
        ("B/face.png", "label", "A"),
    ]
    _, after, dataset = run_stages(folder, saved)
    assert after.index[after.keep].tolist() == ["A/clock.jpg", "A/clock.png", "A/plant.png", "B/fish.bmp"]
    assert dataset.set_index("path").class_name["B/face.png"] == "A"
    assert not browser.problems()

    browser.open(PAGE)  # with the decisions of before
    tab(browser, "earlier")
    assert browser.run("document.querySelectorAll('.card').length") == 1  # the clocks are in no set any more
    browser.press("u")
    SAVED.unlink()
    browser.press("s")
    left = read_overrides(wait_for(SAVED))
    assert left.decision.tolist() == ["keep", "label", "keep", "label"]


def test_unsaved_decisions_survive_a_reload_and_saved_ones_do_not_come_back(folder, browser):
    run_stages(folder)
    browser.open(PAGE)
    browser.press(" ")
    assert progress(browser) == "5 open of 6"
    browser.open(PAGE)
    assert progress(browser) == "5 open of 6"
    assert browser.run("document.getElementById('save').textContent") == "Save *"
    (folder / "A" / "clock.png").rename(folder / "A" / "renamed.png")
    run_stages(folder)  # another page
    browser.open(PAGE)
    assert progress(browser) == "5 open of 6"
    browser.press("s")
    wait_for(SAVED)
    browser.open(PAGE)
    assert progress(browser) == "5 open of 6"
    (folder / "A" / "renamed.png").rename(folder / "A" / "clock.png")
    run_stages(folder)  # without the saved file: what was saved is left out
    browser.open(PAGE)
    assert progress(browser) == "6 open of 6"


def test_without_local_storage_everything_but_remembering_works(folder, browser):
    run_stages(folder)
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden'); }})"
    browser.send("Page.addScriptToEvaluateOnNewDocument", source=forbid)
    browser.open(PAGE)
    browser.press(" ", "s")
    assert len(read_overrides(wait_for(SAVED))) == 1
    assert not browser.problems()


HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "'\"><script>alert(1)<.png",
    "{{script}}&lt;b&gt;.png",
    'a,"b\n.png',
]


def test_names_do_not_run_and_come_back_as_they_are(browser, tmp_path):
    """Names of files and classes, and texts in former decisions, in every section."""
    rows, images = [], [encoded(draw) for draw in (clock(), fish(), plant(), house())]
    strange = "<svg onload=alert(2)>"
    for class_name in (strange, "B"):
        (tmp_path / "images" / class_name).mkdir(parents=True)
        for name, data in zip(HOSTILE, images, strict=True):
            (tmp_path / "images" / class_name / name).write_bytes(data + class_name.encode())
    catalog = scan(tmp_path / "images")
    catalog.loc[7, "error"] = "<script>alert(3)</script>"
    sets = list(
        zip(catalog.path[catalog.class_name == strange], catalog.path[catalog.class_name == "B"], strict=True)
    )
    for kept, other in sets:
        rows += [(kept, True, f"best {strange}", "near", 1.0, "plant" in kept, kept)]
        rows += [(other, False, "</script><script>alert(4)</script>", "near", 1.0, True, kept)]
    duplicates = pd.DataFrame(
        rows, columns=["path", "keep", "reason", "relation", "distance", "conflict", "copy_of"]
    )
    labels = pd.DataFrame({"path": catalog.path[:2], "class_name": strange, "suggested": strange, "score": 1})
    old = pd.DataFrame(
        [("f" * 64, "label", strange, "</script><script>alert(5)</script>", strange)], columns=COLUMNS
    )
    write_review(catalog, duplicates, photos_of(catalog, *sets[0]), tmp_path / "images", PAGE, labels, old)
    browser.open(PAGE)
    for section in (*review.SECTIONS, "earlier"):
        tab(browser, section)
        browser.press("l", "Escape")
        browser.run("document.getElementById('classes').close()")
    tab(browser, "conflicts")
    browser.press(" ", " ", " ", " ", "s")
    saved = read_overrides(wait_for(SAVED))
    assert set(saved.path) == {*(kept for kept, _ in sets[1:]), old.path[0]}
    made = "document.querySelectorAll('svg, main script, img[src=x], [onload], [onerror]').length"
    assert browser.run(made) == 0
    assert not browser.problems()
    inline = "const made = document.createElement('script'); made.textContent = 'window.ran = true';"
    browser.run(f"{{ {inline} document.body.append(made); }}")
    assert browser.run("window.ran") is None, "the policy forbids every other script"


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(folder, browser, width):
    (folder / "A" / "fish.png").rename(folder / "A" / ("averylongnamewithoutanybreak" * 4))
    run_stages(folder)
    browser.resize(width, 850)
    browser.open(PAGE)
    for section in review.SECTIONS:
        tab(browser, section)
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), section
    browser.press("?")
    assert browser.run("document.getElementById('help').getBoundingClientRect().right <= innerWidth")
    assert json.loads(browser.run("JSON.stringify(data.target)")) == "work/images/overrides.csv"


def test_the_table_that_the_page_saves_is_what_the_stages_write(folder, browser, tmp_path):
    """Former decisions come first, whatever they are about; quotes, commas and line ends survive."""
    rows = [("f" * 64, "label", 'a "b", c', "x\n,y.png", "2026-01-01"), ("e" * 64, "drop", "", "", "")]
    former = pd.DataFrame(rows, columns=COLUMNS)
    run_stages(folder, former)
    browser.open(PAGE)
    browser.press("s")
    path = wait_for(SAVED)
    pd.testing.assert_frame_equal(read_overrides(path), former, check_dtype=False)
    write_table(former, tmp_path / "expected.csv")
    assert path.read_bytes() == (tmp_path / "expected.csv").read_bytes()
