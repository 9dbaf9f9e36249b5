"""Sets of duplicates -> which file of each is kept, and why the others are not.

In: files with the best one of their set, and what a person decided. Out: the rows of duplicates.csv.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd

from illus.files.descriptors import Descriptors
from illus.files.overrides import decided, labelled, pairs_apart, reasons

Record = Mapping[str, Any]  # a row of the files, see duplicates_table
COLUMNS = ["path", "group", "relation", "keep", "reason", "distance", "conflict", "copy_of"]
# What makes a file worth keeping, most important first, and the reason to remove one that has less of it.
BETTER = {"n_pixels": "fewer pixels than", "lossless": "lossy, unlike", "bytes": "more compressed than"}


def duplicates_table(
    files: pd.DataFrame, group: np.ndarray, overrides: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The table of :func:`illus.copies.duplicates.find_duplicates`.

    ``files`` are from :func:`illus.copies.duplicates.distinct_images`, with ``best`` and ``distance`` from
    :func:`illus.copies.duplicates.assign_copies`, and ``blank``; ``group``, int, has a number for each.
    Decisions ``keep`` and ``drop`` of ``overrides`` are above the rules; ``reason`` names all decisions.
    """
    rows = files.assign(
        group=group,
        alone=~pd.Series(group, files.index).duplicated(keep=False),
        decided=decided(files, overrides),
        labelled=labelled(files, overrides),
        decision=reasons(files, overrides, "keep", "drop"),
        remark=reasons(files, overrides, "label", "not_copy_of"),
    )
    sets: dict[int, list[Record]] = {}
    for record in rows[~rows.alone | rows.blank].to_dict("records"):  # once: a call for each set is slow
        sets.setdefault(record["best"], []).append(record)
    found = [row for records in sets.values() for row in _set_rows(records)]
    table = pd.DataFrame(found, columns=COLUMNS).sort_values("path", ignore_index=True)
    table["group"] = "G" + (pd.factorize(table.group)[0] + 1).astype(str).astype(object)
    return table


def _set_rows(records: list[Record]) -> Iterator[dict[str, object]]:
    """Rows of the table for one set of duplicates, best first."""
    kept, votes = choose_kept(records)
    reference = (kept or records)[0]
    for record in records:
        others = [reference] if record is not reference else [r for r in records if r is not reference]
        exact = any(other["image"] == record["image"] for other in others)
        alone = "blank" if record["blank"] else "variant"
        relation = ("exact" if exact else "near") if len(records) > 1 else alone
        gap = max(one["distance"] for one in records) if record is records[0] else record["distance"]
        yield {
            "path": record["path"],
            "group": record["group"],
            "relation": relation,
            "keep": any(record is one for one in kept),
            "reason": "; ".join(filter(None, [_reason(record, records, kept, votes), record["remark"]])),
            "distance": round(gap, 2),
            "conflict": len(votes) > 1,
            "copy_of": records[0]["path"] if len(records) > 1 else "",
        }


def choose_kept(records: Sequence[Record]) -> tuple[list[Record], Counter[str]]:
    """Which files of a set of duplicates, best first, are kept, and how many of its files each class has."""
    left = [record for record in records if record["decided"] != "drop"]
    votes = Counter(record["class_name"] for record in left)
    # where a person labelled some files, only these vote; a class needs more than half of the votes
    voters = [record["class_name"] for record in left if record["labelled"]] or list(votes.elements())
    best = [record for record in left if voters.count(record["class_name"]) > len(voters) / 2]
    chosen: dict[str, Record] = {}  # what a person keeps; of the same bytes one of that class, or the first
    for record in [*best, *left]:
        if record["decided"] == "keep":
            chosen.setdefault(record["sha256"], record)
    kept = [record for record in left if record is chosen.get(record["sha256"])]
    return kept or best[:1], votes


def _reason(record: Record, records: list[Record], kept: list[Record], votes: Counter[str]) -> str:
    """Why a file of a set of duplicates is kept or not."""
    is_kept = any(record is one for one in kept)
    if record["decided"] == "drop" or (record["decided"] == "keep" and is_kept):
        return record["decision"]
    if record["blank"]:
        return "nothing is seen on a white ground: compared with no other"
    if len(records) == 1:
        return "only copy; its variants are in the group"
    if kept and kept[0]["decided"]:
        return f"copy of {kept[0]['path']}, which is {kept[0]['decision']}"
    if kept and kept[0]["class_name"] != record["class_name"] and any(one["labelled"] for one in records):
        return f"copy of {kept[0]['path']}, whose class a person decided"
    if not kept or record["class_name"] != kept[0]["class_name"]:
        labels = ", ".join(f"{name}: {n}" for name, n in sorted(votes.items()))
        return f"label conflict, {labels}: {'outvoted' if kept else 'undecided'}"
    if is_kept:
        return f"best of {votes.total()} copies" if votes.total() > 1 else "its copies were dropped"
    return removal_reason(record, kept[0])


def removal_reason(record: Mapping[str, str | int], kept: Mapping[str, str | int]) -> str:
    """Why a file is removed in favour of the kept one; both are rows of :func:`best_first`."""
    for key, text in BETTER.items():
        if int(record[key]) < int(kept[key]):
            return f"{text} {kept['path']}"
    return f"same as {kept['path']}, later path"


def take_apart(
    files: pd.DataFrame,
    descriptors: Descriptors,
    pairs: np.ndarray,
    distances: np.ndarray,
    overrides: pd.DataFrame | None,
) -> tuple[pd.DataFrame, Descriptors, np.ndarray, np.ndarray, np.ndarray]:
    """Mark the pairs of images that a person called no copies; equal pixels become images of their own.

    The first four are as for :func:`illus.copies.duplicates.resolve_duplicates`, and are returned with the
    images that were taken apart and their numbers; the last result is bool, one per pair.
    """
    known = set(files.sha256)
    rivals = [pair for pair in pairs_apart(overrides) if known.issuperset(pair)]
    if not rivals:
        return files, descriptors, pairs, distances, np.zeros(len(pairs), bool)
    part = _parts(dict(zip(files.sha256, files.image, strict=True)), rivals)
    places = list(zip(files.image, files.sha256.map(part), strict=True))
    image, unique = pd.factorize(pd.Index(places, tupleize_cols=False))
    old = np.array([place[0] for place in unique])
    files = files.assign(image=image)
    new = pd.Series(range(len(old))).groupby(old).agg(list)
    gaps = {
        (min(a, b), max(a, b)): gap
        for (i, j), gap in zip(pairs.tolist(), distances.tolist(), strict=True)
        for a in new[i]
        for b in new[j]
    }
    number = dict(zip(files.sha256, files.image, strict=True))
    apart = {(min(number[a], number[b]), max(number[a], number[b])) for a, b in rivals}
    for a, b in apart:
        gaps.setdefault((a, b), 0.0 if old[a] == old[b] else np.inf)
    marks = np.array([pair in apart for pair in gaps])
    return files, descriptors[old], np.array(list(gaps)), np.array(list(gaps.values())), marks


def _parts(image_of: Mapping[str, int], rivals: Sequence[tuple[str, str]]) -> dict[str, int]:
    """For each SHA-256, best first: 0, or the next number that no rival of equal pixels has."""
    part: dict[str, int] = {}
    for sha256, image in image_of.items():
        others = {a if b == sha256 else b for a, b in rivals if sha256 in (a, b)}
        taken = {part[other] for other in others if other in part and image_of[other] == image}
        part[sha256] = next(number for number in count() if number not in taken)
    return part
