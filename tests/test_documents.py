"""The documents: rendered from the recorded tables, with links that lead somewhere."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import ExifTags, Image

from benchmarks import documents, records, tables
from illus import work_folders

PAGES = documents.documents()
LINK = re.compile(r"\]\(([^)\s]+)\)")
MARKED = re.compile(r"<!-- (?:table|value): .*?<!-- /(?:table|value) -->", re.DOTALL)
CODE = re.compile(r"```.*?```", re.DOTALL)


def text_of(path):
    return path.read_text(encoding="utf-8")


def slug(heading):
    """The anchor that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def rendered():
    return documents.rendered()


@pytest.mark.parametrize("path", [*PAGES, documents.PAGE], ids=str)
def test_documents_are_rendered_from_what_was_measured(path, rendered):
    assert text_of(path) == rendered[path], "make benchmarks"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_prose_states_no_measured_number_without_a_mark(path):
    prose = MARKED.sub("", text_of(path))
    if path.name != "CHANGELOG.md":  # which says what was
        assert not re.findall(r"(?<!\d)0\.\d{3}(?!\d)", prose)


@pytest.mark.parametrize("path", [*PAGES, documents.PAGE], ids=str)
def test_links_lead_to_files_and_headings(path):
    for target in LINK.findall(CODE.sub("", text_of(path))):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), f"{path}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in map(slug, re.findall(r"^#+ (.+)", text_of(file), re.MULTILINE)), target
        if anchor and file.suffix == ".ipynb":
            assert anchor in documents.sections(file), target


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_tree_names_what_is_there(name):
    block = next(part for part in text_of(Path(name)).split("```") if part.startswith("\n01_eda.ipynb"))
    parent = Path()
    for line in block.strip().splitlines():
        parent = parent if line.startswith(" ") else Path(line.split()[0])
        path = parent / line.split()[0] if line.startswith(" ") else parent
        assert path.exists()
    rooms = {path.parent.name for path in Path("illus").glob("*/__init__.py")}
    assert rooms <= {line.split()[0].rstrip("/") for line in block.strip().splitlines()}


def test_marks_are_filled_and_unknown_names_are_errors():
    text = "of <!-- value: networks -->1<!-- /value -->\n<!-- table: damaged -->\nold\n<!-- /table -->\n"
    made = documents.renew(text)
    assert f"<!-- value: networks -->{tables.values()['networks']}<!-- /value -->" in made
    assert "old" not in made
    assert "| damaged |" in made
    assert documents.renew(made) == made
    for wrong in (text.replace("networks", "apples"), text.replace("damaged", "pears")):
        with pytest.raises(ValueError, match=r"apples|pears"):
            documents.renew(wrong)


def test_a_table_of_earlier_code_says_so(monkeypatch):
    text = "<!-- table: labels -->\nold\n<!-- /table -->\n"
    for current in (True, False):
        monkeypatch.setattr(records, "is_of_todays_code", lambda name, current=current: current)
        made = documents.renew(text)
        assert (records.EARLIER in made) != current
        assert documents.renew(made) == made


def test_a_link_to_a_notebook_gets_the_heading_and_a_missing_section_is_an_error():
    assert re.match(r"\[01 · \d+\. \w+", documents.renew("[x](../01_eda.ipynb#plan)"))
    for section, number in (("grid", r"\d+\. "), ("unequal", "")):
        text = documents.renew(f"[x](../04_experiments.ipynb#{section})", in_korean=True)
        assert re.match(rf"\[04 · {number}[^a-zA-Z\d]+\]", text)
    with pytest.raises(ValueError, match="nowhere"):
        documents.renew("[x](../01_eda.ipynb#nowhere)")


def test_rows_of_earlier_code_are_told_from_rows_of_todays():
    today = records.code_of_benchmark("labels")
    for codes, count in (([today, today], 2), ([today, "0123456789ab"], 1), ([None], 0)):
        assert records.rows_of_todays_code("labels", pd.DataFrame({"code": codes})) == count
    assert records.rows_of_todays_code("labels", pd.DataFrame({"seconds": [1]})) == 0


def test_every_recorded_table_is_listed():
    assert {path.stem for path in work_folders.RESULTS.glob("*.csv")} == set(records.RECORDS)


@pytest.mark.parametrize("name", ["story.webp", "story.ko.webp"])
def test_the_picture_shows_what_was_measured(name):
    with Image.open(Path("docs", name)) as picture:
        shown = json.loads(picture.getexif()[ExifTags.Base.ImageDescription])
    card = json.loads(tables.CARD.read_text("utf-8"))
    assert shown["macro_f1"] == card["scores"]["test"]["macro_f1"], "python -m illus.report.story"
    assert f"{shown['files']:,}" == tables.values()["training files"]
