"""The photo filter beside textbook methods on the same features. Writes results/photos*.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.photos [--photo-bench FOLDER] [--dbscan-only]

Every method gets the same distinct images and one setting for all sets. The peers cluster what
DBSCAN sees in the filter (statistics' votes and autoencoder errors), scaled and reduced to six
principal components; which cluster is of photos is said by the same rule, the median vote. DBSCAN's
``eps`` is the knee of the k-distances, by the filter's own rule and of the points that it clusters. For
the isolation forest, which has no clusters, the photos are the outliers that vote above 0. A
set's rows are written when it is done, so that a stopped run goes on; rows of other code (column
``code``) are dropped. ``--dbscan-only`` measures the rows of DBSCAN anew, of all sets that the table has,
and keeps the others, each with the code it is of. Seconds and memory: see ``benchmarks/measure.py``.

FOLDER holds labelled mixtures, each with sub-folders ``illustration`` and ``photo``.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import evaluate

evaluate.import_keras()

from sklearn.cluster import DBSCAN, HDBSCAN, KMeans  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402
from sklearn.metrics import f1_score  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402

from benchmarks.measure import measure_program  # noqa: E402
from illus import config  # noqa: E402
from illus.clean import autoencoder  # noqa: E402
from illus.clean.clusters import k_distances, knee, scale  # noqa: E402
from illus.clean.duplicates import find_duplicates  # noqa: E402
from illus.clean.photo_statistics import photo_statistics, votes  # noqa: E402
from illus.clean.photos import analyse, distinct_images  # noqa: E402
from illus.data.catalog import scan  # noqa: E402
from illus.emoji20.truth import load_truth  # noqa: E402
from illus.learn.settings import code_of  # noqa: E402
from illus.parallel import write_table  # noqa: E402

SEEDS = (0, 1, 2)
SHARES = (0.02, 0.05, 0.15, 0.30)
MAX_IMAGES = 8000  # of a set with a made share
MIXTURES = {"cartoon", "vector"}  # folders of FOLDER
EMOJI20_SETS = ("emoji20", "emoji20, no photographs", *(f"emoji20, {share:.0%}" for share in SHARES))
TABLE = config.RESULTS / "photos.csv"
COST = config.RESULTS / "photos_cost.csv"
COLUMNS = ["set", "images", "photos", "method", "seed", "f1", "precision", "recall", "removed", "code"]
MIN_SAMPLES = 20  # of DBSCAN and HDBSCAN
SOURCES = (
    "illus/clean/photo_statistics.py",
    "illus/clean/mixture.py",
    "illus/clean/autoencoder.py",
    "illus/clean/clusters.py",
    "illus/clean/self_training.py",
    "illus/clean/photos.py",
    "benchmarks/photos.py",
)


def peers(features: np.ndarray, ballots: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Method -> who is a photo; bool, shape (n,)."""
    points = PCA(6, random_state=0).fit_transform(scale(features))
    k_means = KMeans(2, n_init=10, random_state=seed).fit_predict(points)
    mixture = GaussianMixture(4, n_init=3, random_state=seed).fit_predict(points)
    outliers = IsolationForest(random_state=seed).fit_predict(points)
    found = {
        "k-means, 2": named(k_means, ballots),
        "Gaussian mixture, 4": named(mixture, ballots),
        "isolation forest": (outliers < 0) & (ballots > 0),
    }
    found["DBSCAN"] = named(dbscan(points), ballots)
    density = HDBSCAN(min_cluster_size=MIN_SAMPLES, copy=True).fit_predict(points)
    found["HDBSCAN"] = named(density, ballots)
    return found


def dbscan(points: np.ndarray) -> np.ndarray:
    """Clusters of all points, with ``eps`` at the knee of their own k-distances; int, -1 for noise."""
    eps = knee(k_distances(points, MIN_SAMPLES))
    return DBSCAN(eps=eps, min_samples=MIN_SAMPLES).fit_predict(points)


def named(cluster: np.ndarray, ballots: np.ndarray) -> np.ndarray:
    """Members of clusters whose median vote is for photos; noise by its own vote."""
    middle = pd.Series(ballots).groupby(cluster).transform("median").to_numpy()
    return np.where(cluster < 0, ballots, middle) > 0


def judge(statistics: pd.DataFrame, thumbnails: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Method -> who is a photo, of all methods; bool, shape (n,)."""
    found = analyse(statistics, thumbnails, seed)
    ballots = votes(statistics)
    mean = ballots.mean(1)
    return {
        "this project": found.is_photo,
        "votes alone": mean > found.first.threshold if found.first else np.zeros(len(mean), bool),
        **peers(np.hstack([ballots, found.errors]), mean, seed),
    }


def judge_by_dbscan(statistics: pd.DataFrame, thumbnails: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The same of DBSCAN alone, on the same features."""
    model, _ = autoencoder.train(thumbnails, seed)
    ballots = votes(statistics)
    features = np.hstack([ballots, autoencoder.reconstruction_errors(model, thumbnails)])
    points = PCA(6, random_state=0).fit_transform(scale(features))
    return {"DBSCAN": named(dbscan(points), ballots.mean(1))}


def measure_set(
    name: str, statistics: pd.DataFrame, thumbnails: np.ndarray, truth: np.ndarray, judge: Callable = judge
) -> list[dict]:
    """Rows of the table for one set, all seeds."""
    rows = []
    for seed in SEEDS:
        judged = judge(statistics, thumbnails, seed)
        for method, is_photo in judged.items():
            right = (is_photo & truth).sum()
            rows.append(
                {
                    "set": name,
                    "images": len(truth),
                    "photos": int(truth.sum()),
                    "method": method,
                    "seed": seed,
                    "f1": round(f1_score(truth, is_photo, zero_division=0), 4),
                    "precision": round(right / max(1, is_photo.sum()), 4),
                    "recall": round(right / max(1, truth.sum()), 4),
                    "removed": round((is_photo & ~truth).sum() / max(1, (~truth).sum()), 5),
                }
            )
        print(name, seed, [row["f1"] for row in rows[-len(judged) :]], flush=True)
    return rows


def emoji20_sets(
    statistics: pd.DataFrame, thumbnails: np.ndarray, truth: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and rows of emoji20 as it is, without photos, and with made shares of them."""
    drawings, photos = np.flatnonzero(~truth), np.flatnonzero(truth)
    yield "emoji20", np.arange(len(truth))
    yield "emoji20, no photographs", drawings
    rng = np.random.default_rng(0)
    for share in SHARES:
        n = int(min(MAX_IMAGES, len(photos) / share))
        kept = [
            rng.choice(drawings, n - round(share * n), replace=False),
            rng.choice(photos, round(share * n), replace=False),
        ]
        yield f"emoji20, {share:.0%}", np.sort(np.concatenate(kept))


def labelled_mixture(folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Statistics, thumbnails and truth of a mixture; its folder names are seen by nobody else."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    truth = np.array([path.relative_to(folder).parts[0] == "photo" for path in paths])
    return *photo_statistics(paths), truth


def finished(path: Path) -> pd.DataFrame:
    """Rows of a table that this code made."""
    table = pd.read_csv(path, dtype={"code": str}) if path.exists() else pd.DataFrame(columns=["set", "code"])
    return table[table.code == code_of(SOURCES)]


def add(rows: list[dict]) -> None:
    """Write rows behind the finished ones."""
    table = pd.DataFrame(rows).assign(code=code_of(SOURCES))[COLUMNS]
    old = finished(TABLE)
    write_table(pd.concat([old, table]) if len(old) else table, TABLE)


def replace_rows(rows: list[dict]) -> None:
    """Write rows in place of those of the same set, method and seed; the others keep their code."""
    key = ["set", "method", "seed"]
    old = pd.read_csv(TABLE, dtype={"code": str}).set_index(key)
    new = pd.DataFrame(rows).assign(code=code_of(SOURCES)).set_index(key)
    old.loc[new.index, new.columns] = new
    write_table(old.reset_index()[COLUMNS], TABLE)


def measure_cost(folder: Path) -> None:
    """Seconds and memory of the filter on all files of emoji20, and of DBSCAN on many feature rows.

    The filter is called with the table of copies and without; ``f1`` counts files, copies too.
    """
    rows = []
    catalog = scan(folder)
    duplicates = find_duplicates(catalog, folder)
    kinds = load_truth(folder).set_index("path").kind
    with tempfile.TemporaryDirectory() as place:
        files, out, copies = (Path(place, name) for name in ("catalog", "photos", "duplicates"))
        catalog.to_pickle(files)
        duplicates.to_pickle(copies)
        known = ("--duplicates", copies)
        for step, arguments in (("find_photos", known), ("find_photos, copies unknown", ())):
            cost = measure_program("photo_filter", folder, files, out, *arguments)
            table = pd.read_pickle(out)
            f1 = f1_score(table.path.map(kinds).eq("photo"), table.is_photo)
            rows.append({"step": step, "n": len(catalog), **cost, "f1": round(f1, 4)})
    for n in (25_000, 100_000):
        rows.append({"step": "clusters", "n": n, **measure_program("photo_clusters", n)})
    write_table(pd.DataFrame(rows).assign(code=code_of(SOURCES)), COST)


def labelled_sets(photo_bench: Path | None, names: Container[str]) -> Iterator[tuple]:
    """Name, statistics, thumbnails and truth of the sets called so; nothing else is read."""
    for folder in sorted(photo_bench.iterdir()) if photo_bench else []:
        if folder.is_dir() and folder.name in names:
            yield folder.name, *labelled_mixture(folder)
    folder = config.EMOJI20 / "training"
    catalog = scan(folder)
    _, images = distinct_images(catalog, find_duplicates(catalog, folder))
    kinds = load_truth(folder).set_index("path").kind
    statistics, thumbnails = photo_statistics([folder / path for path in images])
    truth = images.map(kinds).eq("photo").to_numpy()
    for name, rows in emoji20_sets(statistics, thumbnails, truth):
        if name in names:
            yield name, statistics.iloc[rows].reset_index(drop=True), thumbnails[rows], truth[rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER")
    parser.add_argument("--dbscan-only", action="store_true", help="measure the rows of DBSCAN anew")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    start = time.perf_counter()
    if options.dbscan_only:
        for found in labelled_sets(options.photo_bench, set(pd.read_csv(TABLE).set)):
            replace_rows(measure_set(*found, judge_by_dbscan))
    else:
        mixtures = [path.name for path in options.photo_bench.iterdir()] if options.photo_bench else []
        names = {*MIXTURES.intersection(mixtures), *EMOJI20_SETS} - set(finished(TABLE).set)
        for found in labelled_sets(options.photo_bench, names):
            add(measure_set(*found))
        if finished(COST).empty:
            measure_cost(config.EMOJI20 / "training")
    table = pd.read_csv(TABLE)
    scores = table.groupby(["set", "method"], sort=False).f1.agg(["mean", "std"]).round(3)
    print(scores.unstack(0).to_string())
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
