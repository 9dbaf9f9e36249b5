"""Catalog -> duplicates and variants: which files show the same image, and which one is kept.

In: catalog and class folders. Out: duplicates.csv, one row per file that has a duplicate or a variant.
Hashes and nearest neighbours only propose pairs; their pixels decide.
"""

from collections.abc import Iterator, Mapping
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
# What makes a file worth keeping, most important first, and the reason to remove one that has less of it.
BETTER = {"n_pixels": "fewer pixels than", "lossless": "lossy, unlike", "bytes": "more compressed than"}
PAIRS_PER_TASK = 100  # compared by a worker at a time: about a second, and less than 7 MB of descriptors


def find_duplicates(
    catalog: pd.DataFrame, folder: str | Path, settings: DuplicateSettings = DEFAULTS
) -> pd.DataFrame:
    """Find exact and near duplicates and variants, and decide which files to keep.

    Exact duplicates have the same bytes or the same decoded pixels. Near duplicates show the same image
    with another encoding, size or padding, a small shift, or a mild change of brightness or contrast.
    Variants show the same shapes with a real difference, for example another skin tone, or mirrored.

    Of a set of duplicates the file with most pixels is kept, then the least compressed (lossless formats
    first, then most bytes), then the first path. Duplicates in different classes are a label conflict:
    the class of more than half of them wins, and without a majority all of them are removed. Variants are
    kept.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.data.catalog.scan`, in any order.
    folder : str or Path
        What its paths are relative to.
    settings : DuplicateSettings, optional

    Returns
    -------
    pandas.DataFrame
        One row per file that has a duplicate or a variant, sorted by path:

        - ``path``;
        - ``group`` (str): the same for duplicates and variants, which a split must keep together;
        - ``relation``: ``exact`` or ``near``, to the kept file of the set (of the kept file, to any other
          one), or ``variant`` for a file without duplicates;
        - ``keep`` (bool) and ``reason`` (str);
        - ``distance`` (float): to the best file of the set, see :func:`illus.clean.compare.distance`; of
          the best file itself, the largest in the set;
        - ``conflict`` (bool): the set has files of several classes;
        - ``copy_of``: path of the best file of the set, also for that file; empty without duplicates.

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


def stored_duplicates(catalog: pd.DataFrame, folder: str | Path, work: Path) -> pd.DataFrame:
    """The table of an earlier run on the same files; without one, find duplicates and write both tables.

    Parameters
    ----------
    catalog, folder
        As for :func:`find_duplicates`.
    work : Path
        Existing folder for ``catalog.csv`` and ``duplicates.csv``.

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
    """Order the readable files, best first, and describe each distinct image once.

    Parameters
    ----------
    catalog, folder, settings
        As for :func:`find_duplicates`.

    Returns
    -------
    files : pandas.DataFrame
        From :func:`best_first`, with ``image``: 0, 1, ... in this order, equal for equal decoded pixels.
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, one per image.
    """
    files = best_first(catalog[catalog.error == ""])
    once = files.drop_duplicates("sha256")
    descriptors = describe_images([Path(folder, path) for path in once.path], settings)
    pixels = pd.Series(descriptors["pixels"], once.sha256)
    files["image"] = pd.factorize(files.sha256.map(pixels))[0]
    return files, descriptors[~pixels.duplicated().to_numpy()]


def best_first(files: pd.DataFrame) -> pd.DataFrame:
    """Rows of the catalog, those most worth keeping first, with ``n_pixels`` and ``lossless``."""
    files = files.assign(n_pixels=files.width * files.height, lossless=files.format.isin(LOSSLESS))
    order = [False] * len(BETTER) + [True]
    return files.sort_values([*BETTER, "path"], ascending=order, ignore_index=True)


def candidate_pairs(descriptors: np.ndarray, settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Pairs of images worth comparing: near by a hash, or neighbours by colour, and plausible.

    Parameters
    ----------
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,).
    settings : DuplicateSettings, optional

    Returns
    -------
    numpy.ndarray
        int64, shape (pairs, 2), i < j.
    """
    hashes = (descriptors["whole"], descriptors["content"])
    by_hash = [hash_pairs(values, settings.hash_radius, settings.largest_bucket) for values in hashes]
    colours = descriptors["colours"].reshape(len(descriptors), -1)
    by_colour = neighbour_pairs(colours, settings.colour_neighbours)
    pairs = unique_pairs(np.concatenate([*by_hash, by_colour]))
    return pairs[plausible(descriptors, pairs, settings)]


def pair_distances(
    descriptors: np.ndarray, pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """:func:`illus.clean.compare.distance` of every pair, in parallel; float64, shape (pairs,)."""
    parts = np.array_split(pairs, len(pairs) // PAIRS_PER_TASK + 1)
    tasks = (_task(descriptors, part) for part in parts)
    work = in_parallel(_distances, tasks, "compare", settings, batch_size=1, unit="part", total=len(parts))
    return np.concatenate(list(work))


def _task(descriptors: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The descriptors that some pairs need, and the pairs as positions in them: no worker gets the others."""
    needed, positions = np.unique(pairs, return_inverse=True)
    return descriptors[needed], positions.reshape(-1, 2)


def _distances(task: tuple[np.ndarray, np.ndarray], settings: DuplicateSettings) -> np.ndarray:
    return np.array([distance(task[0], i, j, settings) for i, j in task[1]])


def resolve_duplicates(
    files: pd.DataFrame,
    descriptors: np.ndarray,
    pairs: np.ndarray,
    distances: np.ndarray,
    settings: DuplicateSettings = DEFAULTS,
) -> pd.DataFrame:
    """The table of :func:`find_duplicates`, from pairs that were compared.

    Parameters
    ----------
    files, descriptors
        From :func:`distinct_images`.
    pairs : numpy.ndarray
        int, shape (m, 2), from :func:`candidate_pairs`.
    distances : numpy.ndarray
        float, shape (m,), from :func:`pair_distances`.
    settings : DuplicateSettings, optional
    """
    best, to_best = assign_copies(descriptors, pairs, distances, settings)
    group = join_variants(descriptors, pairs[distances <= settings.near], settings)
    files = files.assign(best=best[files.image], distance=to_best[files.image])
    return duplicates_table(files, group[files.image])


def assign_copies(
    descriptors: np.ndarray, pairs: np.ndarray, distances: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> tuple[np.ndarray, np.ndarray]:
    """Sets of duplicates: images linked by near pairs, as far as they resemble the best one of the set.

    Links form chains, and the ends of a chain may differ. So the best image of a chain gets those within
    ``settings.unlike`` of itself as duplicates; the best of the others gets its own, and so on.

    Parameters
    ----------
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,), best images first.
    pairs : numpy.ndarray
        int, shape (m, 2), i < j.
    distances : numpy.ndarray
        float, shape (m,).
    settings : DuplicateSettings, optional

    Returns
    -------
    best : numpy.ndarray
        int, shape (n,): the best image of each one's set; itself, if it is the best.
    to_best : numpy.ndarray
        float, shape (n,): the distance between them.
    """
    known = dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True))
    best, to_best = np.arange(len(descriptors)), np.zeros(len(descriptors))
    chains = connected_components(len(descriptors), pairs[distances <= settings.near])
    for chain in group_members(chains):
        while len(chain) > 1:
            first, *others = chain.tolist()
            missing = [other for other in others if (first, other) not in known]
            known |= {(first, other): distance(descriptors, first, other, settings) for other in missing}
            gaps = np.array([known[first, other] for other in others])
            near = gaps <= settings.unlike
            best[chain[1:][near]], to_best[chain[1:][near]] = first, gaps[near]
            chain = chain[1:][~near]
    return best, to_best


def join_variants(
    descriptors: np.ndarray, near_pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Groups that a split must keep together: duplicates, and drawings of one shape, mirrored or not.

    Parameters
    ----------
    descriptors : numpy.ndarray
        dtype ``DESCRIPTOR``, shape (n,).
    near_pairs : numpy.ndarray
        int, shape (m, 2): pairs of duplicates.
    settings : DuplicateSettings, optional

    Returns
    -------
    numpy.ndarray
        int, shape (n,): number of the group.
    """
    shapes = descriptors["shape"]
    flipped = mirrored(shapes)
    same = neighbour_pairs(shapes, settings.shape_neighbours)
    turned = neighbour_pairs(shapes, settings.mirror_neighbours, flipped)
    same = same[(shapes[same[:, 0]] * shapes[same[:, 1]]).sum(1) >= settings.min_shape_cosine]
    turned = turned[(shapes[turned[:, 0]] * flipped[turned[:, 1]]).sum(1) >= settings.min_shape_cosine]
    return connected_components(len(descriptors), np.concatenate([near_pairs, same, turned]))


def duplicates_table(files: pd.DataFrame, group: np.ndarray) -> pd.DataFrame:
    """The table of :func:`find_duplicates`.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_images`, with ``best`` and ``distance`` from :func:`assign_copies`.
    group : numpy.ndarray
        int, one per file, from :func:`join_variants`.
    """
    rows = files.assign(group=group, alone=~pd.Series(group, files.index).duplicated(keep=False))
    records = [row for _, duplicates in rows[~rows.alone].groupby("best") for row in _set_rows(duplicates)]
    table = pd.DataFrame(records, columns=COLUMNS).sort_values("path", ignore_index=True)
    table["group"] = "G" + (pd.factorize(table.group)[0] + 1).astype(str).astype(object)
    return table


def _set_rows(duplicates: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Rows of the table for one set of duplicates, best first."""
    records = duplicates.to_dict("records")
    counts = duplicates.class_name.value_counts()
    winner = counts.index[0] if counts.iloc[0] > len(duplicates) / 2 else None
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
        gap = duplicates.distance.max() if record is records[0] else record["distance"]
        yield {
            "path": record["path"],
            "group": record["group"],
            "relation": relation,
            "keep": keep,
            "reason": reason,
            "distance": round(gap, 2),
            "conflict": len(counts) > 1,
            "copy_of": records[0]["path"] if len(records) > 1 else "",
        }


def copies_by_hash(files: pd.DataFrame, descriptors: np.ndarray, radius: int) -> pd.DataFrame:
    """For comparison: files linked by pHash within ``radius`` bits, as :func:`copies_table` has them."""
    label = connected_components(len(descriptors), hash_pairs(descriptors["whole"], radius))
    return copies_table(files, np.unique(label, return_index=True)[1][label])


def copies_table(files: pd.DataFrame, best: np.ndarray) -> pd.DataFrame:
    """``path`` of every file and ``copy_of``, the path of the best file of its set; empty if it is alone.

    Parameters
    ----------
    files : pandas.DataFrame
        From :func:`distinct_images`.
    best : numpy.ndarray
        int, one per image, from :func:`assign_copies`.
    """
    best = best[files.image]
    leader = files.path.to_numpy()[np.unique(files.image, return_index=True)[1]][best]
    several = np.bincount(best, minlength=len(best) + 1)[best] > 1
    return pd.DataFrame({"path": files.path, "copy_of": np.where(several, leader, "")})


def removal_reason(record: Mapping[str, str | int], kept: Mapping[str, str | int]) -> str:
    """Why a file is removed in favour of the kept one; both are rows of :func:`best_first`."""
    for key, text in BETTER.items():
        if int(record[key]) < int(kept[key]):
            return f"{text} {kept['path']}"
    return f"same as {kept['path']}, later path"
