"""The direction of the arrows: each room of illus/ may import only what stands below it."""

import ast
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {"evaluate"} | {f"illus.{name}" for name in ("profiles", "work_folders", "hashing", "parallel")}
ROOMS = ["files", "copies", "photos", "dataset", "learn", "report", "emoji20", "pipeline", "__main__"]
BELOW = {room: set(ROOMS[: number + 1]) for number, room in enumerate(ROOMS)}


def imports_of(source):
    """Modules of this project that a source imports, as dotted names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(room, source):
    """Imports that do not point down."""
    allowed = GROUND | {f"illus.{below}" for below in BELOW.get(room, ())}
    ours = [name for name in imports_of(source) if name.split(".")[0] in ("illus", "evaluate")]
    return [name for name in ours if not any(f"{name}.".startswith(f"{below}.") for below in allowed)]


def room_of(path):
    inside = path.relative_to(ROOT / "illus")
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


@pytest.mark.parametrize(
    "path", sorted((ROOT / "illus").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_nothing_points_up(path):
    assert not wrong_imports(room_of(path), path.read_text("utf-8"))


def test_the_check_sees_what_it_must():
    assert wrong_imports("copies", "from illus.learn import plan") == ["illus.learn.plan"]
    assert wrong_imports("learn", "def f():\n    import illus.report.figures") == ["illus.report.figures"]
    assert wrong_imports("profiles", "from illus import parallel, files") == ["illus.files"]
    right = "from illus.files.catalog import scan\nfrom illus import profiles\nimport cv2"
    assert not wrong_imports("dataset", right)


def test_benchmarks_import_modules_that_are_there():
    """Whether these have what is used, mypy knows; of the package itself it believes every name."""
    sources = (path.read_text("utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    names = {name for source in sources for name in imports_of(source) if re.fullmatch(r"illus\.\w+", name)}
    assert [name for name in names if not find_spec(name)] == []


def test_notebooks_import_from_the_package_only():
    for path in ROOT.glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert not any(re.search(r"^\s*(?:from|import) benchmarks", text, re.MULTILINE) for text in sources)
