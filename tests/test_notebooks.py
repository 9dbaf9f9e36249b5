"""The notebooks as committed: executed in order, short cells, results whose numbers are in the outputs."""

import html
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from conftest import write_class_folders
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from illus.report.assemble import OF_EMOJI20, executed_dir, run_notebooks

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("0*.ipynb"))
REFERENCE = re.compile(
    r"\]\([^)]*\)|`[^`]*`|<[^>]*>|notebooks? \d+|노트북 \d+|sections? \d+(?: (?:to|and) \d+)?|\d+절"
)
LINKED = re.compile(r"\]\((0\d_\w+\.ipynb)")
NUMBER = re.compile(r"(?<![\w.])([-+]?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?( ?%)?")


@cache
def read(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return read(request.param)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def of_emoji20(notebook):
    return [cell for cell in notebook.cells if OF_EMOJI20 in cell.metadata.get("tags", [])]


def text_of(notebook):
    """What the code cells of a notebook show as text."""
    parts = []
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        data = output.get("data", {})
        table = re.sub(r"(?s)<style.*?</style>|<[^>]*>", " ", data.get("text/html", ""))
        parts += [output.get("text", ""), html.unescape(table), data.get("text/markdown", "")]
    return "\n".join(parts)


def numbers(text):
    """Numbers of a text: sign, value, decimals, and whether it is a percentage."""
    for sign, whole, decimals, percent in NUMBER.findall(text.replace("−", "-")):
        yield sign, float(sign + whole.replace(",", "") + decimals), max(0, len(decimals) - 1), bool(percent)


def not_shown(result, outputs):
    """Numbers of a result that round no number of the outputs; a percentage may be shown as a share."""
    shown, missing = list(numbers(outputs)), []
    for sign, value, decimals, percent in numbers(REFERENCE.sub(" ", result).replace("**", "")):
        alike = [100 * x if percent and not share else x for _, x, _, share in shown if percent or not share]
        near = 0.5 * 10**-decimals + 1e-9
        if not any(
            abs((x if sign else abs(x)) - abs(value) * (-1 if sign == "-" else 1)) <= near for x in alike
        ):
            missing.append(value)
    return missing


@pytest.mark.parametrize(
    ("result", "missing"),
    [
        ("F1 is 0.988, of L2_12 too (section 7, notebook 03, 2절).", []),
        ("F1 is 0.987.", [0.987]),
        ("23,543 files, 0.11 % of them", []),
        ("23,542 files, 0.12 % of them", [23542, 0.12]),
        ("in **7** % of the time", []),
        ("in 8 % of the time", [8]),
        ("7의 변화는 -0.015에서 +0.02", [7]),
        ("changes by +0.015, lower by 0.015", [0.015]),
    ],
)
def test_numbers_of_a_result_are_looked_for(result, missing):
    outputs = "L2_7 0.98800, 23543 files (0.11%), 0.07, -0.0149 to +0.021"
    assert not_shown(result, outputs) == missing


def test_every_number_of_a_result_is_in_an_output(notebook):
    results = of_emoji20(notebook)
    assert len(results) > 5
    missing = {}
    for cell in results:  # which may also state what the notebooks say that it links to
        linked = sorted(set(LINKED.findall(cell.source)))
        outputs = "\n".join(map(text_of, [notebook, *(read(ROOT / name) for name in linked)]))
        missing[cell.source[:40]] = not_shown(cell.source, outputs)
    assert not any(missing.values()), missing


def test_results_are_in_english_and_korean(notebook):
    assert all(cell.cell_type == "markdown" for cell in of_emoji20(notebook))
    assert all(re.search("[가-힣]", cell.source) for cell in of_emoji20(notebook))


@pytest.mark.parametrize(
    ("data", "profile", "stays"),
    [
        ("data/emoji20/training", "full", True),
        ("data/emoji20/training", "quick", False),
        ("own", "full", False),
    ],
)
def test_results_of_emoji20_are_left_out_elsewhere(data, profile, stays, tmp_path, monkeypatch, empty_place):
    monkeypatch.setenv("PROFILE", profile)
    folder = write_class_folders(Path(data), n=1)
    result = new_markdown_cell("**Result.**", metadata={"tags": [OF_EMOJI20]})
    cells = [new_markdown_cell("# A"), new_code_cell("1", metadata={"tags": ["hide-input"]}), result]
    nbformat.write(new_notebook(cells=cells), "01_a.ipynb")
    run_notebooks(folder)
    executed = nbformat.read(executed_dir(folder) / "01_a.ipynb", as_version=4)
    assert len(executed.cells) == 2 + stays
    assert executed.cells[1].outputs


def test_executed_from_top_to_bottom_without_errors(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.outputs)


def test_executed_in_the_full_profile_on_emoji20(notebook):
    assert "profile full, seed 0, data data/emoji20/training" in text_of(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_size_and_static_figures(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    assert "image/png" in text
    assert "application/vnd.jupyter.widget" not in text
    assert "application/javascript" not in text


def markdown_of(notebook):
    """What a notebook says in Markdown: its cells, and what its code displays."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    outputs = [output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs]
    return "\n".join(cells + [str(data.get("text/markdown", "")) for data in outputs])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_links_lead_to_sections_and_notebooks_that_are_there(path):
    texts = {other.name: markdown_of(read(other)) for other in NOTEBOOKS}
    links = re.findall(r"\]\(([\w]*(?:\.ipynb)?)#?([\w-]*)\)", texts[path.name])
    assert len(links) > 5
    for name, anchor in links:
        target = texts[name or path.name]
        assert not anchor or f'<a id="{anchor}"></a>' in target, (name, anchor)
