"""Icons -> a data set of class folders with known contamination.

In: the tables of icons and of pictures. Out: ``training/``, ``test/``, ``test_unseen_style/``, ``truth.csv``,
``ATTRIBUTION.md``. All files are planned first, from the icons and the seed alone, then written.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from illus.emoji20 import contaminate, photographs, render
from illus.emoji20.sources import HERE, UNSEEN_SETS
from illus.parallel import in_parallel

TEST_SHARE = 0.15
FULL_SIZE = 25_000  # icons, for which PLANTED says how much contamination is planted
PHOTOGRAPHS = (399, 396, 394, 374, 363)  # of the five classes that have them, as in the challenge's own data
PLANTED = {"duplicate": 1500, "photo": sum(PHOTOGRAPHS), "broken": 25}
PHOTO_SIDES = (96, 320)  # px, range of the longest side; the challenge's are smaller than its drawings
PHOTO_QUALITIES = (60, 95)  # of JPEG
PHOTO_PNG_SHARE = 0.06  # as among all files of the challenge
REAL_RATIO = 34  # largest class : smallest, of the challenge
NAME_LENGTH = 20  # random small letters, as the challenge's files have
LABEL_CONFLICT_SHARE = 0.1  # of planted duplicates, in another class than the original
TRUTH = ["path", "kind", "source", "transform", "icon_set", "concept", "group", "drawing"]

Row = Any  # a named tuple of a data frame's columns, which pandas makes when it runs


def build(
    icons: pd.DataFrame,
    pictures: pd.DataFrame,
    folder: str | Path,
    seed: int = 0,
    limit: int | None = None,
    real_shares: bool = False,
    jobs: int = -1,
) -> str:
    """Build the data set in ``folder``, which appears when it is complete; returns its :func:`tree_hash`.

    ``icons`` and ``pictures`` are from :func:`illus.emoji20.sources.load_icons` and
    :func:`illus.emoji20.photographs.load_pictures`. Two builds with one ``seed`` give the same bytes.
    ``limit`` is about how many icons are used, with contamination in proportion. ``real_shares`` leaves
    training drawings out, until the largest class is to the smallest as in the challenge. ``jobs`` are worker
    processes, as joblib counts them. FileExistsError if ``folder`` exists.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists; remove it to build it again")
    if limit and limit < len(icons):
        icons = icons.sample(limit, random_state=seed).sort_index().reset_index(drop=True)
    building = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    plan = make_plan(icons, pictures, seed, real_shares, jobs)
    write_files(plan, building, seed, jobs)
    plan[TRUTH].to_csv(building / "truth.csv", index=False, lineterminator="\n")
    shutil.copy(HERE / "ATTRIBUTION.md", building)
    tree = tree_hash(building)
    os.replace(building, folder)
    return tree


def make_plan(
    icons: pd.DataFrame, pictures: pd.DataFrame, seed: int, real_shares: bool = False, jobs: int = -1
) -> pd.DataFrame:
    """One row per file to write: the columns of ``truth.csv``, and those that :func:`write_files` needs."""
    hashes = in_parallel(render.drawing_hash, icons.svg, "drawings", jobs=jobs, batch_size=32)
    originals = icons.assign(drawing=list(hashes), kind="original", transform="")
    originals["source"] = originals.icon_set + "/" + originals.icon
    originals["group"] = connect_groups(originals.family + "/" + originals.concept, originals.drawing)
    # each part draws from a random stream of its own, so that a change of one leaves the others as they are
    originals["split"] = assign_splits(originals, np.random.default_rng([seed, 1]))
    originals = originals.join(_looks(originals, seed))
    if real_shares:
        originals = leave_out(originals, np.random.default_rng([seed, 6]))
    training = originals[originals.split == "training"]

    def scaled(count: int) -> int:
        return min(count, max(1, round(count * len(icons) / FULL_SIZE)))

    plan = pd.concat(
        [
            originals,
            plan_duplicates(training, scaled(PLANTED["duplicate"]), np.random.default_rng([seed, 2])),
            plan_photos(training, pictures, [*map(scaled, PHOTOGRAPHS)], np.random.default_rng([seed, 3])),
            plan_broken(training, scaled(PLANTED["broken"]), np.random.default_rng([seed, 4])),
        ],
        ignore_index=True,
    )
    plan["path"] = name_files(plan, np.random.default_rng([seed, 5]))
    plan["key"] = plan.kind + "/" + plan.source
    source_path = plan.path[plan.kind == "original"].set_axis(originals.source)
    derived = plan.kind.isin(["duplicate", "broken"])
    plan.loc[derived, "source"] = plan.source[derived].map(source_path)
    return plan.sort_values("path", ignore_index=True)


def connect_groups(names: pd.Series, drawings: pd.Series) -> list[str]:
    """The alphabetically first name of each row's group: rows linked by shared names or drawings."""
    name_ids, _ = pd.factorize(names)
    drawing_ids, _ = pd.factorize(drawings)
    n_names, n = name_ids.max() + 1, name_ids.max() + 2 + drawing_ids.max()
    edges = coo_array((np.ones(len(names)), (name_ids, drawing_ids + n_names)), shape=(n, n))
    _, component = connected_components(edges, directed=False)
    return pd.Series(list(names)).groupby(component[name_ids]).transform("min").tolist()


def assign_splits(originals: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """The part of each original: ``test_unseen_style`` for ``UNSEEN_SETS``, else ``test`` or ``training``."""
    split = pd.Series("training", index=originals.index)
    split[originals.icon_set.isin(UNSEEN_SETS)] = "test_unseen_style"
    seen = originals[split == "training"]
    drawn = draw_groups(seen.class_name, seen.group, TEST_SHARE, rng)
    split[seen.index[drawn]] = "test"
    return split


def draw_groups(
    class_names: pd.Series, groups: pd.Series, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw about ``share`` of every class by whole groups; bool, shape (n,): who is drawn."""
    # not that of illus.copies.groups: a change of the split never changes the bytes of the data set
    home = class_names.groupby(groups).agg(lambda c: c.value_counts().sort_index().idxmax())
    sizes = groups.value_counts()
    drawn = []
    for class_name, members in home.groupby(home).groups.items():
        wanted, taken = share * (class_names == class_name).sum(), 0
        for group in rng.permutation(sorted(members)):
            if taken + sizes[group] <= 1.02 * wanted:
                drawn.append(group)
                taken += sizes[group]
        if not taken and wanted >= 1 and len(members) > 1:
            drawn.append(min(members, key=lambda group: (sizes[group], group)))
    return groups.isin(drawn).to_numpy()


def _looks(originals: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Size, encoding and background of each original."""
    rows = []
    for source, drawing in zip(originals.source, originals.drawing, strict=True):
        look = render.choose_look(render.rng_for(seed, "look", drawing))
        file = render.choose_file(render.rng_for(seed, "file", source), **look)
        rows.append({**file, "background": look["background"]})
    return pd.DataFrame(rows, index=originals.index)


def plan_duplicates(training: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Duplicates of training files, every transform equally often; some are put into a wrong class."""
    rows = training.iloc[rng.choice(len(training), count, replace=False)].copy()
    kinds = np.resize(contaminate.TRANSFORMS, count)
    rows["container"] = [
        contaminate.duplicate_container(t, c, rng) for t, c in zip(kinds, rows.container, strict=True)
    ]
    classes = np.array(sorted(training.class_name.unique()))
    wrong = rng.permutation(count) < LABEL_CONFLICT_SHARE * count
    rows["class_name"] = [
        rng.choice(classes[classes != c]) if w and len(classes) > 1 else c
        for c, w in zip(rows.class_name, wrong, strict=True)
    ]
    return rows.assign(kind="duplicate", transform=kinds)


def leave_out(originals: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Training drawings of all classes but the largest left out at random, until ``REAL_RATIO`` holds.

    A class keeps a power of its size, so that the order of the classes stays.
    """
    training = originals[originals.split == "training"]
    sizes = training.class_name.value_counts()
    power = np.log(REAL_RATIO) / np.log(sizes.max() / sizes.min())
    kept = (sizes.max() * (sizes / sizes.max()) ** max(1, power)).round().astype(int)
    rank = (
        training.index.to_series()
        .iloc[rng.permutation(len(training))]
        .groupby(training.class_name)
        .cumcount()
    )
    dropped = rank.index[rank >= training.class_name.map(kept)[rank.index]]
    return originals.drop(dropped)


def plan_photos(
    training: pd.DataFrame, pictures: pd.DataFrame, counts: list[int], rng: np.random.Generator
) -> pd.DataFrame:
    """Photographs of real scenes in the smallest classes alone, where they are about half of the files."""
    sizes = training.class_name.value_counts().sort_index().sort_values(kind="stable")
    classes = sizes.index[: len(counts)][::-1]
    counts = counts[: len(classes)]
    parts = photographs.choose_parts(pictures, sum(counts), rng)
    longest = [max(right - left, bottom - top) for left, top, right, bottom in parts.box]
    low, high = PHOTO_SIDES
    return parts.assign(
        class_name=np.repeat(classes, counts),
        side=[int(rng.integers(min(low, side), min(high, side) + 1)) for side in longest],
        container=np.where(rng.random(len(parts)) < PHOTO_PNG_SHARE, "png-rgb", "jpeg"),
        quality=rng.integers(PHOTO_QUALITIES[0], PHOTO_QUALITIES[1] + 1, len(parts)),
        kind="photo",
        split="training",
        transform=["part " + ",".join(map(str, box)) for box in parts.box],
    )


def plan_broken(training: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Files that cannot be read; ``source`` is the file that each was made from."""
    rows = training.iloc[rng.choice(len(training), count, replace=False)]
    rows = rows[["source", "split", "class_name", "side", "container", "quality"]]
    damages = np.resize(contaminate.DAMAGES, count)
    return rows.assign(kind="broken", transform=damages)


def name_files(plan: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Paths with random letters, so that a name says nothing about its file."""
    letters = rng.integers(ord("a"), ord("z") + 1, (len(plan), NAME_LENGTH), dtype=np.uint8)
    names = pd.Series([row.tobytes().decode() for row in letters], index=plan.index)
    endings = plan.container.map({name: ending for name, (ending, _) in render.CONTAINERS.items()})
    return plan.split + "/" + plan.class_name + "/" + names + "." + endings


def write_files(plan: pd.DataFrame, folder: Path, seed: int, jobs: int = -1) -> None:
    """Write every planned file; adds to ``plan`` the strengths of transforms and the hashes of photos."""
    for parent in sorted({str(Path(p).parent) for p in plan.path}):
        (folder / parent).mkdir(parents=True)
    drawn = plan[plan.kind == "original"]
    _write(drawn, render_row, folder, seed, jobs, "originals")
    rest = plan[plan.kind != "original"].sort_values("key")  # the parts of a picture together: it is kept
    facts = _write(rest, contaminate_row, folder, seed, jobs, "contamination")
    plan.loc[rest.index, "transform"] = [transform for transform, _ in facts]
    photos = plan.kind == "photo"
    plan.loc[photos, "drawing"] = [d for _, d in facts if d]


def render_row(row: Row, folder: Path, seed: int) -> None:
    """Write one original."""
    data = render.render_file(row.svg, row.side, row.container, row.quality, row.background)
    (folder / row.path).write_bytes(data)


def contaminate_row(row: Row, folder: Path, seed: int) -> tuple[str, str]:
    """Write one duplicate, photo or broken file; its transform, and the hash of a photo (else empty)."""
    rng = render.rng_for(seed, row.key)
    transform, drawing = row.transform, ""
    if row.kind == "photo":
        part = photographs.cut(photographs.load(row.file), row.box, row.side)
        data = render.encode(part, row.container, row.quality)
        drawing = hashlib.sha256(data).hexdigest()[:16]
    elif row.kind == "broken":
        data = contaminate.broken((folder / row.source).read_bytes(), row.transform, rng)
    else:
        source = (folder / row.source).read_bytes()
        data, transform = contaminate.duplicate(source, row.transform, row.container, rng)
    (folder / row.path).write_bytes(data)
    return transform, drawing


def _write(
    rows: pd.DataFrame, function: Callable[..., Any], folder: Path, seed: int, jobs: int, label: str
) -> list:
    records = list(rows.itertuples(index=False))
    return list(in_parallel(function, records, label, folder, seed, jobs=jobs, batch_size=32))


def tree_hash(folder: str | Path) -> str:
    """SHA-256 of every file's relative path and content, in the order of paths; hexadecimal digits."""
    tree = hashlib.sha256()
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        tree.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return tree.hexdigest()
