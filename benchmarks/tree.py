"""What is where: the folders and modules of the repository, each with the first sentence of its docstring.

In: the Python files of ``illus/``, ``benchmarks/`` and ``tests/``. Out: text, for ``docs/tree.md``.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOTS = ("evaluate.py", "illus", "benchmarks")
WIDTH = 30  # columns of the names


def sentence(path: Path) -> str:
    """First sentence of the docstring of a module, or of a package, without its full stop."""
    file = path / "__init__.py" if path.is_dir() else path
    text = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "") if file.exists() else ""
    return text.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".").replace("``", "")


def lines(path: Path, depth: int = 0) -> Iterator[str]:
    """A line for a file or folder, then those of what is in it."""
    name = f"{'  ' * depth}{path.name}{'/' if path.is_dir() else ''}"
    yield f"{name:<{WIDTH}}{sentence(path)}".rstrip()
    if path.is_dir():
        inside = [p for p in sorted(path.iterdir()) if p.suffix == ".py" and p.stem != "__init__"]
        folders = [p for p in sorted(path.iterdir()) if p.is_dir() and any(p.glob("*.py"))]
        for child in [*inside, *folders]:
            yield from lines(child, depth + 1)


def tree() -> str:
    """The whole, as a block of Markdown."""
    return "\n".join(["```", *(line for root in ROOTS for line in lines(Path(root))), "```", ""])
