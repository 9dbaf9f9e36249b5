"""The direction of the arrows: each wing of illus/ may import only what stands below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {"evaluate"} | {f"illus.{name}" for name in ("config", "hashing", "parallel")}
ROOMS = ["files", "copies", "photos", "dataset", "learn", "report", "emoji20", "pipeline", "__main__"]
BELOW = {room: set(ROOMS[: number + 1]) for number, room in enumerate(ROOMS)}


def imports_of(source):
    """Modules of this project that a source imports, as dotted names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(wing, source):
    """Imports that do not point down."""
    allowed = GROUND | {f"illus.{below}" for below in BELOW.get(wing, ())}
    ours = [name for name in imports_of(source) if name.split(".")[0] in ("illus", "evaluate")]
    return [name for name in ours if not any(f"{name}.".startswith(f"{below}.") for below in allowed)]


def wing_of(path):
    inside = path.relative_to(ROOT / "illus")
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


MODULES = sorted((ROOT / "illus").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_points_up(path):
    assert not wrong_imports(wing_of(path), path.read_text("utf-8"))


def test_the_check_sees_what_it_must():
    assert wrong_imports("copies", "from illus.learn import plan") == ["illus.learn.plan"]
    assert wrong_imports("learn", "def f():\n    import illus.report.figures") == ["illus.report.figures"]
    assert wrong_imports("config", "from illus import parallel, files") == ["illus.files"]
    assert not wrong_imports(
        "dataset", "from illus.files.catalog import scan\nfrom illus import config\nimport cv2"
    )


def test_modules_are_short_and_the_wings_are_there():
    assert all((ROOT / "illus" / wing / "__init__.py").exists() for wing in ROOMS[:-2])
    for path in MODULES:
        assert len(path.read_text("utf-8").splitlines()) <= 350, path


def public_functions(tree):
    """Functions and methods of a module that others may call, with the names of what they are in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def unannotated(source):
    """Public functions without a return type, or with a parameter that has none."""
    for function in public_functions(ast.parse(source)):
        parameters = function.args.args + function.args.kwonlyargs
        if function.returns is None or any(p.annotation is None and p.arg != "self" for p in parameters):
            yield function.name


@pytest.mark.parametrize(
    "path", [*MODULES, ROOT / "evaluate.py"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_public_functions_have_type_annotations(path):
    assert not list(unannotated(path.read_text("utf-8")))


def test_the_check_of_annotations_sees_what_it_must():
    assert list(
        unannotated("def f(x): pass\nclass A:\n    def g(self) -> int: pass\n    def h(self): pass")
    ) == ["f", "h"]
    assert not list(unannotated("def f(x: int) -> int: pass\ndef _g(x): pass"))
