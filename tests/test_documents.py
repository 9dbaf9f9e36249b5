"""The documents: rendered from the recorded tables, links that lead somewhere, two languages alike."""

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import documents, records, tables, tree
from benchmarks.korean import KOREAN

PAGES = documents.documents()
PAIRS = [(path, path.with_suffix(".ko.md")) for path in PAGES if path.with_suffix(".ko.md").exists()]
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


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_counts_no_files_without_a_mark(name):
    prose = CODE.sub("", MARKED.sub("", text_of(Path(name))))
    assert set(re.findall(r"\d+,\d{3}", prose)) <= {"25,000"}, "about so many"


def test_icons_are_the_files_without_what_is_planted():
    numbers = tables.values()
    files = ["training files", "test files", "test_unseen_style files"]
    planted = ["planted duplicate", "planted photo", "planted broken"]
    total, extra = (sum(int(numbers[name].replace(",", "")) for name in names) for names in (files, planted))
    assert numbers["icons"] == f"{total - extra:,}"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_marked_numbers_do_not_begin_a_line(path):
    assert not re.search(r"^<!-- value", text_of(path), re.MULTILINE)  # would end the paragraph


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


def shape(text):
    """What a translation must share: headings, tables and their rows, code blocks, marks, links."""
    links = [link.replace(".ko.", ".") for link in LINK.findall(text)]
    return {
        "headings": [len(level) for level in re.findall(r"^(#+) ", CODE.sub("", text), re.MULTILINE)],
        "rows": len(re.findall(r"^\|", text, re.MULTILINE)),
        "code": [len(block.splitlines()) for block in CODE.findall(text)],
        "tables": re.findall(r"<!-- table: (\S+)", text),
        "links": sorted(link for link in links if "://" not in link),
    }


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=lambda path: path.name)
def test_the_korean_page_has_the_shape_of_the_english_one(english, korean):
    assert shape(text_of(english)) == shape(text_of(korean))


def test_the_readme_is_short_and_there_in_both_languages():
    assert Path("README.md") in [english for english, _ in PAIRS]
    assert all(len(text_of(Path(name)).splitlines()) < 150 for name in ("README.md", "README.ko.md"))


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_tree_names_what_is_there(name):
    block = next(part for part in text_of(Path(name)).split("```") if part.startswith("\n01_eda.ipynb"))
    parent = Path()
    for line in block.strip().splitlines():
        parent = parent if line.startswith(" ") else Path(line.split()[0])
        path = parent / line.split()[0] if line.startswith(" ") else parent
        assert path.exists()
    wings = {path.parent.name for path in Path("illus").glob("*/__init__.py")}
    assert wings <= {line.split()[0].rstrip("/") for line in block.strip().splitlines()}


def test_the_tree_takes_its_words_from_docstrings(tmp_path):
    (tmp_path / "wing").mkdir()
    (tmp_path / "wing" / "__init__.py").write_text('"""A wing."""\n')
    (tmp_path / "wing" / "bird.py").write_text('"""Wings -> flight, by ``beating``. More.\n\nAnd more."""\n')
    assert [line.split(maxsplit=1) for line in tree.lines(tmp_path / "wing")] == [
        ["wing/", "A wing"],
        ["bird.py", "Wings -> flight, by beating"],
    ]


def test_marks_are_filled_and_unknown_names_are_errors():
    text = "of <!-- value: epochs -->1<!-- /value -->\n<!-- table: damaged -->\nold\n<!-- /table -->\n"
    made = documents.renew(text)
    assert f"<!-- value: epochs -->{tables.values()['epochs']}<!-- /value -->" in made
    assert "old" not in made and "| damaged |" in made
    assert documents.renew(made) == made
    for wrong in (text.replace("epochs", "apples"), text.replace("damaged", "pears")):
        with pytest.raises(ValueError, match=r"apples|pears"):
            documents.renew(wrong)


def test_a_link_to_a_notebook_gets_the_heading_and_a_missing_section_is_an_error():
    assert documents.renew("[x](../01_eda.ipynb#plan)").startswith("[01 · 10. ")
    with pytest.raises(ValueError, match="nowhere"):
        documents.renew("[x](../01_eda.ipynb#nowhere)")


def test_cells_are_rounded_by_what_they_are():
    table = pd.DataFrame({"seconds": [71.54], "F1": [0.97951], "files": [23543], "slowest, s": [4.391]})
    assert tables.readable(table).iloc[0].tolist() == ["72", "0.980", "23,543", "4.39"]
    assert tables.cell(float("nan"), "seconds") == "–"
    assert documents.title("test_macro_f1") == "test macro F1"


def test_korean_titles_are_translated_as_whole_words():
    made = documents.markdown(pd.DataFrame({"seconds": [1.0], "autoencoder": ["to"]}), korean=True)
    assert made.splitlines()[0] == f"| {KOREAN['seconds']} | autoencoder |"
    assert made.splitlines()[2] == f"| 1 | {KOREAN['to']} |"


NAMES = {
    "k-means",
    "DBSCAN",
    "HDBSCAN",
    "isolation forest",
    "TensorFlow",
    "AUROC",
    "JAX",
    "F1",
    "flip",
    "strong",
}
NAMES |= {"vector", "vector, 1%", "cartoon", "scenes", "scenes, 1%", "affine+colour"}
NAMES |= {"test: F1", "test: macro F1", "test: micro F1"}


@pytest.mark.parametrize("path", [path for path in PAGES if path.name.endswith(".ko.md")], ids=str)
def test_titles_of_korean_tables_are_korean_or_names(path):
    for name in re.findall(r"<!-- table: (\S+)", text_of(path)):
        header = documents.markdown(documents.BLOCKS[name](), korean=True).splitlines()[0]
        for title in header.strip("| ").split(" | "):
            assert re.search("[가-힣]", title) or title in NAMES or title.startswith("emoji20"), (name, title)


def test_every_record_names_its_command():
    for name in records.recorded():
        record = records.described(name)
        assert record.what.endswith(".")
        assert record.command
    assert records.described("duplicates_of_tomorrow").command == "python -m benchmarks.duplicates"


def test_the_page_of_measurements_has_the_code_of_each_row():
    page = documents.benchmarks_page()
    for name in records.recorded():
        table = tables.read(name)
        if "code" in table and records.described(name).summary is None and len(table) <= records.LONGEST:
            for code in table.code.dropna().unique():
                assert f"| {code} |" in page, name
