"""Pairs and groups on a local Spark are those of the functions for one machine."""

import shutil
from itertools import pairwise

import numpy as np
import pytest

from illus.clean.candidates import hash_pairs, near_hashes
from illus.clean.descriptors import DuplicateSettings
from illus.clean.groups import connected_components
from illus.clean.spark import groups_of, hash_pairs_of

pytestmark = pytest.mark.extras
pyspark = pytest.importorskip("pyspark")
if not shutil.which("java"):
    pytest.skip("needs Java 17 or newer", allow_module_level=True)


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4"}
    builder = SparkSession.builder.master("local[2]").config(map=settings)
    session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    yield session
    session.stop()


def table(spark, hashes):
    rows = list(enumerate(hashes.view(np.int64).tolist()))
    return spark.createDataFrame(rows, "id bigint, hash bigint")


def collected(frame):
    return np.array(sorted(tuple(row) for row in frame.collect()), np.int64).reshape(-1, 2)


def planted(n, rng):
    """n hashes: random ones, and one in ten a copy of another with 0 to 6 bits flipped, in chains."""
    hashes = rng.integers(0, 2**64, n, np.uint64)
    for copy in range(n - n // 10, n):
        bits = rng.choice(64, rng.integers(0, 7), replace=False).astype(np.uint64)
        hashes[copy] = hashes[rng.integers(n - n // 5, copy)] ^ np.bitwise_or.reduce(
            np.uint64(1) << bits, initial=0
        )
    return hashes


def test_the_pairs_of_a_hundred_thousand_hashes_and_their_groups(spark):
    hashes = np.unique(planted(100_000, np.random.default_rng(0)))
    expected = near_hashes(hashes, DuplicateSettings().hash_radius)
    assert len(expected) > 4000
    pairs = hash_pairs_of(spark, table(spark, hashes)).cache()
    np.testing.assert_array_equal(collected(pairs), expected)
    members = np.unique(expected)
    components = connected_components(len(hashes), expected)[members]
    smallest = {label: node for node, label in zip(members[::-1], components[::-1], strict=True)}
    labels = [smallest[label] for label in components]
    np.testing.assert_array_equal(collected(groups_of(spark, pairs)), np.column_stack([members, labels]))


def test_equal_hashes_are_paired_unless_too_many_files_share_one(spark):
    hashes = np.array([7] * 3 + [1 << 40] * 4 + [6, 2**64 - 1], np.uint64)
    for largest in (2, 3, 4):
        settings = DuplicateSettings(largest_bucket=largest)
        found = collected(hash_pairs_of(spark, table(spark, hashes), settings))
        np.testing.assert_array_equal(found, hash_pairs(hashes, settings.hash_radius, largest))


def test_a_long_chain_is_one_group(spark):
    order = np.random.default_rng(1).permutation(40)
    links = [(int(a), int(b)) for a, b in pairwise(order)]
    pairs = spark.createDataFrame(links, "i bigint, j bigint")
    assert collected(groups_of(spark, pairs)).tolist() == [[node, 0] for node in range(40)]


def test_a_radius_that_cannot_be_searched_exactly_is_an_error(spark):
    with pytest.raises(ValueError, match="at most 5 bits"):
        hash_pairs_of(spark, table(spark, np.zeros(1, np.uint64)), DuplicateSettings(hash_radius=6))
