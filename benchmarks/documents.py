"""Writes recorded measurements into the documents, between marks, and into ``results/benchmarks.md``.

    python -m benchmarks.documents

In: :mod:`benchmarks.tables` and :mod:`benchmarks.records`. Out: README and ``docs/``, in which
the tables between ``<!-- table: NAME -->`` and ``<!-- /table -->``, the numbers between
``<!-- value: NAME -->`` and ``<!-- /value -->`` and the texts of links to sections of notebooks are renewed.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmarks import records
from benchmarks.tables import TABLES, readable, values
from evaluate import atomic_write
from illus import work_folders

PAGE = work_folders.RESULTS / "benchmarks.md"
TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- value: ([^>]+?) -->).*?(<!-- /value -->)", re.DOTALL)
SECTION = re.compile(r'<a id="([\w-]+)"></a>\s*#+ (.+)')
LINK = re.compile(r"\[[^\]]*\]\(((?:\.\./)?([\w.]+\.ipynb)#([\w-]+))\)")


def documents() -> list[Path]:
    """The documents that contain marks, or may."""
    return [*sorted(Path().glob("*.md")), *sorted(Path("docs").glob("*.md"))]


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown; numbers are aligned to the right."""
    shown = readable(table)
    rows = [list(map(str, table.columns)), *shown.to_numpy().tolist()]
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    marks = ["---:" if pd.api.types.is_numeric_dtype(table[title]) else "---" for title in table]
    return "\n".join([lines[0], "| " + " | ".join(marks) + " |", *lines[1:]]) + "\n"


def sections(notebook: str | Path) -> dict[str, str]:
    """The headings of a notebook's sections, English and Korean with a dot between, by their anchors."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return {anchor: heading.strip() for text in texts for anchor, heading in SECTION.findall(text)}


def renew(text: str, in_korean: bool = False) -> str:
    """The same document with its marked tables and numbers, and headings of notebooks, rendered anew."""
    numbers = values()

    def known(names: Mapping[str, object], name: str) -> None:
        if name not in names:
            raise ValueError(f"a document names {name!r}, but there are only {', '.join(names)}")

    def table(match: re.Match[str]) -> str:
        known(TABLES, match[2])
        make, recorded = TABLES[match[2]]
        made = markdown(make())
        if recorded and not records.is_of_todays_code(recorded):
            made += records.EARLIER
        return f"{match[1]}\n{made}\n{match[3]}"  # blank lines: some readers of Markdown need them

    def value(match: re.Match[str]) -> str:
        known(numbers, match[2])
        return f"{match[1]}{numbers[match[2]]}{match[3]}"

    def link(match: re.Match[str]) -> str:
        headings = sections(match[2])
        known(headings, match[3])
        english, _, korean = headings[match[3]].partition(" · ")
        number = "".join(re.findall(r"^\d+\. ", english))
        return f"[{match[2][:2]} · {number + korean if in_korean and korean else english}]({match[1]})"

    return LINK.sub(link, VALUE.sub(value, TABLE.sub(table, text)))


def rendered() -> dict[Path, str]:
    """Every document as it should be."""
    texts = {path: path.read_text(encoding="utf-8") for path in documents()}
    made = {path: renew(text, ".ko" in path.suffixes) for path, text in texts.items()}
    return made | {PAGE: records.HEAD + "\n" + markdown(records.index_of_tables())}


def main() -> int:
    """Write the documents that are not up to date; 0."""
    for path, text in rendered().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            with atomic_write(path) as partial:
                Path(partial).write_text(text, encoding="utf-8", newline="\n")
            print(f"{path} renewed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
