"""imagededup's PHash; settings: the largest Hamming distance, as in "PHash, 10 bits"; one search serves all.

imagededup imports torch and torchvision, which its PHash does not use: here they are inert stand-ins.
"""

import sys
from collections.abc import Iterator
from unittest.mock import MagicMock

import sklearn.metrics.pairwise  # noqa: F401 - before the stand-ins: it asks whether arrays are torch's

from benchmarks.peers.groups import Groups, write_groups

STAND_INS = (
    "torch",
    "torch.nn",
    "torch.utils",
    "torch.utils.data",
    "torchvision",
    "torchvision.models",
    "torchvision.transforms",
    "torchvision.transforms.transforms",
    "torchvision.models.vision_transformer",
)


def import_phash() -> type:
    """imagededup's class PHash."""
    sys.modules.update({name: MagicMock() for name in STAND_INS})
    from imagededup.methods import PHash

    for name in STAND_INS:
        del sys.modules[name]
    return PHash


def find(folder: str, files: list[str], settings: list[str]) -> Iterator[Groups]:
    limits = [int(setting.split()[-2]) for setting in settings]
    found = import_phash()(verbose=False).find_duplicates(
        image_dir=folder, recursive=True, scores=True, max_distance_threshold=max(limits)
    )
    pairs = [(a, b, bits) for a, near in found.items() for b, bits in near if a < b]
    for limit in limits:
        yield [[a, b] for a, b, bits in pairs if bits <= limit]


if __name__ == "__main__":
    write_groups(find)
