"""The search for pairs, compared with a search of all pairs."""

import sys
from itertools import combinations

import numpy as np
import pytest

from illus.copies import candidates
from illus.copies.candidates import MAX_RADIUS, Neighbours, hash_pairs, near_hashes
from illus.copies.duplicates import candidate_pairs
from illus.copies.leaks import cross_pairs
from illus.files.descriptors import DESCRIPTOR


@pytest.fixture(scope="module")
def hashes():
    """Random ones, and for each of some others with 0 to 7 of its bits flipped, anywhere or in one place."""
    rng = np.random.default_rng(0)
    found = list(rng.integers(0, 2**64, 150, np.uint64, endpoint=False))
    for base in found[:60]:
        for flips in range(1, 8):
            for bits in (rng.choice(64, flips, replace=False), rng.integers(0, 57) + np.arange(flips)):
                found.append(base ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64)))
    return rng.permutation(np.unique(np.array(found, np.uint64)))


def brute_force(hashes, radius):
    apart = np.bitwise_count(hashes[:, None] ^ hashes)
    return np.argwhere(np.triu(apart <= radius, 1))


@pytest.mark.parametrize("radius", range(MAX_RADIUS + 1))
def test_near_hashes_are_those_of_all_pairs(hashes, radius):
    expected = brute_force(hashes, radius)
    assert len(expected) >= 100 * radius
    np.testing.assert_array_equal(near_hashes(hashes, radius), expected)
    assert near_hashes(hashes[:1], radius).shape == hash_pairs(hashes[:0], radius).shape == (0, 2)


def test_a_radius_that_cannot_be_searched_exactly_is_an_error(hashes):
    with pytest.raises(ValueError, match=f"at most {MAX_RADIUS} bits"):
        near_hashes(hashes, MAX_RADIUS + 1)


def test_files_with_equal_hashes_are_pairs():
    hashes = np.array([7, 1 << 40, 7, 6, 7, 1 << 63], np.uint64)
    assert hash_pairs(hashes, 0).tolist() == [[0, 2], [0, 4], [2, 4]]
    assert hash_pairs(hashes, 1).tolist() == [[0, 2], [0, 3], [0, 4], [2, 3], [2, 4], [3, 4]]
    assert hash_pairs(hashes, 2).tolist() == [[0, 2], [0, 3], [0, 4], [1, 5], [2, 3], [2, 4], [3, 4]]


def test_a_hash_of_too_many_files_pairs_none():
    hashes = np.array([0, 0, 0, 1, 1, 1 << 50], np.uint64)
    assert hash_pairs(hashes, 0, largest_bucket=3).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert hash_pairs(hashes, 0, largest_bucket=2).tolist() == [[3, 4]]
    assert hash_pairs(hashes, 4, largest_bucket=2).tolist() == [[3, 4], [3, 5], [4, 5]]


def test_neighbours_are_the_nearest():
    points = np.array([[0, 0], [50, 0], [1, 0], [51, 0], [200, 0]], np.float32)
    assert Neighbours(points).pairs(1).tolist() == [[0, 2], [1, 3], [3, 4]]
    # The nearest row of all but the last is the first.
    found = Neighbours(points).pairs(1, lambda rows: rows[[0, 0, 0, 0, 1]])
    assert found.tolist() == [[0, 1], [0, 2], [0, 3], [1, 4]]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_few_rows_are_all_neighbours(n):
    points = np.random.default_rng(n).normal(size=(n, 192)).astype(np.float32)
    for change in (None, lambda rows: rows[::-1]):
        pairs = Neighbours(points).pairs(20, change)
        assert pairs.shape == (n * (n - 1) // 2, 2)
        assert [tuple(p) for p in pairs] == list(combinations(range(n), 2))


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_equal_rows_are_neighbours():
    assert Neighbours(np.ones((2, 192), np.float32)).pairs(6).tolist() == [[0, 1]]


def clustered(n):
    """Points around a hundred centres, each with a twin beside it."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 32))[rng.integers(0, 100, n)] + 0.3 * rng.normal(size=(n, 32))
    return np.repeat(points, 2, axis=0).astype(np.float32) + [[0.0], [1e-3]] * n


@pytest.mark.extras
def test_faiss_finds_nearly_all_that_are_near():
    pytest.importorskip("faiss")
    points = clustered(3000).astype(np.float32)
    exact, found = (Neighbours(points, max_exact=limit).pairs(3) for limit in (10_000, 1_000))
    again = Neighbours(points, max_exact=1_000).pairs(3)
    np.testing.assert_array_equal(found, again)
    exact, found = set(map(tuple, exact.tolist())), set(map(tuple, found.tolist()))
    twins = {(2 * i, 2 * i + 1) for i in range(3000)}
    assert twins <= found
    assert len(exact & found) > 0.97 * len(exact)


def test_without_faiss_the_search_stays_exact(monkeypatch):
    points = clustered(100).astype(np.float32)
    exact = Neighbours(points).pairs(3)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.warns(UserWarning, match="pip install faiss-cpu"):
        np.testing.assert_array_equal(Neighbours(points, max_exact=10).pairs(3), exact)


def test_a_place_that_faiss_leaves_empty_is_no_neighbour(monkeypatch):
    found = np.array([[0, 1], [1, -1], [2, -1]])
    monkeypatch.setattr(candidates, "_search", lambda *arguments: lambda asked, count: found)
    assert Neighbours(np.eye(3, dtype=np.float32)).pairs(1).tolist() == [[0, 1]]


@pytest.mark.parametrize("field", ["whole", "content"])
def test_pairs_are_proposed_by_either_hash_and_by_colour_within_a_folder_and_between_two(field):
    """The last of ten images has a hash of the first, and all others have more alike colours."""
    rng, images = np.random.default_rng(0), np.zeros(10, DESCRIPTOR)
    images["size"], images["box"] = 96, (0, 0, 96, 96)
    images["colours"] = np.arange(10)[:, None, None, None]
    for name in ("whole", "content"):
        images[name] = rng.integers(0, 2**63, 10, np.uint64)
    images[field][9] = images[field][0]
    pairs = candidate_pairs(images).tolist()
    assert [[0, other] in pairs for other in (1, 8, 9)] == [True, False, True]
    assert cross_pairs(images[1:], images[:1]).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [8, 0]]
