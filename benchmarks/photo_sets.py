"""Labelled collections for measuring the photo filter, and their features, stored once.

In: emoji20, and FOLDER with the sub-folders ``vector``, ``cartoon`` and ``scenes`` (each with
``illustration`` and ``photo``) and ``real_photos``. Out: each set's rows, truth, statistics and codes.

A collection is one source of illustrations: what is chosen for a set is chosen on sets of other collections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from illus import work_folders
from illus.emoji20.truth import load_truth
from illus.files.photo_statistics import LEVELS, photo_statistics, votes
from illus.hashing import code_of
from illus.photos import autoencoder

MAX_DRAWN = 6000  # images of a set that settings are chosen on
REAL_SHARES = (0.01, 0.05, 0.20)  # of real photos among emoji20's drawings
RARE = 0.01  # share of photos in the sets called "1%"
MIXTURES = ("vector", "cartoon", "scenes")  # folders of FOLDER, each a collection
COLLECTIONS = ("emoji20", *MIXTURES)
LEVEL_SETS = ("emoji20", "emoji20, real 5%", *MIXTURES)  # that the levels of the votes are read off
FEATURES = ("illus/files/photo_statistics.py", "illus/photos/autoencoder.py")


@dataclass(frozen=True)
class LabelledSet:
    """A set of images whose photos are known."""

    name: str
    rows: np.ndarray  # of the pool, ascending
    truth: np.ndarray  # bool (n,)

    @property
    def collection(self) -> str:
        """Whose illustrations it has."""
        return next(name for name in COLLECTIONS if self.name.startswith(name))


class Pool:
    """All images of all sets, with their statistics and patches."""

    def __init__(self, photo_bench: Path, cache: Path) -> None:
        self.table, self.cache = pool_table(photo_bench), cache
        cache.mkdir(parents=True, exist_ok=True)
        stored = cache / f"statistics-{code_of(FEATURES)}.npz"
        if not stored.exists():
            statistics, patches = photo_statistics([Path(path) for path in self.table.path])
            np.savez(stored, statistics=statistics.to_numpy(), patches=patches)
        arrays = np.load(stored)
        self.statistics = pd.DataFrame(arrays["statistics"], columns=list(LEVELS))
        self.patches = arrays["patches"]

    def codes(self, labelled: LabelledSet, seed: int) -> np.ndarray:
        """What the autoencoder of a set says of its images, see :func:`autoencoder.encode_images`."""
        name = labelled.name.replace(" ", "_").replace(",", "").replace("%", "")
        stored = self.cache / f"codes-{name}-{seed}-{code_of((*FEATURES, __file__))}.npy"
        if not stored.exists():
            patches = self.patches[labelled.rows]
            np.save(stored, autoencoder.encode_images(autoencoder.train(patches, seed)[0], patches))
        return np.load(stored)

    def ballots(self, labelled: LabelledSet, levels: dict[str, tuple[float, float]] = LEVELS) -> np.ndarray:
        """The votes of a set's images."""
        return votes(self.statistics.iloc[labelled.rows], levels)


def pool_table(photo_bench: Path) -> pd.DataFrame:
    """One row per image: ``path``, ``collection``, ``photo`` (bool), ``sketch`` (bool).

    Of emoji20 the training part, one file of each drawing and photo, in random order; of the mixtures all.
    """
    truth = load_truth(work_folders.EMOJI20 / "training")
    truth = truth[truth.kind != "broken"].sample(frac=1, random_state=0).drop_duplicates("drawing")
    folder = work_folders.EMOJI20 / "training"
    parts = [
        pd.DataFrame(
            {"path": [str(folder / path) for path in truth.path], "photo": (truth.kind == "photo").to_numpy()}
        ).assign(collection="emoji20", sketch=False)
    ]
    for collection in MIXTURES:
        files = [path for path in sorted((photo_bench / collection).rglob("*")) if path.is_file()]
        kinds = [path.parent.name for path in files]
        sketches = [
            collection != "vector" and kind == "illustration" and path.suffix == ".png"
            for path, kind in zip(files, kinds, strict=True)
        ]
        part = {"path": map(str, files), "photo": [kind == "photo" for kind in kinds], "sketch": sketches}
        parts.append(pd.DataFrame(part).assign(collection=collection))
    files = sorted(str(path) for path in (photo_bench / "real_photos").iterdir())
    parts.append(pd.DataFrame({"path": files}).assign(photo=True, sketch=False, collection="real"))
    return pd.concat(parts, ignore_index=True)


def labelled_sets(table: pd.DataFrame, max_drawn: int | None = MAX_DRAWN) -> dict[str, LabelledSet]:
    """Every set, by name; those of emoji20 have at most ``max_drawn`` images, None: all there are."""
    rng = np.random.default_rng(0)

    def shuffled(chosen: pd.Series) -> np.ndarray:
        return rng.permutation(np.flatnonzero(chosen))

    of_emoji20 = table.collection == "emoji20"
    drawings, planted = shuffled(of_emoji20 & ~table.photo), shuffled(of_emoji20 & table.photo)
    real = shuffled(table.collection == "real")
    share = len(planted) / (len(drawings) + len(planted))
    rows = {
        "emoji20": mix(drawings, planted, share, max_drawn),
        "emoji20, no photos": drawings[:max_drawn],
    }
    for share in REAL_SHARES:
        rows[f"emoji20, real {share:.0%}"] = mix(drawings, real, share, max_drawn)
    for name in MIXTURES:
        own = table.collection == name
        photos = shuffled(own & table.photo)
        plain, sketches = shuffled(own & ~table.photo & ~table.sketch), shuffled(own & table.sketch)
        variants = {name: np.concatenate([plain, sketches])}
        if len(sketches):
            variants[f"{name}, half the sketches"] = np.concatenate([plain, sketches[: len(sketches) // 2]])
            variants[f"{name}, no sketches"] = plain
        for variant, illustrations in variants.items():
            rows[variant] = np.concatenate([illustrations, photos])
            rows[f"{variant}, 1%"] = mix(illustrations, photos, RARE, None)
            rows[f"{variant}, no photos"] = illustrations
    truth = table.photo.to_numpy()
    return {name: LabelledSet(name, np.sort(chosen), truth[np.sort(chosen)]) for name, chosen in rows.items()}


def mix(illustrations: np.ndarray, photos: np.ndarray, share: float, most: int | None) -> np.ndarray:
    """Rows with this share of photos: as many images as there are, ``most`` at most."""
    n = min(most or len(illustrations) + len(photos), int(len(photos) / share))
    n = min(n, int(len(illustrations) / (1 - share)))
    count = round(share * n)
    return np.concatenate([illustrations[: n - count], photos[:count]])


def find_levels(statistics: pd.DataFrame, labelled: Sequence[LabelledSet]) -> dict[str, tuple[float, float]]:
    """The levels of the votes, read off labelled sets: where a vote is 0, and the distance at which it is 1.

    The middle lies half way between the medians of illustrations and photos, the spread is the mean of
    their standard deviations, negative where photos have less; both are means over the sets.
    """
    kinds = []
    for one in labelled:
        values = statistics.to_numpy(float)[one.rows]
        parts = values[~one.truth], values[one.truth]
        medians = [np.median(part, 0) for part in parts]
        kinds.append((sum(medians) / 2, medians[1] - medians[0], sum(part.std(0) for part in parts) / 2))
    middle, difference, spread = np.mean(kinds, axis=0)
    spread = spread * np.sign(difference)
    pairs = zip(middle.round(3).tolist(), spread.round(3).tolist(), strict=True)
    return dict(zip(statistics.columns, pairs, strict=True))


def levels_without(pool: Pool, sets: dict[str, LabelledSet], left_out: str) -> dict[str, tuple[float, float]]:
    """Levels from the sets of all collections but one; from all, where ``left_out`` is none of them."""
    return find_levels(
        pool.statistics, [sets[name] for name in LEVEL_SETS if sets[name].collection != left_out]
    )
