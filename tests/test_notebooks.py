"""The notebooks as they are committed: executed in order, short cells, nothing that will not show."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("0*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebooks_are_there():
    assert [path.name for path in NOTEBOOKS] == [
        "01_eda.ipynb",
        "02_dedup_and_balance.ipynb",
        "03_photo_filter_unsupervised.ipynb",
        "04_experiments.ipynb",
    ]


def test_executed_from_top_to_bottom_without_errors(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.outputs)


def test_executed_in_the_full_profile_on_emoji20(notebook):
    text = "".join(output.get("text", "") for cell in code_cells(notebook) for output in cell.outputs)
    assert "profile full, seed 0, data data/emoji20/training" in text


def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= 30
    assert statistics.median(lengths) <= 6


def test_opening_and_conclusion_are_also_korean(notebook):
    korean = [bool(re.search("[가-힣]", str(cell))) for cell in notebook.cells]
    assert korean[0]
    assert any(korean[-3:])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_size_and_static_figures(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    assert "image/png" in text
    assert "application/vnd.jupyter.widget" not in text
    assert "application/javascript" not in text


def text_of(notebook):
    """What the code cells of a notebook show as text."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    shown = [output.get("data", {}) for output in outputs]
    return " ".join(
        [str(output.get("text", "")) for output in outputs]
        + [str(data.get(kind, "")) for data in shown for kind in ("text/markdown", "text/html", "text/plain")]
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_numbers_of_the_short_answer_are_those_that_are_computed_below(path):
    notebook = nbformat.read(path, as_version=4)
    bullets = [line for line in notebook.cells[0].source.splitlines() if line.startswith("- ")]
    assert len(bullets) == 6, "three in English, three in Korean"
    for bullet in bullets:
        (number,) = re.findall(r"\*\*\+?([\d.]+)%?\*\*", bullet)
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d])", text_of(notebook)), bullet


def markdown_of(notebook):
    """What a notebook says in Markdown: its cells, and what its code displays."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    outputs = [output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs]
    return "\n".join(cells + [str(data.get("text/markdown", "")) for data in outputs])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_links_lead_to_sections_and_notebooks_that_are_there(path):
    texts = {other.name: markdown_of(nbformat.read(other, as_version=4)) for other in NOTEBOOKS}
    links = re.findall(r"\]\(([\w]*(?:\.ipynb)?)#?([\w-]*)\)", texts[path.name])
    assert len(links) > 5
    for name, anchor in links:
        target = texts[name or path.name]
        assert not anchor or f'<a id="{anchor}"></a>' in target, (name, anchor)
