"""The exact search for near hashes among perturbed real ones, with planted pairs.

In: a file of hashes (.npy), how many are wanted, and a radius in bits. Out: JSON with seconds, pairs, and
found: the share of the planted pairs, one for each hundred hashes.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from illus.copies.candidates import hash_pairs

FLIPPED = 1 / 4  # share of the bits of a real hash that are flipped, so that its copies are not near


def planted_hashes(real: np.ndarray, n: int, radius: int) -> np.ndarray:
    """Real hashes with flipped bits; hash i and hash n - 1 - i differ in ``radius`` bits for i < n // 100.

    Bits that many real hashes share stay more common than others, as chance would not make them.
    """
    rng = np.random.default_rng(0)
    hashes = real[rng.integers(0, len(real), n)]
    for bit in range(64):
        hashes ^= (rng.random(n) < FLIPPED).astype(np.uint64) << np.uint64(bit)
    planted = np.arange(n // 100)
    bits = rng.permuted(np.tile(np.arange(64, dtype=np.uint64), (len(planted), 1)), axis=1)[:, :radius]
    hashes[planted] = hashes[n - 1 - planted] ^ (np.uint64(1) << bits).sum(axis=1, dtype=np.uint64)
    return hashes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("n", type=int)
    parser.add_argument("radius", type=int)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    hashes = planted_hashes(np.load(options.real), options.n, options.radius)
    start = time.perf_counter()
    pairs = hash_pairs(hashes, options.radius)
    seconds = time.perf_counter() - start
    planted = np.arange(options.n // 100)
    found = np.isin(planted, pairs[pairs.sum(1) == options.n - 1, 0]).mean()
    report = {"seconds": seconds, "pairs": len(pairs), "found": float(found)}
    options.out.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
