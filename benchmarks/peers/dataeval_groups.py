"""DataEval's exact and near duplicates: the same pixels, or the same value of a hash.

Settings: the perceptual hashes to compute, as in "phash + dhash". DataEval imports torch, which its hashes do
not use: here it is an inert stand-in.
"""

import sys
from collections.abc import Iterator
from functools import reduce
from operator import or_
from unittest.mock import MagicMock

import numpy as np
import sklearn.metrics.pairwise  # noqa: F401 - before the stand-ins: it asks whether arrays are torch's
from PIL import Image

from benchmarks.peers.groups import Groups, write_groups

EVERY_CORE = -1


def stand_in_for_torch() -> None:
    """Modules without content, but with the classes that DataEval derives from or names in annotations."""
    torch = MagicMock()
    for name in ("Tensor", "device", "dtype"):
        setattr(torch, name, type(name, (), {}))
    torch.nn.Module = type("Module", (), {})
    modules = {"": torch, ".nn": torch.nn, ".nn.functional": torch.nn.functional}
    modules |= {".utils": torch.utils, ".utils.data": torch.utils.data}
    sys.modules.update({f"torch{name}": module for name, module in modules.items()})


class Images:
    """A dataset as DataEval takes it: item i is the i-th file, uint8 RGB, shape (3, height, width)."""

    def __init__(self, files: list[str]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> np.ndarray:
        with Image.open(self.files[i]) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def find(folder: str, files: list[str], settings: list[str]) -> Iterator[Groups]:
    stand_in_for_torch()
    from dataeval import config
    from dataeval.flags import ImageStats
    from dataeval.quality import Duplicates

    config.set_max_processes(EVERY_CORE)
    for setting in settings:
        names = ("xxhash", *setting.split(" + "))
        flags = reduce(or_, (ImageStats[f"HASH_{name.upper()}"] for name in names))
        found = Duplicates(flags=flags).evaluate(Images(files))
        groups = [*found.exact, *(group for group, _ in found.near)]
        yield [[files[i] for i in group] for group in groups]


if __name__ == "__main__":
    write_groups(find)
