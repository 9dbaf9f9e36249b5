"""Where things are and how much is done: paths, seeds and the two profiles.

In: the environment variables ``DATA_DIR`` and ``PROFILE``. Out: constants and small functions.
All paths are relative to the root of the repository, where notebooks and commands run.
"""

import os
from dataclasses import dataclass
from pathlib import Path

SEED = 0
EMOJI20 = Path("data/emoji20")
SOURCES = Path("work/emoji20-sources")
RESULTS = Path("results")
WEIGHTS = Path("weights/best.h5")
