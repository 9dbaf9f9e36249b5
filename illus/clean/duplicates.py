"""Catalog -> duplicates and variants: which files show the same image, and which one is kept.

In: catalog and class folders. Out: duplicates.csv, one row per file that has a copy or a variant.
Hashes and neighbours only propose pairs; pixels decide.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from illus.clean.compare import distance, plausible
from illus.clean.descriptors import (
    DEFAULTS,
    DuplicateSettings,
    describe_images,
    hash_pairs,
    mirrored,
    neighbour_pairs,
    unique_pairs,
)
from illus.clean.groups import connected_components, group_members
from illus.parallel import in_parallel, write_table

COLUMNS = ["path", "group", "relation", "keep", "reason", "distance", "conflict", "copy_of"]
LOSSLESS = ("PNG", "BMP", "GIF")
BETTER = {"n_pixels": "fewer pixels than", "lossless": "lossy, unlike", "bytes": "more compressed than"}


def find_duplicates(
    catalog: pd.DataFrame, folder: str | Path, settings: DuplicateSettings = DEFAULTS
) -> pd.DataFrame:
    """Find exact and near duplicates and variants, and say which files to keep.

    Exact duplicates have the same bytes or the same decoded pixels; near ones the same image in
    another encoding, size, padding, small shift, or mild change of light; variants the same shapes
    with a real difference, as another skin tone, or mirrored.

    Of copies the one with most pixels is kept, then the least compressed (lossless formats first,
    then most bytes), then the first path. Copies in different classes are a label conflict: the
    class that more than half of them are in wins, and where there is none all of them are dropped.
    Variants are kept.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.data.catalog.scan`; in any order.
    folder : str or Path
        What its paths are relative to.

    Returns
    -------
    pandas.DataFrame
        One row per file that shares its group with another, sorted by path: ``path``; ``group``
        (str, same for copies and variants: never to be split); ``relation`` (``exact``, ``near``,
        ``variant``: to the kept copy, of the kept copy to its nearest); ``keep`` (bool); ``reason``;
        ``distance`` (float, to the best copy, see :func:`illus.clean.compare.distance`; 0 for the same
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
    files, descriptors = distinct_images(catalog, folder, settings)
    pairs = candidate_pairs(descriptors, settings)
    distances = pair_distances(descriptors, pairs, settings)
    return resolve_duplicates(files, descriptors, pairs, distances, settings)


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


def distinct_images(
    catalog: pd.DataFrame, folder: str | Path, settings: DuplicateSettings = DEFAULTS
) -> tuple[pd.DataFrame, np.ndarray]:
    """Order the readable files by what is worth keeping, and describe each distinct image once.

    Parameters
    ----------
    catalog : pandas.DataFrame
    folder : str or Path

    Returns
    -------
    files : pandas.DataFrame
        Readable rows of the catalog, best first, with ``n_pixels``, ``lossless`` and ``image``:
        0, 1, ... in this order, equal for equal decoded pixels.
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, one per image.
    """
    files = best_first(catalog[catalog.error == ""])
    once = files.drop_duplicates("sha256")
    descriptors = describe_images([Path(folder, path) for path in once.path], settings)
    pixels = pd.Series(descriptors["pixels"], once.sha256)
    files["image"] = pd.factorize(files.sha256.map(pixels))[0]
    return files, descriptors[~pixels.duplicated().to_numpy()]


def best_first(files):
    """Rows of the catalog in the order of what is worth keeping, with ``n_pixels`` and ``lossless``."""
    files = files.assign(n_pixels=files.width * files.height, lossless=files.format.isin(LOSSLESS))
    order = [False] * len(BETTER) + [True]
    return files.sort_values([*BETTER, "path"], ascending=order, ignore_index=True)


def candidate_pairs(descriptors: np.ndarray, settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Pairs of images worth comparing: near in a hash, or neighbours in colour, and plausible.

    Parameters
    ----------
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,).

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), i < j.
    """
    pairs = unique_pairs(
        np.concatenate(
            [
                *(
                    hash_pairs(descriptors[kind], settings.hash_radius, settings.largest_bucket)
                    for kind in ("whole", "content")
                ),
                neighbour_pairs(
                    descriptors["colours"].reshape(len(descriptors), -1), settings.colour_neighbours
                ),
            ]
        )
    )
    return pairs[plausible(descriptors, pairs, settings)]


def pair_distances(
    descriptors: np.ndarray, pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """:func:`illus.clean.compare.distance` of every pair, in parallel; float, shape (pairs,)."""
    parts = np.array_split(pairs, len(pairs) // 250 + 1)
    work = in_parallel(_distances, parts, "compare", descriptors, settings, batch_size=1, unit="part")
    return np.concatenate(list(work))


def _distances(pairs, descriptors, settings):
    return np.array([distance(descriptors, i, j, settings) for i, j in pairs])


def resolve_duplicates(
    files: pd.DataFrame,
    descriptors: np.ndarray,
    pairs: np.ndarray,
    distances: np.ndarray,
    settings: DuplicateSettings = DEFAULTS,
) -> pd.DataFrame:
    """Compared pairs -> the table that :func:`find_duplicates` returns."""
    best, to_best = assign_copies(descriptors, pairs, distances, settings)
    family = join_variants(descriptors, pairs[distances <= settings.near], settings)
    files = files.assign(best=best[files.image], distance=to_best[files.image])
    return duplicates_table(files, family[files.image])


def assign_copies(
    descriptors: np.ndarray, pairs: np.ndarray, distances: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> tuple[np.ndarray, np.ndarray]:
    """Sets of copies: images linked by near pairs, cut where the set's best is unlike a member.

    Links make chains, and the ends of a chain may be unlike. So the best image of a chain takes
    those within ``settings.unlike`` of itself; of the rest the best takes its own, and so on.

    Parameters
    ----------
    descriptors : numpy.ndarray
        Best images first.
    pairs : numpy.ndarray
        int, shape (m, 2).
    distances : numpy.ndarray
        float, shape (m,).
    settings : DuplicateSettings, optional

    Returns
    -------
    best : numpy.ndarray
        int, shape (n,): the image that each one is a copy of; itself, if it is the best of its set.
    to_best : numpy.ndarray
        float, shape (n,): the distance between them.
    """
    known = dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True))
    best, to_best = np.arange(len(descriptors)), np.zeros(len(descriptors))
    chains = connected_components(len(descriptors), pairs[distances <= settings.near])
    for chain in group_members(chains):
        while len(chain) > 1:
            first, *others = chain.tolist()
            gaps = np.array(
                [
                    known[first, other]
                    if (first, other) in known
                    else distance(descriptors, first, other, settings)
                    for other in others
                ]
            )
            alike = chain[1:][gaps <= settings.unlike]
            best[alike], to_best[alike] = first, gaps[gaps <= settings.unlike]
            chain = chain[1:][gaps > settings.unlike]
    return best, to_best


def join_variants(
    descriptors: np.ndarray, near_pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Families of images that must stay together: copies, and drawings of one shape, mirrored or not.

    Returns
    -------
    numpy.ndarray
        int, shape (n,): equal for members of a family.
    """
    shapes = descriptors["shape"]
    flipped = mirrored(shapes)
    same = neighbour_pairs(shapes, settings.shape_neighbours)
    turned = neighbour_pairs(shapes, settings.mirror_neighbours, flipped)
    same = same[(shapes[same[:, 0]] * shapes[same[:, 1]]).sum(1) >= settings.min_shape_cosine]
    turned = turned[(shapes[turned[:, 0]] * flipped[turned[:, 1]]).sum(1) >= settings.min_shape_cosine]
    return connected_components(len(descriptors), np.concatenate([near_pairs, same, turned]))


def duplicates_table(files, family):
    """The table that :func:`find_duplicates` returns.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_images`, with ``best`` and ``distance``; best files first.
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
            relation = "exact" if any(o["image"] == record["image"] for o in others) else "near"
            reason = f"best of {len(records)} copies" if keep else removal_reason(record, kept)
            if len(counts) > 1 and record["class_name"] != winner:
                reason = f"{labels}: {'outvoted' if winner else 'undecided'}"
        gap = copies.distance.max() if record is records[0] else record["distance"]
        yield {
            "path": record["path"],
            "group": record["family"],
            "relation": relation,
            "keep": keep,
            "reason": reason,
            "distance": round(gap, 2),
            "conflict": len(counts) > 1,
            "copy_of": records[0]["path"] if len(records) > 1 else "",
        }


def copies_by_hash(files, descriptors, radius):
    """What a hash alone would call copies: files linked by pHash within ``radius`` bits.

    For comparison. Same columns as :func:`copies_table`.
    """
    label = connected_components(len(descriptors), hash_pairs(descriptors["whole"], radius))
    return copies_table(files, np.unique(label, return_index=True)[1][label])


def copies_table(files, best):
    """``path`` and ``copy_of`` of every file, from the best image of each image's set.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_images`.
    best : numpy.ndarray
        int, one per image, as :func:`assign_copies` returns it.
    """
    best = best[files.image]
    leader = files.path.to_numpy()[np.unique(files.image, return_index=True)[1]][best]
    several = np.bincount(best, minlength=len(best) + 1)[best] > 1
    return pd.DataFrame({"path": files.path, "copy_of": np.where(several, leader, "")})


def removal_reason(record, kept):
    """Why a file is dropped in favour of its kept copy."""
    for key, text in BETTER.items():
        if record[key] < kept[key]:
            return f"{text} {kept['path']}"
    return f"same as {kept['path']}, later path"
