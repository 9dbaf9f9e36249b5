"""The photo filter beside textbook methods on the same features. Writes results/photos*.csv.

    python -m benchmarks.photos [--photo-bench FOLDER]

Every method gets the same distinct images and one setting for all sets. The peers cluster what
DBSCAN sees in the filter (statistics' votes and autoencoder errors), scaled and reduced to six
principal components; which cluster is of photographs is said by the same rule, the median vote. For
the isolation forest, which has no clusters, the photographs are the outliers that vote above 0. A
set's rows are written when it is done, so that a stopped run goes on; rows of other code (column
``code``, a hash of the filter's sources) are dropped.

FOLDER holds labelled mixtures, each with sub-folders ``illustration`` and ``photo``.
"""

import argparse
import hashlib
import sys
import tempfile
import time
import warnings
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
from sklearn.neighbors import NearestNeighbors  # noqa: E402

from benchmarks.duplicates import run  # noqa: E402
from illus import config  # noqa: E402
from illus.clean.duplicates import find_duplicates  # noqa: E402
from illus.clean.photo_statistics import photo_statistics, votes  # noqa: E402
from illus.clean.photos import analyse, distinct_images, knee, scale  # noqa: E402
from illus.data.catalog import scan  # noqa: E402
from illus.emoji20.truth import load_truth  # noqa: E402
from illus.parallel import write_table  # noqa: E402

SEEDS = (0, 1, 2)
SHARES = (0.02, 0.05, 0.15, 0.30)
MOST = 8000  # images of a set with a made share
TABLE = config.RESULTS / "photos.csv"
COST = config.RESULTS / "photos_cost.csv"
COLUMNS = ["set", "images", "photos", "method", "seed", "f1", "precision", "recall", "removed", "code"]
SOURCES = ("photo_statistics", "mixture", "autoencoder", "photos")
FIND = """
import json, sys
task = json.loads(sys.argv[1])
import evaluate
evaluate.import_keras()
import pandas as pd
from illus.clean.photos import find_photos
copies = pd.read_pickle(task["duplicates"]) if task["duplicates"] else None
find_photos(pd.read_pickle(task["catalog"]), task["folder"], duplicates=copies).to_pickle(task["out"])
"""
CLUSTER = """
import json, sys
task = json.loads(sys.argv[1])
import evaluate
evaluate.import_keras()
import numpy as np
from illus.clean.photos import find_clusters, reduce
find_clusters(reduce(np.random.default_rng(0).normal(size=(task["n"], 11))))
"""


def peers(features, ballots, seed):
    """Method -> who is a photograph; bool, shape (n,)."""
    points = PCA(6, random_state=0).fit_transform(scale(features))
    k_means = KMeans(2, n_init=10, random_state=seed).fit_predict(points)
    mixture = GaussianMixture(4, n_init=3, random_state=seed).fit_predict(points)
    outliers = IsolationForest(random_state=seed).fit_predict(points)
    drawn = np.random.default_rng(seed).permutation(len(points))
    found = {
        "k-means, 2": named(k_means, ballots),
        "Gaussian mixture, 4": named(mixture, ballots),
        "isolation forest": (outliers < 0) & (ballots > 0),
    }
    dense = DBSCAN(eps=k_distance(points[drawn[:4000]]), min_samples=20).fit_predict(points)
    found["DBSCAN"] = named(dense, ballots)
    found["HDBSCAN"] = named(HDBSCAN(min_cluster_size=20, copy=True).fit_predict(points), ballots)
    return found


def k_distance(points):
    """The knee of the distances to the 20th neighbour."""
    return knee(np.sort(NearestNeighbors(n_neighbors=20).fit(points).kneighbors()[0][:, -1]))


def named(cluster, ballots):
    """Members of clusters whose median vote is for photographs; noise by its own vote."""
    middle = pd.Series(ballots).groupby(cluster).transform("median").to_numpy()
    return np.where(cluster < 0, ballots, middle) > 0


def measure_set(name, statistics, thumbnails, truth):
    """Rows of the table for one set, all methods, all seeds."""
    rows = []
    for seed in SEEDS:
        found = analyse(statistics, thumbnails, seed)
        ballots = votes(statistics)
        mean = ballots.mean(1)
        judged = {
            "this project": found.is_photo,
            "votes alone": mean > found.first.threshold if found.first else np.zeros(len(mean), bool),
            **peers(np.hstack([ballots, found.errors]), mean, seed),
        }
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
        print(name, seed, found.verdict, [row["f1"] for row in rows[-len(judged) :]], flush=True)
    return rows


def emoji20_sets(statistics, thumbnails, truth):
    """emoji20 as it is, without photographs, and with made shares of them."""
    drawings, photos = np.flatnonzero(~truth), np.flatnonzero(truth)
    yield "emoji20", np.arange(len(truth))
    yield "emoji20, no photographs", drawings
    rng = np.random.default_rng(0)
    for share in SHARES:
        n = int(min(MOST, len(photos) / share))
        kept = [
            rng.choice(drawings, n - round(share * n), replace=False),
            rng.choice(photos, round(share * n), replace=False),
        ]
        yield f"emoji20, {share:.0%}", np.sort(np.concatenate(kept))


def labelled_mixture(folder):
    """Statistics, thumbnails and truth of a mixture; its folder names are seen by nobody else."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    truth = np.array([path.relative_to(folder).parts[0] == "photo" for path in paths])
    return *photo_statistics(paths), truth


def code_hash():
    """8 hex digits that change with the filter's sources."""
    sources = b"".join(Path(f"illus/{name}.py").read_bytes() for name in SOURCES)
    return hashlib.sha256(sources).hexdigest()[:8]


def finished(path):
    """Rows of a table that this code made."""
    table = pd.read_csv(path, dtype={"code": str}) if path.exists() else pd.DataFrame(columns=["set", "code"])
    return table[table.code == code_hash()] if "code" in table else table[:0]


def add(rows):
    """Write rows behind the finished ones."""
    table = pd.DataFrame(rows).assign(code=code_hash())[COLUMNS]
    old = finished(TABLE)
    write_table(pd.concat([old, table]) if len(old) else table, TABLE)


def measure_cost(catalog, duplicates, folder, kinds):
    """Seconds and memory of the filter on all files of emoji20, and of DBSCAN on many feature rows.

    The filter is called with the table of copies and without; ``f1`` counts files, copies too.
    """
    rows = []
    with tempfile.TemporaryDirectory() as place:
        task = {"folder": str(folder), "catalog": f"{place}/catalog", "out": f"{place}/photos"}
        catalog.to_pickle(task["catalog"])
        duplicates.to_pickle(f"{place}/duplicates")
        for step, copies in (("find_photos", f"{place}/duplicates"), ("find_photos, copies unknown", None)):
            cost = run(sys.executable, FIND, duplicates=copies, **task)
            table = pd.read_pickle(task["out"])
            f1 = f1_score(table.path.map(kinds).eq("photo"), table.is_photo)
            rows.append({"step": step, "n": len(catalog), **cost, "f1": round(f1, 4)})
    rows += [{"step": "clusters", "n": n, **run(sys.executable, CLUSTER, n=n)} for n in (25_000, 100_000)]
    write_table(pd.DataFrame(rows).assign(code=code_hash()), COST)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    known = set(finished(TABLE).set)
    start = time.perf_counter()
    for folder in sorted(options.photo_bench.iterdir()) if options.photo_bench else []:
        if folder.is_dir() and folder.name not in known:
            add(measure_set(folder.name, *labelled_mixture(folder)))
    folder = config.EMOJI20 / "training"
    catalog = scan(folder)
    duplicates = find_duplicates(catalog, folder)
    _, images = distinct_images(catalog, duplicates)
    kinds = load_truth(folder).set_index("path").kind
    statistics, thumbnails = photo_statistics([folder / path for path in images])
    truth = images.map(kinds).eq("photo").to_numpy()
    for name, rows in emoji20_sets(statistics, thumbnails, truth):
        if name not in known:
            part = statistics.iloc[rows].reset_index(drop=True)
            add(measure_set(name, part, thumbnails[rows], truth[rows]))
    if finished(COST).empty:
        measure_cost(catalog, duplicates, folder, kinds)
    table = pd.read_csv(TABLE)
    scores = table.groupby(["set", "method"], sort=False).f1.agg(["mean", "std"]).round(3)
    print(scores.unstack(0).to_string())
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
