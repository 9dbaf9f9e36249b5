"""Hashes of texts and of code: ids of runs, which code a table is of, what a cache was made by.

In: a text, or Python files. Out: hexadecimal digits.
"""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

import evaluate

ROOT = Path(evaluate.__file__).parent
HASH_DIGITS = 12  # hexadecimal, of every id and hash
READER = ("decode_image", "fit_image", "read_file")  # of evaluate.py, with all that they call and name
NETWORK = ("build_network",)  # the same, for what is trained


def digest(text: str) -> str:
    """``HASH_DIGITS`` hexadecimal digits of a text, which may hold file names that are not UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_DIGITS]


def code_of(paths: Iterable[str | Path], scorer: Iterable[str] = READER) -> str:
    """``HASH_DIGITS`` hexadecimal digits that change with the code that decides a result, not with comments.

    Of the syntax trees, without docstrings, of Python files (relative ones start at the root of the
    repository), or of what they define (``file.py:NAME,OTHER``), and of functions of evaluate.py; with the
    functions and constants that these reach in their file.
    """
    trees: list[ast.AST] = []
    for path in paths:
        file, _, names = str(path).partition(".py:")  # a path may hold a colon, too
        source = Path(ROOT, file.removesuffix(".py") + ".py").read_text("utf-8")
        trees += reached(source, names.split(",")) if names else [ast.parse(source)]
    source = Path(evaluate.__file__).read_text("utf-8")
    return digest("\n".join(structure(tree) for tree in [*trees, *reached(source, scorer)]))


def reached(source: str, names: Iterable[str]) -> list[ast.AST]:
    """What defines these names in a module, and all names that they use; sorted by name."""
    statements = ast.parse(source).body
    defined = {name: part for statement in statements for name, part in _definitions(statement)}
    found, waiting = dict[str, ast.AST](), list(names)
    while waiting:
        name = waiting.pop()
        if name in defined and name not in found:
            found[name] = defined[name]
            waiting += [node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)]
    return list({id(found[name]): found[name] for name in sorted(found)}.values())


def _definitions(statement: ast.stmt) -> list[tuple[str, ast.AST]]:
    """The names that a statement of a module defines, each with what defines it."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [(statement.name, statement)]
    if isinstance(statement, ast.ImportFrom):
        single = ((name, ast.ImportFrom(statement.module, [name], 0)) for name in statement.names)
        return [(name.asname or name.name, node) for name, node in single]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = (part for part in ast.walk(statement) if isinstance(part, ast.Name))
        return [(part.id, statement) for part in targets if isinstance(part.ctx, ast.Store)]
    return []


def structure(node: object) -> str:
    """A syntax tree as text, without docstrings, comments and places; the same in every version of Python."""
    # ast.unparse and ast.dump are not the same: fields and quotes changed from 3.11 to 3.13
    if isinstance(node, list):
        return ",".join(structure(item) for item in node)
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
        parts["body"] = parts["body"][1:]
    if isinstance(parts.get("body"), list):  # of a class with a docstring alone, "pass" does nothing
        parts["body"] = [statement for statement in parts["body"] if not isinstance(statement, ast.Pass)]
    kept = ((name, part) for name, part in parts.items() if part is not None and part != [])
    fields_of = " ".join(f"{name}={structure(part)}" for name, part in kept if name not in ("ctx", "kind"))
    return f"{type(node).__name__}({fields_of})"
