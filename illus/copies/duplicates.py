"""Catalog -> duplicates and variants: which files show the same image, and which one is kept.

In: catalog and class folders. Out: duplicates.csv, one row per file that has a duplicate or a variant.
Hashes and nearest neighbours only propose pairs; their pixels decide.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from illus.copies.candidates import ROWS_AT_ONCE, Neighbours, hash_pairs, unique_pairs
from illus.copies.compare import distance, pair_distances, plausible
from illus.copies.groups import connected_components, group_members
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.copies.which_is_kept import BETTER, COLUMNS, duplicates_table, take_apart
from illus.files.descriptors import Descriptors, mirrored
from illus.files.overrides import print_applied, relabel
from illus.files.reading import kept_descriptors

LOSSLESS = ("PNG", "BMP", "GIF", "TIFF")


def find_duplicates(
    catalog: pd.DataFrame,
    folder: str | Path,
    settings: DuplicateSettings = DEFAULTS,
    *,
    overrides: pd.DataFrame | None = None,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Find exact and near duplicates and variants, and decide which files to keep.

    Exact duplicates have the same bytes or the same decoded pixels. Near duplicates show the same image
    with another encoding, size or padding, a small shift, or a mild change of brightness or contrast.
    Variants show the same shapes with a real difference, for example another skin tone, or mirrored.
    Blank images show nothing; they are listed and kept, but compared with none.

    Of a set of duplicates the file with most pixels is kept, then the least compressed (lossless formats,
    as which WebP does not count, first, then most bytes), then the first path. Duplicates in different
    classes are a label conflict: the class of more than half of them wins, and without a majority all are
    removed. Variants are kept.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From :func:`illus.files.catalog.scan`, in any order.
    folder : str or Path
        What its paths are relative to.
    settings : DuplicateSettings, optional
    overrides : pandas.DataFrame, optional
        What a person decided, above these rules, see :mod:`illus.files.overrides`; told in ``reason``, and
        how many were applied in a printed line.
    cache : Path, optional
        Folder for what is known of contents and of pairs, see :mod:`illus.files.cache`.

    Returns
    -------
    pandas.DataFrame
        One row per file that has a duplicate or a variant, or is blank, sorted by path:

        - ``path``;
        - ``group`` (str): the same for duplicates and variants, which a split must keep together;
        - ``relation``: ``exact`` or ``near``, to the kept file of the set (of the kept file, to any other
          one), ``variant`` for a file without duplicates, or ``blank``;
        - ``keep`` (bool) and ``reason`` (str);
        - ``distance`` (float): to the best file of the set, see :func:`illus.copies.compare.distance`; of
          the best file itself, the largest in the set;
        - ``conflict`` (bool): the set has files of several classes;
        - ``copy_of``: path of the best file of the set, also for that file; empty without duplicates.
    """
    if not (catalog.error == "").any():
        return pd.DataFrame(columns=COLUMNS)
    files, descriptors = distinct_images(catalog, folder, cache=cache)
    pairs = candidate_pairs(descriptors, settings)
    distances = pair_distances(descriptors, pairs, settings, cache)
    return resolve_duplicates(files, descriptors, pairs, distances, settings, overrides)


def distinct_images(
    catalog: pd.DataFrame, folder: str | Path, *, cache: Path | None = None
) -> tuple[pd.DataFrame, Descriptors]:
    """Order the readable files, best first, and describe each distinct image once.

    The files are those of :func:`best_first`, with ``image``: 0, 1, ... in this order, equal for equal
    decoded pixels; blank ones are images of their own, since equal pixels prove nothing there. There is one
    descriptor per image. ``catalog``, ``folder`` and ``cache`` are as for :func:`find_duplicates`.
    """
    files = best_first(catalog[catalog.error == ""])
    once = files.drop_duplicates("sha256")
    descriptors = kept_descriptors(once, folder, cache)
    row = pd.Index(once.sha256).get_indexer(files.sha256)
    shown = pd.Series(descriptors["pixels"][row]).where(~descriptors["blank"][row], files.path)
    files["image"] = pd.factorize(shown)[0]
    return files, descriptors[row[~shown.duplicated().to_numpy()]]


def best_first(files: pd.DataFrame) -> pd.DataFrame:
    """Rows of the catalog, those most worth keeping first, with ``n_pixels`` and ``lossless``."""
    files = files.assign(n_pixels=files.width * files.height, lossless=files.format.isin(LOSSLESS))
    order = [False] * len(BETTER) + [True]
    return files.sort_values([*BETTER, "path"], ascending=order, ignore_index=True)


def candidate_pairs(descriptors: Descriptors, settings: DuplicateSettings = DEFAULTS) -> np.ndarray:
    """Pairs of images worth comparing: near by a hash, or neighbours by colour, plausible, and not blank.

    int64, shape (pairs, 2), i < j, positions in ``descriptors``.
    """
    hashes = (descriptors["whole"], descriptors["content"])
    by_hash = [hash_pairs(values, settings.hash_radius, settings.largest_bucket) for values in hashes]
    colours = descriptors["colours"].reshape(len(descriptors), -1)
    by_colour = Neighbours(colours, max_exact=settings.max_exact).pairs(settings.colour_neighbours)
    pairs = unique_pairs(np.concatenate([*by_hash, by_colour]))
    pairs = pairs[~descriptors["blank"][pairs].any(1)]
    return pairs[plausible(descriptors, pairs, settings)]


def resolve_duplicates(
    files: pd.DataFrame,
    descriptors: Descriptors,
    pairs: np.ndarray,
    distances: np.ndarray,
    settings: DuplicateSettings = DEFAULTS,
    overrides: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The table of :func:`find_duplicates`, from pairs that were compared.

    ``files`` and ``descriptors`` are from :func:`distinct_images`, ``pairs``, int (m, 2), from
    :func:`candidate_pairs`, ``distances``, float (m,), from :func:`illus.copies.compare.pair_distances`.
    """
    print_applied("duplicates", files, overrides)
    files = relabel(files, overrides)
    files, descriptors, pairs, distances, apart = take_apart(files, descriptors, pairs, distances, overrides)
    group = join_variants(descriptors, pairs[distances <= settings.near], settings)
    best, to_best = assign_copies(descriptors, pairs, np.where(apart, np.inf, distances), settings)
    files = files.assign(
        best=best[files.image], distance=to_best[files.image], blank=descriptors["blank"][files.image]
    )
    return duplicates_table(files, group[files.image], overrides)


def assign_copies(
    descriptors: Descriptors, pairs: np.ndarray, distances: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> tuple[np.ndarray, np.ndarray]:
    """Sets of duplicates: images linked by near pairs, as far as they resemble the best one of the set.

    Links form chains, and the ends of a chain may differ. So the best image of a chain gets those within
    ``settings.unlike`` of itself as duplicates; the best of the others gets its own, and so on.
    ``descriptors`` are of n images, best first; ``pairs`` are int (m, 2), i < j, ``distances`` float (m,),
    infinite for two that are never in one set. Returns the best image of each one's set (itself, if it is the
    best), int (n,), and the distance to it, float (n,).
    """
    best, to_best = np.arange(len(descriptors)), np.zeros(len(descriptors))
    chains = connected_components(len(descriptors), pairs[distances <= settings.near])
    inside = chains[pairs[:, 0]] == chains[pairs[:, 1]]
    known = dict(zip(map(tuple, pairs[inside].tolist()), distances[inside].tolist(), strict=True))
    apart = {pair for pair, gap in known.items() if gap == np.inf}
    for chain in group_members(chains):
        while len(chain) > 1:
            first, *others = chain.tolist()
            missing = [other for other in others if (first, other) not in known]
            known |= {(first, other): distance(descriptors, first, other, settings) for other in missing}
            gaps = np.array([known[first, other] for other in others])
            near = gaps <= settings.unlike
            for row in np.flatnonzero(near) if apart else ():
                earlier = (others[i] for i in np.flatnonzero(near[:row]))
                near[row] = not any((other, others[row]) in apart for other in earlier)
            best[chain[1:][near]], to_best[chain[1:][near]] = first, gaps[near]
            chain = chain[1:][~near]
    return best, to_best


def join_variants(
    descriptors: Descriptors, near_pairs: np.ndarray, settings: DuplicateSettings = DEFAULTS
) -> np.ndarray:
    """Number of each image's group: duplicates, and drawings of one shape, mirrored or not; int, (n,)."""
    shapes, links = descriptors["shape"], [near_pairs]
    neighbours = Neighbours(shapes, max_exact=settings.max_exact)
    for change, count in ((None, settings.shape_neighbours), (mirrored, settings.mirror_neighbours)):
        pairs = neighbours.pairs(count, change)
        for part in np.array_split(pairs, len(pairs) // ROWS_AT_ONCE + 1):
            others = shapes[part[:, 1]] if change is None else change(shapes[part[:, 1]])
            links.append(part[(shapes[part[:, 0]] * others).sum(1) >= settings.min_shape_cosine])
    return connected_components(len(descriptors), np.concatenate(links))


def copies_by_hash(files: pd.DataFrame, descriptors: Descriptors, radius: int) -> pd.DataFrame:
    """For comparison: files linked by pHash within ``radius`` bits, as :func:`copies_table` has them."""
    label = connected_components(len(descriptors), hash_pairs(descriptors["whole"], radius))
    return copies_table(files, np.unique(label, return_index=True)[1][label])


def copies_table(files: pd.DataFrame, best: np.ndarray) -> pd.DataFrame:
    """``path`` of every file and ``copy_of``, the path of the best file of its set; empty if it is alone.

    ``files`` is from :func:`distinct_images`, ``best``, int, one per image, from :func:`assign_copies`.
    """
    best = best[files.image]
    leader = files.path.to_numpy()[np.unique(files.image, return_index=True)[1]][best]
    several = np.bincount(best, minlength=len(best) + 1)[best] > 1
    return pd.DataFrame({"path": files.path, "copy_of": np.where(several, leader, "")})
