"""Descriptors -> candidate pairs of duplicates: near by a hash, or neighbours by a vector.

In: hashes and vectors of images. Out: pairs of positions. A pair is only a candidate: illus.copies.compare
decides.
"""

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from illus.copies.settings import DEFAULTS

BANDS = ((0, 21), (21, 21), (42, 22))  # first bit and width of the parts that a 64-bit hash is cut into
MAX_RADIUS = 5  # bits: at this distance, one of the three parts differs in at most one bit
ROWS_AT_ONCE = 100_000  # that are changed, or compared, in one piece of memory
CELLS_PER_ROOT, SEARCHED_CELLS = 4, 32  # of faiss: cells per square root of points, cells that are searched
TRAINING_POINTS = 64  # of faiss: of a cell, for its k-means


def near_hashes(hashes: np.ndarray, radius: int) -> np.ndarray:
    """Pairs of hashes (uint64, all different) that differ in at most ``radius`` bits; int64, (n, 2), i < j.

    >>> near_hashes(np.array([0, 0b111, 1 << 63], np.uint64), 2).tolist()
    [[0, 2]]
    """
    if radius > MAX_RADIUS:
        raise ValueError(f"radius {radius}: at most {MAX_RADIUS} bits can be searched exactly")
    found = [np.empty((0, 2), np.int64)]
    # Multi-index hashing (Norouzi et al. 2012, arXiv:1307.2982): only pairs that differ in at most one bit of
    # a part are compared, which all near pairs do.
    for start, width in BANDS:
        keys = (hashes >> np.uint64(start) & np.uint64((1 << width) - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        for flipped in (0, *(1 << bit for bit in range(width))):
            first, second = _equal_keys(keys[order], keys[order] ^ flipped)
            first, second = order[first], order[second]
            near = (first < second) & (np.bitwise_count(hashes[first] ^ hashes[second]) <= radius)
            found.append(np.column_stack([first[near], second[near]]))
    return unique_pairs(np.concatenate(found))


def _equal_keys(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions in ``wanted`` and in ``keys`` of all equal values; ``keys`` is sorted."""
    left = np.searchsorted(keys, wanted, "left")
    counts = np.searchsorted(keys, wanted, "right") - left
    return np.repeat(np.arange(len(wanted)), counts), np.repeat(left, counts) + count_within(counts)


def hash_pairs(hashes: np.ndarray, radius: int, largest_bucket: int = DEFAULTS.largest_bucket) -> np.ndarray:
    """Pairs of files whose hashes, uint64, differ in at most ``radius`` bits; int64, shape (pairs, 2), i < j.

    Files whose hash is shared by more than ``largest_bucket`` files are not paired. ValueError for a radius
    above ``MAX_RADIUS``.
    """
    values, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts <= largest_bucket)
    near = np.concatenate([np.column_stack([kept, kept]), kept[near_hashes(values[kept], radius)]])
    members, starts = np.argsort(inverse, kind="stable"), np.cumsum(counts) - counts
    n_pairs = counts[near].prod(1)  # all files of one hash with all of the other
    (first, second), within = np.repeat(near, n_pairs, 0).T, count_within(n_pairs)
    firsts = members[starts[first] + within // counts[second]]
    return unique_pairs(np.column_stack([firsts, members[starts[second] + within % counts[second]]]))


def count_within(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... for each length, one after another: [2, 0, 3] gives [0, 1, 0, 1, 2]."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


class Neighbours:
    """Rows, float32 (n, d), of which the nearest ones are searched in ``dimensions`` principal components.

    Up to ``max_exact`` rows all are compared with all; of more, faiss searches the nearest cells only.
    """

    def __init__(
        self, vectors: np.ndarray, *, dimensions: int = 32, max_exact: int = DEFAULTS.max_exact
    ) -> None:
        self.vectors = vectors
        if len(vectors) > 1:
            with np.errstate(invalid="ignore"):  # all rows equal: no variance to explain
                components = min(dimensions, *vectors.shape)
                self.pca = PCA(components, svd_solver="covariance_eigh").fit(vectors)
            self.points = self.pca.transform(vectors)
            self.nearest = _search(self.points, max_exact)

    def pairs(
        self, n_neighbours: int, change: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> np.ndarray:
        """Pairs of each row with its nearest ones; int64 (pairs, 2), i < j.

        ``change`` gives other rows, whose neighbours are searched in place of theirs.
        """
        if len(self.vectors) < 2:
            return np.empty((0, 2), np.int64)
        asked = self.points
        if change is not None:
            parts = np.array_split(self.vectors, len(self.vectors) // ROWS_AT_ONCE + 1)
            asked = np.concatenate([self.pca.transform(change(part)) for part in parts])
        count = min(n_neighbours + (change is None), len(asked))
        near = self.nearest(asked, count)
        pairs = np.column_stack([np.repeat(np.arange(len(asked)), count), near.ravel()])
        return unique_pairs(pairs[pairs[:, 1] >= 0])


def _search(points: np.ndarray, max_exact: int) -> Callable[[np.ndarray, int], np.ndarray]:
    """What finds the positions, int64 (m, count), of the ``count`` points nearest to each of m others."""
    faiss = import_faiss() if len(points) > max_exact else None
    if faiss is None:
        exact = NearestNeighbors(algorithm="brute").fit(points)
        return lambda asked, count: exact.kneighbors(asked, count, return_distance=False)
    # The nearest cells of a k-means partition (Jegou et al. 2011, "Product quantization for nearest neighbor
    # search", section IV), -1 where they hold fewer; copies that are still candidates: results/growth.csv.
    n_cells = int(CELLS_PER_ROOT * len(points) ** 0.5)
    index = faiss.index_factory(points.shape[1], f"IVF{n_cells},Flat")
    index.cp.max_points_per_centroid, index.nprobe = TRAINING_POINTS, SEARCHED_CELLS
    index.train(points)
    index.add(points)
    return lambda asked, count: index.search(asked, count)[1]


def import_faiss() -> ModuleType | None:
    """The library faiss, or None with a warning where it is not installed."""
    try:
        return importlib.import_module("faiss")
    except ImportError:
        warnings.warn(
            "so many images are searched much faster with faiss: python -m pip install faiss-cpu",
            stacklevel=2,
        )
        return None


def unique_pairs(pairs: np.ndarray) -> np.ndarray:
    """Pairs of different positions, the smaller one first, sorted, each once; int64, shape (pairs, 2)."""
    first, second = pairs[pairs[:, 0] != pairs[:, 1]].T
    n = int(pairs.max(initial=0)) + 1
    numbers = np.unique(np.minimum(first, second) * n + np.maximum(first, second))  # faster than of rows
    return np.column_stack(np.divmod(numbers, n))
