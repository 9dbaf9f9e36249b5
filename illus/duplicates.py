"""Catalog -> duplicates and variants: which files show the same picture, and which one is kept.

In: catalog and class folders. Out: duplicates.csv, one row per file that has a copy or a variant.
Hashes and neighbours only propose pairs; pixels decide.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from illus.compare import distance, plausible
from illus.fingerprints import fingerprints, hash_pairs, mirrored, neighbour_pairs, unique_pairs
from illus.parallel import in_parallel
from illus.tables import write_table

COLUMNS = ["path", "group", "relation", "keep", "reason", "distance", "conflict", "copy_of"]
LOSSLESS = ("PNG", "BMP", "GIF")
BETTER = {"n_pixels": "fewer pixels than", "lossless": "lossy, unlike", "bytes": "more compressed than"}
HASH_RADIUS = 4  # bits
COLOUR_NEIGHBOURS, SHAPE_NEIGHBOURS, MIRROR_NEIGHBOURS = 6, 6, 3
NEAR = 6.0  # distance up to which two files are copies
UNLIKE = 12.0  # distance to the kept file from which a chain of copies is cut
SAME_SHAPE = 0.95  # cosine of shape descriptors from which two drawings are variants


def find_duplicates(catalog, folder):
    """Find exact and near duplicates and variants, and say which files to keep.

    Exact duplicates have the same bytes or the same decoded pixels; near ones the same picture in
    another encoding, size, padding, small shift, or mild change of light; variants the same shapes
    with a real difference, as another skin tone, or mirrored.

    Of copies the one with most pixels is kept, then the least compressed (lossless formats first,
    then most bytes), then the first path. Copies in different classes are a label conflict: the
    class that more than half of them are in wins, and where there is none all of them are dropped.
    Variants are kept.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.catalog.scan`; in any order.
    folder : str or Path
        What its paths are relative to.

    Returns
    -------
    pandas.DataFrame
        One row per file that shares its group with another, sorted by path: ``path``; ``group``
        (str, same for copies and variants: never to be split); ``relation`` (``exact``, ``near``,
        ``variant``: to the kept copy, of the kept copy to its nearest); ``keep`` (bool); ``reason``;
        ``distance`` (float, to the best copy, see :func:`illus.compare.distance`; 0 for the same
        pixels; of the best copy itself the largest in its set); ``conflict`` (bool: its copies have
        several classes); ``copy_of`` (path of the best copy, its own for the best itself, empty for
        mere variants).

    Examples
    --------
    >>> find_duplicates(pd.DataFrame(columns=["path", "error"]), ".").columns.tolist()
    ['path', 'group', 'relation', 'keep', 'reason', 'distance', 'conflict', 'copy_of']
    """
    if not (catalog.error == "").any():
        return pd.DataFrame(columns=COLUMNS)
    files, prints = distinct_pictures(catalog, folder)
    pairs = candidate_pairs(prints)
    return decide(files, prints, pairs, measure(prints, pairs))


def stored_duplicates(catalog, folder, work):
    """The table of an earlier run on the same files, else :func:`find_duplicates`; writes both tables.

    Parameters
    ----------
    catalog : pandas.DataFrame
    folder : str or Path
    work : Path
        Holds ``catalog.csv`` and ``duplicates.csv``.

    Returns
    -------
    pandas.DataFrame
        As from :func:`find_duplicates`.
    """
    known, stored = work / "catalog.csv", work / "duplicates.csv"
    if known.exists() and stored.exists():
        before = pd.read_csv(known, usecols=["path", "sha256"], keep_default_na=False)
        if before.equals(catalog[["path", "sha256"]].reset_index(drop=True)):
            return pd.read_csv(stored, keep_default_na=False)
    stored.unlink(missing_ok=True)
    write_table(catalog, known)
    duplicates = find_duplicates(catalog, folder)
    write_table(duplicates, stored)
    return duplicates


def distinct_pictures(catalog, folder):
    """Order the readable files by what is worth keeping, and describe each distinct picture once.

    Parameters
    ----------
    catalog : pandas.DataFrame
    folder : str or Path

    Returns
    -------
    files : pandas.DataFrame
        Readable rows of the catalog, best first, with ``n_pixels``, ``lossless`` and ``picture``:
        0, 1, ... in this order, equal for equal decoded pixels.
    prints : numpy.ndarray
        dtype ``FINGERPRINT``, one per picture.
    """
    files = best_first(catalog[catalog.error == ""])
    once = files.drop_duplicates("sha256")
    prints = fingerprints([Path(folder, path) for path in once.path])
    pixels = pd.Series(prints["pixels"], once.sha256)
    files["picture"] = pd.factorize(files.sha256.map(pixels))[0]
    return files, prints[~pixels.duplicated().to_numpy()]


def best_first(files):
    """Rows of the catalog in the order of what is worth keeping, with ``n_pixels`` and ``lossless``."""
    files = files.assign(n_pixels=files.width * files.height, lossless=files.format.isin(LOSSLESS))
    order = [False] * len(BETTER) + [True]
    return files.sort_values([*BETTER, "path"], ascending=order, ignore_index=True)


def candidate_pairs(prints):
    """Pairs of pictures worth comparing: near in a hash, or neighbours in colour, and plausible.

    Parameters
    ----------
    prints : numpy.ndarray
        dtype ``FINGERPRINT``, shape (n,).

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), i < j.
    """
    pairs = unique_pairs(np.concatenate([
        hash_pairs(prints["whole"], HASH_RADIUS), hash_pairs(prints["content"], HASH_RADIUS),
        neighbour_pairs(prints["colours"].reshape(len(prints), -1), COLOUR_NEIGHBOURS)]))
    return pairs[plausible(prints, pairs)]


def measure(prints, pairs):
    """:func:`illus.compare.distance` of every pair, in parallel; float, shape (pairs,)."""
    parts = np.array_split(pairs, len(pairs) // 250 + 1)
    return np.concatenate(list(in_parallel(_distances, parts, "compare", prints, batch_size=1, unit="part")))


def _distances(pairs, prints):
    return np.array([distance(prints, i, j) for i, j in pairs])


def decide(files, prints, pairs, distances):
    """Compared pairs -> the table that :func:`find_duplicates` returns."""
    best, to_best = assign_copies(prints, pairs, distances)
    family = join_variants(prints, pairs[distances <= NEAR])
    files = files.assign(best=best[files.picture], distance=to_best[files.picture])
    return tabulate(files, family[files.picture])


def assign_copies(prints, pairs, distances, near=NEAR):
    """Sets of copies: pictures linked by near pairs, cut where the set's best is unlike a member.

    Links make chains, and the ends of a chain may be unlike. So the best picture of a chain takes
    those within ``UNLIKE`` of itself; of the rest the best takes its own, and so on.

    Parameters
    ----------
    prints : numpy.ndarray
        Best pictures first.
    pairs : numpy.ndarray
        int, shape (m, 2).
    distances : numpy.ndarray
        float, shape (m,).
    near : float, default ``NEAR``
        Distance up to which a pair is linked.

    Returns
    -------
    best : numpy.ndarray
        int, shape (n,): the picture that each one is a copy of; itself, if it is the best of its set.
    to_best : numpy.ndarray
        float, shape (n,): the distance between them.
    """
    known = dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True))
    best, to_best = np.arange(len(prints)), np.zeros(len(prints))
    chains = connect(len(prints), pairs[distances <= near])
    for chain in members(chains):
        while len(chain) > 1:
            first, *others = chain.tolist()
            gaps = np.array([known[first, other] if (first, other) in known
                             else distance(prints, first, other) for other in others])
            alike = chain[1:][gaps <= UNLIKE]
            best[alike], to_best[alike] = first, gaps[gaps <= UNLIKE]
            chain = chain[1:][gaps > UNLIKE]
    return best, to_best


def join_variants(prints, near_pairs):
    """Families of pictures that must stay together: copies, and drawings of one shape, mirrored or not.

    Returns
    -------
    numpy.ndarray
        int, shape (n,): equal for members of a family.
    """
    shapes = prints["shape"]
    flipped = mirrored(shapes)
    same = neighbour_pairs(shapes, SHAPE_NEIGHBOURS)
    turned = neighbour_pairs(shapes, MIRROR_NEIGHBOURS, flipped)
    same = same[(shapes[same[:, 0]] * shapes[same[:, 1]]).sum(1) >= SAME_SHAPE]
    turned = turned[(shapes[turned[:, 0]] * flipped[turned[:, 1]]).sum(1) >= SAME_SHAPE]
    return connect(len(prints), np.concatenate([near_pairs, same, turned]))


def connect(n, pairs):
    """Component of each of n pictures under links; int, shape (n,), numbered by first member."""
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return pd.factorize(connected_components(links, directed=False)[1])[0]


def members(labels):
    """Positions of each label that occurs more than once; list of int arrays."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [part for part in parts if len(part) > 1]


def tabulate(files, family):
    """The table that :func:`find_duplicates` returns.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_pictures`, with ``best`` and ``distance``; best files first.
    family : numpy.ndarray
        int, one per file.
    """
    rows = files.assign(family=family, alone=~pd.Series(family, files.index).duplicated(keep=False))
    records = [row for _, copies in rows[~rows.alone].groupby("best") for row in _judge(copies)]
    table = pd.DataFrame(records, columns=COLUMNS).sort_values("path", ignore_index=True)
    table["group"] = "G" + (pd.factorize(table.group)[0] + 1).astype(str).astype(object)
    return table


def _judge(copies):
    """Rows of the table for one set of copies, best first."""
    records = copies.to_dict("records")
    counts = copies.class_name.value_counts()
    winner = counts.index[0] if counts.iloc[0] > len(copies) / 2 else None
    kept = next((r for r in records if r["class_name"] == winner), records[0])
    labels = "label conflict, " + ", ".join(f"{name}: {n}" for name, n in sorted(counts.items()))
    for record in records:
        keep = record is kept and winner is not None
        if len(records) == 1:
            relation, reason = "variant", "only copy; its variants are in the group"
        else:
            others = [kept] if record is not kept else [r for r in records if r is not kept]
            relation = "exact" if any(o["picture"] == record["picture"] for o in others) else "near"
            reason = f"best of {len(records)} copies" if keep else why(record, kept)
            if len(counts) > 1 and record["class_name"] != winner:
                reason = f"{labels}: {'outvoted' if winner else 'undecided'}"
        gap = copies.distance.max() if record is records[0] else record["distance"]
        yield {"path": record["path"], "group": record["family"], "relation": relation, "keep": keep,
               "reason": reason, "distance": round(gap, 2), "conflict": len(counts) > 1,
               "copy_of": records[0]["path"] if len(records) > 1 else ""}


def copies_by_hash(files, prints, radius):
    """What a hash alone would call copies: files linked by pHash within ``radius`` bits.

    For comparison. Same columns as :func:`copies_table`.
    """
    label = connect(len(prints), hash_pairs(prints["whole"], radius))
    return copies_table(files, np.unique(label, return_index=True)[1][label])


def copies_table(files, best):
    """``path`` and ``copy_of`` of every file, from the best picture of each picture's set.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_pictures`.
    best : numpy.ndarray
        int, one per picture, as :func:`assign_copies` returns it.
    """
    best = best[files.picture]
    leader = files.path.to_numpy()[np.unique(files.picture, return_index=True)[1]][best]
    several = np.bincount(best, minlength=len(best) + 1)[best] > 1
    return pd.DataFrame({"path": files.path, "copy_of": np.where(several, leader, "")})


def why(record, kept):
    """Why a file is dropped in favour of its kept copy."""
    for key, text in BETTER.items():
        if record[key] < kept[key]:
            return f"{text} {kept['path']}"
    return f"same as {kept['path']}, later path"
