"""From class folders to a catalog, a cleaned data set and a trained CNN.

Importing this package or any of its modules has no side effect. The names in ``HOME`` are its public ones;
each is imported when it is first asked for, so that ``import illus`` is quick.
"""

import importlib
from typing import Any

HOME = {
    "scan": "illus.files.catalog",
    "find_duplicates": "illus.copies.duplicates",
    "find_photos": "illus.photos.finder",
    "split": "illus.dataset.split",
    "resample": "illus.dataset.resample",
    "train": "illus.learn.training",
    "multiply_adds": "illus.learn.networks",
}
__all__ = list(HOME)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOME])
