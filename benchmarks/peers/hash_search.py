"""The exact search for near hashes among random ones, with planted pairs.

In: how many hashes, and a radius in bits. Out: JSON with seconds, cpu_seconds, pairs, and found: the share of
the planted pairs, one for each hundred hashes.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from illus.clean.candidates import near_hashes


def planted_hashes(n: int, radius: int) -> np.ndarray:
    """Random hashes, of which hash i and hash n - 1 - i differ in ``radius`` bits for i < n // 100."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, n, np.uint64)
    for i in range(n // 100):
        bits = rng.choice(64, radius, replace=False).astype(np.uint64)
        hashes[i] = hashes[n - 1 - i] ^ (np.uint64(1) << bits).sum()
    return hashes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int)
    parser.add_argument("radius", type=int)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    hashes = planted_hashes(options.n, options.radius)
    start, cpu_start = time.perf_counter(), time.process_time()
    pairs = near_hashes(hashes, options.radius)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    planted = {(i, options.n - 1 - i) for i in range(options.n // 100)}
    found = len(planted & set(map(tuple, pairs.tolist()))) / len(planted)
    report = {"seconds": seconds, "cpu_seconds": cpu_seconds, "pairs": len(pairs), "found": found}
    options.out.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
