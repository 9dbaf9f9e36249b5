"""imagededup's PHash on one folder; runs in the peers' virtual environment.

In: a folder and the largest Hamming distance. Out: JSON, a list of [path, path, bits], paths relative to it.

imagededup imports torch and torchvision, which its PHash does not use: here they are inert stand-ins.
"""

import argparse
import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

import sklearn.metrics.pairwise  # noqa: F401 - before the stand-ins: it asks whether arrays are torch's

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("bits", type=int)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    found = import_phash()(verbose=False).find_duplicates(
        image_dir=options.folder, recursive=True, scores=True, max_distance_threshold=options.bits
    )
    pairs = [(a, b, int(bits)) for a, near in found.items() for b, bits in near if a < b]
    options.out.write_text(json.dumps(pairs))


if __name__ == "__main__":
    main()
