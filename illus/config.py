"""Where things are and how much is done: paths, seeds and the two profiles.

In: the environment variables ``DATA_DIR`` and ``PROFILE``. Out: constants and small functions.
All paths are relative to the root of the repository, where notebooks and commands run.
"""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

SEED = 0
EMOJI20 = Path("data/emoji20")
EMOJI20_SOURCES = Path("work/emoji20-sources")
DOWNLOADED = Path("data/training")
RESULTS = Path("results")
TRAINING_NAMES = {"training", "train"}


@dataclass(frozen=True)
class Profile:
    """How much work is done."""

    name: str
    max_per_class: int | None  # images of each class, None for all
    max_epochs: int | None  # caps every configuration's epochs, None for no cap
    max_steps: int | None  # caps the steps of an epoch where a configuration sets them
    seeds: tuple  # repetitions of a comparison


PROFILES = {
    "quick": Profile("quick", max_per_class=150, max_epochs=6, max_steps=6, seeds=(0, 1)),
    "full": Profile("full", max_per_class=None, max_epochs=None, max_steps=None, seeds=(0, 1, 2)),
}


def profile():
    """The profile that ``PROFILE`` names; ``quick`` where it is not set."""
    name = os.environ.get("PROFILE") or "quick"
    if name not in PROFILES:
        raise ValueError(f"PROFILE={name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def environment(folder):
    """One line on what a notebook runs with: versions, profile, seed, data."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy", "pandas"))
    return (
        f"Python {platform.python_version()}, {versions}\n"
        f"profile {profile().name}, seed {SEED}, data {Path(folder).as_posix()}"
    )


def data_dir():
    """The class folders to work on: ``DATA_DIR``, else emoji20's training folder."""
    return Path(os.environ.get("DATA_DIR") or EMOJI20 / "training")


def test_folders(folder):
    """Class folders to score, beside a folder called training or train: those whose names begin with test."""
    folder = Path(folder)
    if folder.name.lower() not in TRAINING_NAMES:
        return []
    return sorted(path for path in folder.parent.glob("test*") if path.is_dir())


def weights_path(folder):
    """Where the model of a folder goes: ``weights/best.h5`` for all of emoji20, else its work folder."""
    shipped = profile().name == "full" and Path(folder) == EMOJI20 / "training"
    return Path("weights/best.h5") if shipped else work_dir(folder) / "best.h5"


def work_dir(folder):
    """Where stages write their tables for a folder of class folders: ``work/<dataset>``."""
    folder = Path(folder).resolve()
    if folder.is_relative_to(Path("work").resolve()):
        raise ValueError(f"{folder} is inside work/, where the stages write: move it elsewhere")
    name = folder.parent.name if folder.name.lower() in TRAINING_NAMES else folder.name
    return Path("work") / (name or "data")
