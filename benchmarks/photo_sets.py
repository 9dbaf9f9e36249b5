"""Labelled collections for measuring the photo filter, and what is measured of their images, stored once.

In: emoji20, and FOLDER with the sub-folders ``vector``, ``cartoon`` and ``scenes`` (each with
``illustration`` and ``photo``) and ``real_photos``. Out: each set's rows, truth, statistics, blocks, small
copies, and what an autoencoder that was trained on the set says of its images.

A collection is one source of illustrations: what is chosen for a set is chosen on sets of other collections.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from evaluate import read_file
from illus import work_folders
from illus.emoji20.truth import load_truth
from illus.files.decoded import decode
from illus.files.photo_statistics import PHOTO, measure_photo
from illus.hashing import code_of
from illus.parallel import in_parallel
from illus.photos import autoencoder
from illus.photos.autoencoder import draw_blocks, fit_linear, log_unexplained, measure_gains, normalise

MAX_DRAWN = 6000  # images of a set of emoji20
REAL_SHARES = (0.01, 0.05, 0.20)  # of real photos among emoji20's drawings
RARE = 0.01  # share of photos in the sets called "1%"
FIFTHS = 5  # parts of emoji20's source photographs, each a set with no others
MIXTURES = ("vector", "cartoon", "scenes")  # folders of FOLDER, each a collection
COLLECTIONS = ("emoji20", *MIXTURES)
SMALL_SIDE = 64  # px, of the copies that whole-image methods see
MEASURED = np.dtype([("photo", PHOTO), ("small", np.uint8, (SMALL_SIDE, SMALL_SIDE, 3))])
SOURCES = (
    "illus/files/photo_statistics.py",
    "illus/photos/autoencoder.py",
    "illus/files/decoded.py",
    "benchmarks/photo_sets.py",
)


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

    @property
    def is_fifth(self) -> bool:
        """Whether it holds the photographs of a fifth of the sources: no setting is chosen on these."""
        return "fifth" in self.name


class Pool:
    """All images of all sets, measured once."""

    def __init__(self, photo_bench: Path, cache: Path) -> None:
        self.cache, table = cache / code_of(SOURCES), pool_table(photo_bench)
        self.cache.mkdir(parents=True, exist_ok=True)
        self.sets = labelled_sets(table)
        used = np.unique(np.concatenate([one.rows for one in self.sets.values()]))
        self.place = np.full(len(table), -1)
        self.place[used] = np.arange(len(used))
        stored = self.cache / "images.npy"
        if not stored.exists():
            rows = in_parallel(measure, [Path(path) for path in table.path[used]], "images")
            np.save(stored, np.fromiter(rows, MEASURED, len(used)))
        self.images = np.load(stored)

    def measured(self, name: str) -> np.ndarray:
        """What is measured of a set's images; dtype ``MEASURED``."""
        return self.images[self.place[self.sets[name].rows]]

    def autoencoded(self, name: str, seed: int) -> dict[str, np.ndarray]:
        """What an autoencoder trained on a set gives for its images, see :func:`autoencode`."""
        stored = self.cache / f"{name}-{seed}.npz"
        if not stored.exists():
            np.savez(stored, **autoencode(self.measured(name)["photo"]["blocks"], seed))
        with np.load(stored) as arrays:
            return dict(arrays)


def measure(path: Path) -> np.ndarray:
    """Statistics and blocks of a file, and a small copy; dtype ``MEASURED``."""
    image = decode(read_file(path))
    small = cv2.resize(image.small, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA)
    return np.array((measure_photo(image), small), MEASURED)


def autoencode(blocks: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Gains and relative errors, float (n, blocks), and mean and spread of the code, float (n, 32)."""
    rows = normalise(draw_blocks(blocks, seed))
    model, _ = autoencoder.train(rows, seed)
    encoder = autoencoder.keras.Model(model.inputs, model.get_layer("code").output)
    errors, codes = [], []
    for part in np.array_split(blocks, max(1, len(blocks) // 500)):
        rows_of_part = normalise(part)
        error = log_unexplained(rows_of_part, model.predict(rows_of_part, batch_size=4096, verbose=0))
        code = encoder.predict(rows_of_part, batch_size=4096, verbose=0).reshape(*part.shape[:2], -1)
        errors.append(error.reshape(part.shape[:2]))
        codes.append(np.hstack([code.mean(1), code.std(1)]))
    gains = measure_gains(blocks, model, fit_linear(rows))
    return {"gains": gains, "errors": np.concatenate(errors), "codes": np.concatenate(codes)}


def pool_table(photo_bench: Path) -> pd.DataFrame:
    """One row per image: ``path``, ``collection``, ``photo`` (bool), ``source`` of emoji20's photographs."""
    folder = work_folders.EMOJI20 / "training"
    truth = load_truth(folder)
    # one file of each drawing and photo, in random order
    truth = truth[truth.kind != "broken"].sample(frac=1, random_state=0).drop_duplicates("drawing")
    paths, photo = [str(folder / path) for path in truth.path], (truth.kind == "photo").to_numpy()
    parts = [
        pd.DataFrame({"path": paths, "photo": photo, "source": truth.source}).assign(collection="emoji20")
    ]
    for collection in MIXTURES:
        files = [path for path in sorted((photo_bench / collection).rglob("*")) if path.is_file()]
        kinds = [path.parent.name == "photo" for path in files]
        parts.append(pd.DataFrame({"path": map(str, files), "photo": kinds}).assign(collection=collection))
    files = sorted((photo_bench / "real_photos").iterdir())
    parts.append(pd.DataFrame({"path": map(str, files)}).assign(photo=True, collection="real"))
    return pd.concat(parts, ignore_index=True).fillna({"source": ""})


def labelled_sets(table: pd.DataFrame) -> dict[str, LabelledSet]:
    """Every set, by name; those of emoji20 have at most ``MAX_DRAWN`` images."""
    rng = np.random.default_rng(0)

    def shuffled(chosen: pd.Series) -> np.ndarray:
        return rng.permutation(np.flatnonzero(chosen))

    rows = {}
    for name in COLLECTIONS:
        own, most = table.collection == name, MAX_DRAWN if name == "emoji20" else len(table)
        drawings, photos = shuffled(own & ~table.photo), shuffled(own & table.photo)
        share = len(photos) / (len(drawings) + len(photos))
        rows[name] = mix(drawings, photos, share, most)
        rows[f"{name}, 1%"] = mix(drawings, photos, RARE, most)
        rows[f"{name}, no photos"] = drawings[:most]
        if name != "emoji20":
            continue
        real = shuffled(table.collection == "real")
        for share in REAL_SHARES:
            rows[f"{name}, real {share:.0%}"] = mix(drawings, real, share, most)
        sources = pd.factorize(table.source[photos], sort=True)[0]
        for part in range(FIFTHS):
            own_photos = photos[sources % FIFTHS == part]
            share = len(own_photos) / (len(drawings) + len(own_photos))
            rows[f"{name}, fifth {part + 1}"] = mix(drawings, own_photos, share, most)
    truth = table.photo.to_numpy()
    return {name: LabelledSet(name, np.sort(chosen), truth[np.sort(chosen)]) for name, chosen in rows.items()}


def mix(illustrations: np.ndarray, photos: np.ndarray, share: float, most: int) -> np.ndarray:
    """Rows with this share of photos: as many images as there are, ``most`` at most."""
    n = min(most, int(len(photos) / share), int(len(illustrations) / (1 - share)))
    count = round(share * n)
    return np.concatenate([illustrations[: n - count], photos[:count]])
