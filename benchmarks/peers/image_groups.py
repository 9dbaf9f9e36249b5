"""The search for duplicates among perturbed descriptors of real images, with planted copies, by stage.

In: a folder with columns.npy and thumbnails of real images, how many are wanted, the number of images up to
which neighbours are searched exactly, and how many pairs are compared, beside the planted copies, at most.
Out: JSON with the seconds of each stage (comparing: without the planted copies, which are few in a collection
and soon compared), the number of pairs, of those compared, and found: the share of the planted copies, one
for each twenty images; and the pairs (.npz) with their distances, ``FAR`` for those that were not compared.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from illus.copies.candidates import ROWS_AT_ONCE
from illus.copies.compare import PAIRS_PER_TASK, pair_distances
from illus.copies.duplicates import candidate_pairs, resolve_duplicates
from illus.copies.settings import DuplicateSettings
from illus.files.descriptors import COLUMNS, Descriptors

FLIPPED = 1 / 4  # share of the bits of a hash that are flipped
SHIFT, NOISE = 40, 12  # levels, sd of the change of an image's three channels, and of each cell
SHAPE_NOISE = 0.02  # sd, added to each of the 512 numbers of a shape, about half of its length
FAR = 1e6  # the distance of pairs that are not compared
PLANTED = 20  # images to one copy, which differs in a level of brightness


class Perturbed(Descriptors):
    """Real images in other colours: their thumbnails are the real ones, changed when they are read."""

    def __init__(self, folder: Path, n_images: int) -> None:
        rng = np.random.default_rng(0)
        real, self.file = np.load(folder / "columns.npy"), (folder / "thumbnails").open("rb")
        self.columns = np.zeros(n_images, COLUMNS)
        self.places = rng.integers(0, len(real), n_images)
        self.shifts = rng.normal(0, SHIFT, (n_images, 3)).astype(np.float32)
        for rows in np.array_split(np.arange(n_images), n_images // ROWS_AT_ONCE + 1):
            self.columns[rows] = perturbed(real[self.places[rows]], self.shifts[rows], rng)
        self.columns["pixels"] = [f"{row:064x}" for row in range(n_images)]
        copies = planted(n_images)
        self.places[copies], self.shifts[copies] = self.places[-1 - copies], self.shifts[-1 - copies] + 1
        for name in ("size", "box", "whole", "content", "shape"):
            self.columns[name][copies] = self.columns[name][-1 - copies]
        self.columns["colours"][copies] = self.columns["colours"][-1 - copies] + 1

    def __getitem__(self, key):
        found = super().__getitem__(key)
        if not isinstance(key, str):
            found.shifts = self.shifts[key]
        return found

    def _thumbnails(self) -> np.ndarray:
        return (super()._thumbnails() + self.shifts[:, None, None]).clip(0, 255).astype(np.uint8)

    def stored(self, rows: np.ndarray) -> Descriptors:
        """The same images, with the changed thumbnails of some rows in a file, as a collection has them."""
        images = Descriptors(0)
        images.columns, images.places = self.columns, np.zeros(len(self), np.int64)
        images.places[rows] = np.arange(len(rows))
        for part in np.array_split(rows, len(rows) // 1000 + 1):
            images.file.write(self[part]["thumbnail"].tobytes())
        return images


def planted(n_images: int) -> np.ndarray:
    """Images i that are copies of the images ``n_images - 1 - i``."""
    return np.arange(n_images // PLANTED)


def perturbed(real: np.ndarray, shifts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Columns of real images, dtype ``COLUMNS``, with other hashes, colours and shapes."""
    columns = real.copy()
    columns["colours"] += shifts[:, None, None]
    columns["colours"] += NOISE * rng.standard_normal(columns["colours"].shape, np.float32)
    columns["shape"] += SHAPE_NOISE * rng.standard_normal(columns["shape"].shape, np.float32)
    columns["shape"] /= np.linalg.norm(columns["shape"], axis=1, keepdims=True)
    for name in ("whole", "content"):
        flips = np.packbits(rng.random((len(real), 64)) < FLIPPED, axis=1)
        columns[name] ^= flips.view(np.uint64)[:, 0]
    return columns


def sample_pairs(pairs: np.ndarray, n_images: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs are planted copies, bool, and the places of others, drawn at random, that are compared.

    Drawn are runs of pairs that follow one another and so share images, as in the tasks of a search.
    """
    copies = (pairs.sum(1) == n_images - 1) & (pairs[:, 0] < n_images // PLANTED)
    others = np.flatnonzero(~copies)
    runs = np.array_split(others, len(others) // PAIRS_PER_TASK + 1)
    drawn = np.sort(np.random.default_rng(0).permutation(len(runs))[: -(-most // PAIRS_PER_TASK)])
    return copies, np.concatenate([runs[run] for run in drawn])[:most]


def files_of(descriptors: Descriptors) -> pd.DataFrame:
    """A table as from :func:`illus.copies.duplicates.distinct_images`, one file for each image."""
    rows = np.arange(len(descriptors))
    width, height = descriptors["size"].T
    names = descriptors["pixels"].astype(str)
    columns = {"path": names, "class_name": "A", "bytes": 1000, "sha256": names, "lossless": True}
    return pd.DataFrame({**columns, "n_pixels": width * height, "image": rows})


def main() -> None:
    real, out = Path(sys.argv[1]), Path(sys.argv[5])
    n_images, max_exact, most = map(int, sys.argv[2:5])
    settings = DuplicateSettings(max_exact=max_exact)
    descriptors = Perturbed(real, n_images)
    begin = time.perf_counter()
    pairs = candidate_pairs(descriptors, settings)
    seconds = {"candidates": time.perf_counter() - begin}
    (copies, others), distances = sample_pairs(pairs, n_images, most), np.full(len(pairs), FAR)
    descriptors = descriptors.stored(np.unique(np.concatenate([pairs[copies], pairs[others]])))
    distances[copies] = pair_distances(descriptors, pairs[copies], settings)
    begin = time.perf_counter()
    distances[others] = pair_distances(descriptors, pairs[others], settings)
    seconds["compare"] = time.perf_counter() - begin
    begin = time.perf_counter()
    table = resolve_duplicates(files_of(descriptors), descriptors, pairs, distances, settings)
    seconds["groups"] = time.perf_counter() - begin
    names, leaders = descriptors["pixels"].astype(str), dict(zip(table.path, table.copy_of, strict=True))
    found = [leaders.get(names[-1 - i]) == names[i] for i in planted(n_images)]
    report = {**seconds, "pairs": len(pairs), "compared": len(others), "found": float(np.mean(found))}
    out.write_text(json.dumps(report))
    np.savez(f"{out}.npz", pairs=pairs, distances=distances)


if __name__ == "__main__":
    main()
