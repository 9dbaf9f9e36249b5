"""Writes recorded measurements into the documents, between marks, and into ``results/benchmarks.md``.

    python -m benchmarks.documents

In: :mod:`benchmarks.tables` and :mod:`benchmarks.records`. Out: README, CONTRIBUTING and ``docs/``, in which
the tables between ``<!-- table: NAME -->`` and ``<!-- /table -->``, the numbers between
``<!-- value: NAME -->`` and ``<!-- /value -->`` and the texts of links to sections of notebooks are renewed.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from benchmarks import dates, records
from benchmarks.korean import KOREAN
from benchmarks.tables import TABLES, read, readable, values
from benchmarks.tree import tree
from evaluate import atomic_write
from illus import config
from illus.report.records import days

PAGE = config.RESULTS / "benchmarks.md"
TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- value: ([^>]+?) -->).*?(<!-- /value -->)", re.DOTALL)
SECTION = re.compile(r'<a id="([\w-]+)"></a>\s*#+ (.+)')
LINK = re.compile(r"\[[^\]]*\]\(((?:\.\./)?([\w.]+\.ipynb)#([\w-]+))\)")
ABBREVIATIONS = {"f1", "mb", "auc", "auroc", "ap"}
PHRASES = "|".join(map(re.escape, sorted(KOREAN, key=len, reverse=True)))
WORDS = re.compile(rf"(?<![\w-])(?:{PHRASES})(?![\w-])")
BLOCKS: Mapping[str, Callable[[], pd.DataFrame | str]] = {**TABLES, "renewed": records.renewed, "tree": tree}


def documents() -> list[Path]:
    """The documents that contain marks, or may."""
    return [*sorted(Path().glob("*.md")), *sorted(Path("docs").glob("*.md"))]


def markdown(table: pd.DataFrame, korean: bool = False) -> str:
    """A table as Markdown; numbers are aligned to the right, words are translated where ``korean``."""
    shown = readable(table)
    rows = [list(map(str, table.columns)), *shown.to_numpy().tolist()]
    if korean:
        rows = [[WORDS.sub(lambda match: KOREAN[match[0]], text) for text in row] for row in rows]
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    marks = ["---:" if pd.api.types.is_numeric_dtype(table[title]) else "---" for title in table]
    return "\n".join([lines[0], "| " + " | ".join(marks) + " |", *lines[1:]]) + "\n"


def sections(notebook: str | Path) -> dict[str, str]:
    """The headings of a notebook's sections, by their anchors."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return {anchor: heading.strip() for text in texts for anchor, heading in SECTION.findall(text)}


def renew(text: str, korean: bool = False) -> str:
    """The same document with its marked tables and numbers, and headings of notebooks, rendered anew.

    Raises
    ------
    ValueError
        A mark names a table or a number, or a link a section, that does not exist.
    """
    numbers = values()

    def known(names: Mapping[str, object], name: str) -> None:
        if name not in names:
            raise ValueError(f"a document names {name!r}, but there are only {', '.join(names)}")

    def table(match: re.Match[str]) -> str:
        known(BLOCKS, match[2])
        made = BLOCKS[match[2]]()
        text = made if isinstance(made, str) else markdown(made, korean)
        return f"{match[1]}\n{text}\n{match[3]}"  # blank lines: some readers of Markdown need them

    def value(match: re.Match[str]) -> str:
        known(numbers, match[2])
        return f"{match[1]}{numbers[match[2]]}{match[3]}"

    def link(match: re.Match[str]) -> str:
        headings = sections(match[2])
        known(headings, match[3])
        return f"[{match[2][:2]} · {headings[match[3]]}]({match[1]})"

    return LINK.sub(link, VALUE.sub(value, TABLE.sub(table, text)))


def title(column: str) -> str:
    """A column of a recorded table as a title: words, abbreviations in capitals."""
    return " ".join(word.upper() if word in ABBREVIATIONS else word for word in column.split("_"))


def benchmarks_page() -> str:
    """``results/benchmarks.md``: every recorded table."""
    names = records.recorded()
    parts = [records.HEAD, " · ".join(f"[{name}](#{name})" for name in names) + "\n"]
    for name in names:
        record, table = records.described(name), read(name)
        machine = f" Machine: {record.machine}." if record.machine else ""
        renewal = "" if record.command == "nothing" else f" Renewed by `{record.command}`."
        recorded = f"recorded {days(config.RESULTS / f'{name}.csv')}"
        place = f"{len(table):,} rows in [{name}.csv]({name}.csv), {recorded}."
        parts.append(f"## {name}\n\n{record.what}{renewal}{machine} {place}\n")
        if record.summary or len(table) <= records.LONGEST:
            shown = record.summary(table) if record.summary else table
            parts.append(markdown(shown.rename(columns=title)))
    return "\n".join(parts)


def rendered() -> dict[Path, str]:
    """Every document as it should be, with the dates that are recorded."""
    pages = {
        path: renew(path.read_text(encoding="utf-8"), path.name.endswith(".ko.md")) for path in documents()
    }
    return pages | {PAGE: benchmarks_page()}


def write_changed(path: Path, text: str) -> None:
    """Write a file that is not up to date, and name it."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic_write(path) as partial:
            Path(partial).write_text(text, encoding="utf-8", newline="\n")
        print(f"{path} renewed")


def main() -> int:
    """Write ``results/dates.csv`` and the documents, those that are not up to date; 0."""
    write_changed(dates.DATES, dates.rendered())
    for path, text in rendered().items():
        write_changed(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
