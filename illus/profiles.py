"""How much is done: the seed and the two profiles.

In: the environment variable ``PROFILE``. Out: constants and small functions.
"""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

SEED = 0


@dataclass(frozen=True)
class Profile:
    """How much work is done; None means no limit."""

    name: str
    max_per_class: int | None  # images of each class, in training and in validation
    max_epochs: int | None
    max_steps: int | None  # of an epoch, where a configuration sets its steps
    seeds: tuple[int, ...]  # of the repetitions of a comparison


PROFILES = {
    "quick": Profile("quick", max_per_class=150, max_epochs=6, max_steps=6, seeds=(0, 1)),
    "full": Profile("full", max_per_class=None, max_epochs=None, max_steps=None, seeds=(0, 1, 2)),
}


def profile() -> Profile:
    """The profile that ``PROFILE`` names, ``quick`` if it is not set; ValueError for an unknown name."""
    name = os.environ.get("PROFILE") or "quick"
    if name not in PROFILES:
        raise ValueError(f"PROFILE={name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def environment(folder: str | Path) -> str:
    """Two lines on what a notebook runs with: versions; profile, seed and data."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy", "pandas"))
    done = f"profile {profile().name}, seed {SEED}, data {Path(folder).as_posix()}"
    return f"Python {platform.python_version()}, {versions}\n{done}"
