"""Hashes -> near pairs -> groups, as SQL on a Spark cluster: for collections that no single machine holds.

In: a Spark table of files and their 64-bit hashes. Out: Spark tables of the pairs that
:func:`illus.clean.candidates.hash_pairs` finds, and of their connected components.
"""

from typing import TYPE_CHECKING

from illus.clean.candidates import BANDS, MAX_RADIUS
from illus.clean.descriptors import DEFAULTS, DuplicateSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEPT = "SELECT hash FROM {hashes} GROUP BY hash HAVING count(*) <= {largest_bucket}"
BANDED = f"""
    SELECT hash, band, width, shiftrightunsigned(hash, band) & (shiftleft(1L, width) - 1) AS key
    FROM {{kept}} CROSS JOIN (VALUES {", ".join(map(str, BANDS))}) AS bands(band, width)"""
PROBES = """
    SELECT hash, band, key ^ if(bit < 0, 0L, shiftleft(1L, bit)) AS key
    FROM {banded} LATERAL VIEW explode(sequence(-1, width - 1)) AS bit"""
NEAR = """
    SELECT DISTINCT a.hash AS a, b.hash AS b FROM {banded} a JOIN {probes} b USING (band, key)
    WHERE a.hash < b.hash AND bit_count(a.hash ^ b.hash) <= {radius}"""
PAIRS = """
    SELECT least(x.id, y.id) AS i, greatest(x.id, y.id) AS j
    FROM {near} JOIN {hashes} x ON x.hash = a JOIN {hashes} y ON y.hash = b
    UNION ALL
    SELECT x.id AS i, y.id AS j FROM {kept} JOIN {hashes} x USING (hash) JOIN {hashes} y USING (hash)
    WHERE x.id < y.id"""

BOTH_WAYS = "SELECT i AS id, j AS other FROM {pairs} UNION ALL SELECT j AS id, i AS other FROM {pairs}"
OWN_LABELS = "SELECT DISTINCT id, id AS label FROM {links}"
SMALLEST_NEAR = """
    SELECT id, min(label) AS label FROM (
        SELECT id, label FROM {labels}
        UNION ALL SELECT links.id, label FROM {links} links JOIN {labels} near ON near.id = links.other)
    GROUP BY id"""
LABEL_OF_LABEL = "SELECT step.id, jump.label FROM {step} step JOIN {step} jump ON jump.id = step.label"
CHANGED = "SELECT count(*) FROM {labels} old JOIN {new} new USING (id) WHERE old.label <> new.label"


def hash_pairs_of(
    spark: "SparkSession", hashes: "DataFrame", settings: DuplicateSettings = DEFAULTS
) -> "DataFrame":
    """Pairs of files whose hashes differ in at most ``settings.hash_radius`` bits.

    Hashes are cut into the parts ``BANDS``; two near hashes differ in at most one bit of one part, so an
    equi-join on the parts, one side with each bit flipped in turn, finds all of them (multi-index hashing,
    Norouzi et al. 2012, arXiv:1307.2982). A hash that more than ``settings.largest_bucket`` files share is
    not paired.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    hashes : pyspark.sql.DataFrame
        Columns ``id`` (bigint, all different) and ``hash`` (bigint: the 64 bits).
    settings : DuplicateSettings, optional

    Returns
    -------
    pyspark.sql.DataFrame
        Columns ``i`` < ``j`` (bigint: ids), each pair once.

    Raises
    ------
    ValueError
        The radius is larger than ``MAX_RADIUS``.
    """
    if settings.hash_radius > MAX_RADIUS:
        raise ValueError(f"radius {settings.hash_radius}: at most {MAX_RADIUS} bits can be searched exactly")
    kept = spark.sql(KEPT, hashes=hashes, largest_bucket=settings.largest_bucket).cache()
    banded = spark.sql(BANDED, kept=kept)
    probes = spark.sql(PROBES, banded=banded)
    near = spark.sql(NEAR, banded=banded, probes=probes, radius=settings.hash_radius)
    return spark.sql(PAIRS, near=near, hashes=hashes, kept=kept)


def groups_of(spark: "SparkSession", pairs: "DataFrame") -> "DataFrame":
    """Connected components: every file takes the smallest label near it, then that label's own label.

    Taking the label's label halves the way to the smallest id each time, so long chains take few rounds.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    pairs : pyspark.sql.DataFrame
        Columns ``i``, ``j`` (bigint: ids).

    Returns
    -------
    pyspark.sql.DataFrame
        Columns ``id`` and ``label`` (bigint): the smallest id of its group. Files without a pair have no row.
    """
    links = spark.sql(BOTH_WAYS, pairs=pairs).localCheckpoint()
    labels = spark.sql(OWN_LABELS, links=links)
    while True:
        step = spark.sql(SMALLEST_NEAR, links=links, labels=labels)
        new = spark.sql(LABEL_OF_LABEL, step=step).localCheckpoint()  # else each round computes all before it
        if spark.sql(CHANGED, labels=labels, new=new).first()[0] == 0:
            return new
        labels = new
