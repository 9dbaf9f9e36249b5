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
READER = ("open_image", "check_tiff", "to_rgb", "decode_image", "read_file", "fit_image")  # of evaluate.py


def digest(text: str) -> str:
    """``HASH_DIGITS`` hexadecimal digits of a text, which may hold file names that are not UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_DIGITS]


def code_of(paths: Iterable[str | Path]) -> str:
    """``HASH_DIGITS`` hexadecimal digits that change with the code that decides a result, not with comments.

    Of the syntax trees, without docstrings, of these files and of ``READER`` in evaluate.py.

    Parameters
    ----------
    paths : iterable of str or Path
        Python files; relative ones start at the root of the repository.
    """
    trees = [ast.parse(Path(ROOT, path).read_text("utf-8")) for path in paths]
    reader = ast.parse(Path(evaluate.__file__).read_text("utf-8"))
    reader.body = [node for node in reader.body if getattr(node, "name", None) in READER]
    return digest("\n".join(structure(tree) for tree in [*trees, reader]))


def structure(node: object) -> str:
    """A syntax tree as text, without docstrings, comments and places; the same in every version of Python.

    ``ast.unparse`` and ``ast.dump`` are not: fields and quotes changed from 3.11 to 3.13.
    """
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
