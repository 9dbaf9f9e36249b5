"""Notebooks, scores and the review page -> one folder of HTML pages with an index.

In: notebooks, executed or not, and what ``evaluate.py`` wrote. Out: ``index.html`` and a page for each
notebook, readable from disk and without a network.
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import nbformat
from jinja2 import Environment, FileSystemLoader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from tqdm import tqdm

from evaluate import atomic_write
from illus.hashing import ROOT

TEMPLATES = Path(__file__).parent / "templates"
FAILED = "failed"  # folder of notebooks of which a cell failed, beside those that are shown
LINK = re.compile(r'href="(?![a-z]+:|#)([^"#]+)(#[^"]*)?"')
HEADING = re.compile(r"^(#{1,2}) +(.+?) *$", re.MULTILINE)


class NotebookError(ValueError):
    """A cell of a notebook failed; the message says which one and how, and where the notebook is."""


@dataclass(frozen=True)
class Section:
    """A list of pages on the index."""

    title: str
    note: str
    pages: Sequence[tuple[str, str]]  # file, relative to the index, and title


def execute_notebook(path: Path, out: Path, without_tag: str = "") -> float:
    """Run a notebook from top to bottom in a new kernel, in the current folder; seconds that it took.

    Shows the cell that runs where standard error is a terminal. ``path`` is not changed; cells with the tag
    ``without_tag`` are left out. A notebook that fails or is interrupted is no result: it goes, with the
    cells until then, to the same name in the folder ``FAILED`` beside ``out``, and an older ``out`` stays.
    :class:`NotebookError` if a cell raised an error, or ended its kernel.
    """
    notebook, start = nbformat.read(path, as_version=4), time.perf_counter()
    notebook.cells = [cell for cell in notebook.cells if without_tag not in cell.metadata.get("tags", [])]
    cells = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    started: list[int] = []  # positions of code cells
    failed = out.parent / FAILED / out.name
    written = failed
    with tqdm(desc=path.stem, total=len(cells), unit="cell", disable=None) as bar:
        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name="python3",
            resources={"metadata": {"path": "."}},
            on_cell_start=_show_cell(bar, started),
            on_cell_executed=lambda **_: bar.update(),
        )
        try:
            client.execute(stderr=DEVNULL)  # notices of the kernel; what cells print is in the notebook
            written = out
        except (CellExecutionError, DeadKernelError) as error:
            why = "the kernel died, perhaps for want of memory"
            if isinstance(error, CellExecutionError):
                why = f"{error.ename}: {error.evalue}"
            number = cells.index(started[-1]) + 1 if started else 1
            raise NotebookError(f"{path.name}, code cell {number}: {why}; see {failed}") from None
        finally:
            written.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(written) as partial:
                nbformat.write(notebook, partial)
    failed.unlink(missing_ok=True)
    return time.perf_counter() - start


def _show_cell(bar: tqdm, started: list[int]) -> Callable[..., None]:
    def show(cell: NotebookNode, cell_index: int) -> None:
        if cell.cell_type == "code":
            started.append(cell_index)
            bar.set_postfix_str((cell.source.strip().splitlines() or [""])[0][:50])

    return show


def _headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Level and text of the headings of first and second level."""
    sources = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = HEADING.findall(re.sub(r"```.*?```", "", sources, flags=re.DOTALL))
    return [(len(marks), text) for marks, text in found]


def render_notebook(path: Path, out: Path, note: str = "", after: str = "", index: str = "index.html") -> str:
    """Write a notebook as HTML with its contents on top, cells tagged ``hide-input`` collapsed; its title."""
    notebook = nbformat.read(path, as_version=4)
    headings = _headings(notebook)
    # nbconvert gives headings these anchors.
    contents = [(text.replace(" ", "-"), text) for level, text in headings if level == 2]
    logging.getLogger("traitlets").setLevel(logging.ERROR)  # figures have no alternative text
    places = {name: [str(TEMPLATES)] for name in ("extra_template_basedirs", "extra_template_paths")}
    exporter = HTMLExporter(template_file="notebook.html.j2", **places)
    shown = {"contents": contents, "note": note, "next_page": after, "index": index}
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}, **shown})
    page = LINK.sub(lambda match: _link_from(out.parent, match), page)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return headings[0][1] if headings else path.stem


def _link_from(folder: Path, match: re.Match[str]) -> str:
    """A link of a notebook as its page in ``folder`` has it: to another page, or a file of the repository."""
    target, anchor = Path(match[1]), match[2] or ""
    if target.suffix == ".ipynb":
        return f'href="{target.with_suffix(".html").as_posix()}{anchor}"'
    if (ROOT / target).exists():
        return f'href="{Path(os.path.relpath(ROOT / target, folder)).as_posix()}{anchor}"'
    return match[0]


def render_notebooks(
    paths: Sequence[Path], out: Path, note: str = "", index: str = "index.html"
) -> list[tuple[str, str]]:
    """A page for each notebook in the folder ``out``, each linked to the next; file names and titles."""
    names = [path.with_suffix(".html").name for path in paths]
    each = zip(paths, names, [*names[1:], ""], strict=False)
    return [(name, render_notebook(path, out / name, note, after, index)) for path, name, after in each]


def write_index(folder: Path, name: str, sections: Sequence[Section]) -> Path:
    """Write ``index.html``: the scores in the folder, the sections, and the confusion matrices; its path.

    Pages, scores and matrices lie in ``folder``; ``name`` is that of the data set. Sections without pages are
    left out. Scores are what ``evaluate.py --json`` wrote, and the text beside them is their page.
    """
    scores = [
        {**json.loads(path.read_text("utf-8")), "title": path.stem, "page": path.with_suffix(".txt").name}
        for path in sorted(folder.glob("[!.]*.json"))
    ]
    matrices = [(f"{score['title']}.png", score["title"]) for score in scores]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), trim_blocks=True, autoescape=True)
    page = environment.get_template("index.html.j2").render(
        name=name,
        scores=scores,
        sections=[section for section in sections if section.pages],
        matrices=[pair for pair in matrices if (folder / pair[0]).exists()],
    )
    index = folder / "index.html"
    with atomic_write(index) as partial:
        partial.write_text(page, encoding="utf-8")
    return index
