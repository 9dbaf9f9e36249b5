"""The photo filter on labelled sets, without its parts, and beside peers. Writes results/photo*.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.photos --photo-bench FOLDER [--step STEP]

FOLDER and the sets are described in ``benchmarks/photo_sets.py``. Steps, in this order:

``levels``: the levels of the votes, from all collections and with each left out (photo_levels.csv).
``settings``: F1 of each set for one setting after another, others at their defaults, levels from the other
collections; and a grid from which each collection gets the settings that suit the others: the middle of
the plateau of good ones (photos_settings.csv, photos_grid.csv).
``ablation``: the filter without its parts, three seeds, levels from the others (photos_ablation.csv).
``peers``: the filter and other methods, on the same images and features, three seeds (photos.csv).
``cost``: seconds and memory on all files of emoji20, see ``benchmarks/measure.py`` (photos_cost.csv).

A peer's setting is the one with the best mean F1 on the other collections, out of a few plain values;
clusters are named by one rule, their median vote. Its score for the AUC is that median vote, or its own.
Sets without photos have no F1; their rows keep the share of illustrations that is removed.
"""

import argparse
import itertools
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import evaluate

evaluate.import_keras()

from joblib import Parallel, delayed  # noqa: E402
from skimage.filters import threshold_otsu  # noqa: E402
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402
from sklearn.metrics import f1_score, roc_auc_score  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402

from benchmarks.measure import measure_program  # noqa: E402
from benchmarks.photo_sets import COLLECTIONS, LabelledSet, Pool, labelled_sets, levels_without  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.copies.duplicates import find_duplicates  # noqa: E402
from illus.emoji20.truth import load_truth  # noqa: E402
from illus.files.catalog import scan  # noqa: E402
from illus.hashing import code_of  # noqa: E402
from illus.parallel import write_table  # noqa: E402
from illus.photos import finder as photos  # noqa: E402
from illus.photos.clusters import (  # noqa: E402
    embed,
    find_clusters,
    k_distances,
    knee,
    principal_components,
    scale,
)
from illus.photos.finder import DEFAULTS, PhotoSettings, score_images, separate  # noqa: E402

SEEDS = (0, 1, 2)
SWEEPS = {
    "eps_factor": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2),
    "min_samples": (5, 10, 15, 20, 25, 30, 40),
    "dimensions": (2, 3, 4, 6),
    "regularisation": (0.01, 0.03, 0.1, 0.3, 1.0),
    "bandwidth": (0.05, 0.075, 0.1, 0.125, 0.15, 0.2),
    "photo_vote": (0.5, 0.75, 1.0, 1.25),
    "illustration_vote": (-0.25, 0.0, 0.25, 0.5),
}
GRID = {"eps_factor": (0.4, 0.6, 0.8, 1.0), "min_samples": (10, 20, 30), "bandwidth": (0.05, 0.1, 0.15)}
MAX_REMOVED = 0.005  # of a set without photos: settings that remove more are not chosen
PLATEAU = 0.01  # of mean F1: settings this near to the best cannot be told from it
DIMENSIONS = 6  # principal components that the peers see
SOURCES = (
    "illus/files/photo_statistics.py",
    "illus/photos/autoencoder.py",
    "illus/photos/clusters.py",
    "illus/photos/self_training.py",
    "illus/photos/finder.py",
    "benchmarks/photo_sets.py",
    "benchmarks/photos.py",
)
Found = tuple[np.ndarray, np.ndarray]  # who is a photo, bool (n,); score, float (n,)


# --- The filter and its rungs ------------------------------------------------------------------------


def whole(ballots: np.ndarray, codes: np.ndarray, seed: int, settings: PhotoSettings = DEFAULTS) -> Found:
    """The filter as it is."""
    found = separate(ballots, codes, seed, settings)
    return found.is_photo, found.score


def judged(features: np.ndarray, ballots: np.ndarray, label: np.ndarray, seed: int) -> Found:
    """Self-training and threshold of the filter, on other features or from other pseudo-labels."""
    vote = ballots.mean(1)
    score = score_images(features, vote, label, seed)[1]
    return photos.choose_removed(score, label, vote)[0], score


def without_autoencoder(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """Votes alone in the embedding and in self-training."""
    points = principal_components(ballots, DEFAULTS.dimensions)
    label = photos.name_clusters(clusters_of(points, seed), ballots.mean(1))
    return judged(ballots, ballots, label, seed)


def without_dbscan(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """The limits that name clusters, applied to each image's own vote."""
    label = photos.name_clusters(np.arange(len(ballots)), ballots.mean(1))
    return judged(np.hstack([ballots, codes]), ballots, label, seed)


def threshold_instead_of_clusters(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """Pseudo-labels by Otsu's threshold of the mean votes."""
    vote = ballots.mean(1)
    return judged(np.hstack([ballots, codes]), ballots, (vote > threshold_otsu(vote)).astype(int), seed)


def votes_alone(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """The mean vote above 0."""
    return ballots.mean(1) > 0, ballots.mean(1)


def error_alone(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """The autoencoder's mean log error above Otsu's threshold."""
    return codes[:, 0] > threshold_otsu(codes[:, 0]), codes[:, 0]


def dbscan_on_code(ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """Clusters of the autoencoder's numbers alone, named by their median vote; noise by its own."""
    return named(clusters_of(principal_components(scale(codes), DEFAULTS.dimensions), seed), ballots)


RUNGS: dict[str, Callable[[np.ndarray, np.ndarray, int], Found]] = {
    "whole": whole,
    "without autoencoder": without_autoencoder,
    "without dbscan": without_dbscan,
    "threshold instead of clusters": threshold_instead_of_clusters,
    "dbscan on autoencoder code": dbscan_on_code,
    "votes alone": votes_alone,
    "autoencoder error alone": error_alone,
}


def clusters_of(points: np.ndarray, seed: int) -> np.ndarray:
    """The filter's DBSCAN; int (n,)."""
    return find_clusters(points, DEFAULTS.min_samples, DEFAULTS.max_points, DEFAULTS.eps_factor, seed)[0]


def named(cluster: np.ndarray, ballots: np.ndarray) -> Found:
    """Members of clusters whose median vote is for photos; noise by its own vote."""
    vote = ballots.mean(1)
    middle = pd.Series(vote).groupby(cluster).transform("median").to_numpy()
    score = np.where(cluster < 0, vote, middle)
    return score > 0, score


# --- Peers -------------------------------------------------------------------------------------------


def k_means(points: np.ndarray, ballots: np.ndarray, seed: int, k: int) -> Found:
    return named(KMeans(k, n_init=4, random_state=seed).fit_predict(points), ballots)


def gaussian_mixture(points: np.ndarray, ballots: np.ndarray, seed: int, k: int) -> Found:
    return named(GaussianMixture(k, random_state=seed).fit_predict(points), ballots)


def dbscan(points: np.ndarray, ballots: np.ndarray, seed: int, eps_factor: float, min_samples: int) -> Found:
    eps = eps_factor * knee(k_distances(points, min_samples))
    return named(DBSCAN(eps=eps, min_samples=min_samples).fit_predict(points), ballots)


def hdbscan(points: np.ndarray, ballots: np.ndarray, seed: int, min_cluster_size: int) -> Found:
    return named(HDBSCAN(min_cluster_size=min_cluster_size, copy=True).fit_predict(points), ballots)


def isolation_forest(points: np.ndarray, ballots: np.ndarray, seed: int, outliers: float) -> Found:
    """Outliers that vote for photos."""
    score = -IsolationForest(random_state=seed).fit(points).score_samples(points)
    return (score > np.quantile(score, 1 - outliers)) & (ballots.mean(1) > 0), score


def reconstruction_error(points: np.ndarray, ballots: np.ndarray, seed: int, quantile: float) -> Found:
    """Images with the largest errors, or with the smallest where ``quantile`` is below one half."""
    error = points[:, 0] if quantile > 0.5 else -points[:, 0]
    return error > np.quantile(error, max(quantile, 1 - quantile)), error


OUTLIERS = ({"outliers": 0.02}, {"outliers": 0.05}, {"outliers": 0.1}, {"outliers": 0.2})
NUMBERS = ({"k": 2}, {"k": 3}, {"k": 4}, {"k": 6}, {"k": 8}, {"k": 12})
DENSITIES = tuple(
    {"eps_factor": factor, "min_samples": count} for factor in (0.4, 0.6, 0.8, 1.0) for count in (10, 20, 30)
)
SIZES = ({"min_cluster_size": 10}, {"min_cluster_size": 20}, {"min_cluster_size": 40})
QUANTILES = ({"quantile": 0.9}, {"quantile": 0.95}, {"quantile": 0.05}, {"quantile": 0.1})
# name: what it clusters, function, settings to choose from
PEERS: dict[str, tuple[str, Callable[..., Found], tuple[dict, ...]]] = {
    "k-means": ("votes and code", k_means, NUMBERS),
    "Gaussian mixture": ("votes and code", gaussian_mixture, NUMBERS),
    "DBSCAN": ("votes and code", dbscan, DENSITIES),
    "HDBSCAN": ("votes and code", hdbscan, SIZES),
    "isolation forest": ("votes and code", isolation_forest, OUTLIERS),
    "autoencoder error": ("code", reconstruction_error, QUANTILES),
    "autoencoder, k-means": ("code", k_means, NUMBERS),
    "autoencoder, isolation forest": ("code", isolation_forest, OUTLIERS),
}


def run_peer(name: str, setting: dict, ballots: np.ndarray, codes: np.ndarray, seed: int) -> Found:
    """A peer on one set."""
    sees, method, _ = PEERS[name]
    if method is reconstruction_error:
        return method(codes, ballots, seed, **setting)
    features = scale(codes) if sees == "code" else embed_all(ballots, codes)
    return method(principal_components(features, DIMENSIONS), ballots, seed, **setting)


def embed_all(ballots: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What the filter's DBSCAN sees, before it is reduced: votes and two directions of the code."""
    return embed(ballots, codes, ballots.shape[1] + 2)


# --- Measuring ---------------------------------------------------------------------------------------


def row_of(labelled: LabelledSet, found: Found) -> dict[str, float | str | int]:
    """Scores of one answer; all but ``removed`` are empty where there are no photos."""
    is_photo, score = found
    truth = labelled.truth
    right = (is_photo & truth).sum()
    any_photo = bool(truth.any())
    return {
        "set": labelled.name,
        "images": len(truth),
        "photos": int(truth.sum()),
        "f1": round(f1_score(truth, is_photo, zero_division=0), 4) if any_photo else np.nan,
        "precision": round(right / max(1, is_photo.sum()), 4) if any_photo else np.nan,
        "recall": round(right / max(1, truth.sum()), 4) if any_photo else np.nan,
        "auc": round(roc_auc_score(truth, score), 4) if any_photo else np.nan,
        "removed": round((is_photo & ~truth).sum() / max(1, (~truth).sum()), 5),
    }


class Bench:
    """The sets, with the levels that each may use."""

    def __init__(self, photo_bench: Path) -> None:
        cache = work_folders.work_dir(photo_bench)
        self.pool = Pool(photo_bench, cache)
        self.sets = labelled_sets(self.pool.table)
        self.levels = {name: levels_without(self.pool, self.sets, name) for name in (*COLLECTIONS, "none")}

    def features(self, name: str, seed: int, levels: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Votes and codes of a set; ``levels``: without which collection, by default its own."""
        one = self.sets[name]
        return self.pool.ballots(one, self.levels[levels or one.collection]), self.pool.codes(one, seed)


def in_two(jobs: Iterable) -> list:
    """Results of delayed calls, two at a time."""
    return Parallel(2)(jobs)


def write(rows: list[dict], name: str) -> None:
    """A results table, with the code it was measured on."""
    write_table(pd.DataFrame(rows).assign(code=code_of(SOURCES)), work_folders.RESULTS / name)


def measure_levels(bench: Bench) -> None:
    rows = [
        {"left_out": left_out, "statistic": statistic, "middle": middle, "spread": spread}
        for left_out, levels in bench.levels.items()
        for statistic, (middle, spread) in levels.items()
    ]
    write(rows, "photo_levels.csv")


def measure_settings(bench: Bench) -> None:
    """One setting after another, and the grid with each collection left out; seed 0."""

    def score(name: str, levels: str | None, changes: dict) -> dict:
        answer = whole(*bench.features(name, 0, levels), 0, replace(DEFAULTS, **changes))
        return changes | row_of(bench.sets[name], answer)

    for name in bench.sets:
        bench.pool.codes(bench.sets[name], 0)  # before the parallel part
    sweeps = [
        (name, setting, value)
        for name in bench.sets
        for setting, values in SWEEPS.items()
        for value in values
    ]
    found = in_two(delayed(score)(name, None, {setting: value}) for name, setting, value in sweeps)
    rows = [
        {"setting": setting, "value": value} | {key: row[key] for key in ("set", "f1", "auc", "removed")}
        for (_, setting, value), row in zip(sweeps, found, strict=True)
    ]
    write(rows, "photos_settings.csv")
    combinations = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    cells = [
        (left_out, name, changes)
        for left_out in COLLECTIONS
        for name in bench.sets
        if "sketches" not in name and "1%" not in name.replace("real 1%", "")
        for changes in combinations
    ]
    found = in_two(delayed(score)(name, left_out, changes) for left_out, name, changes in cells)
    table = pd.DataFrame([{"left_out": cell[0]} | row for cell, row in zip(cells, found, strict=True)])
    write(chosen_without(table), "photos_grid.csv")


def chosen_without(table: pd.DataFrame) -> list[dict]:
    """For each collection the settings that are best for the others, and what they give on its own sets.

    By the mean F1 of each collection's sets, averaged over collections, among settings that remove at most
    ``MAX_REMOVED`` of every set without photos.
    """
    collection = table.set.map(lambda name: next(c for c in COLLECTIONS if name.startswith(c)))
    rows = []
    for left_out, part in table.groupby("left_out", sort=False):
        others = part[collection[part.index] != left_out].assign(collection=collection)
        scores = others.groupby([*GRID, "collection"]).f1.mean().groupby(list(GRID)).mean()
        removed = others[others.photos == 0].groupby(list(GRID)).removed.max()
        middle = middle_of_plateau(scores[removed.reindex(scores.index) <= MAX_REMOVED])
        own = part[(collection[part.index] == left_out)].set_index(list(GRID)).loc[[middle]].reset_index()
        rows += own[["left_out", "set", *GRID, "f1", "auc", "removed"]].to_dict("records")
    return rows


def middle_of_plateau(scores: pd.Series) -> tuple[float, ...]:
    """Of the settings within ``PLATEAU`` of the best score, the median value of one after another.

    Not the best one: where scores differ by chance only, that may stand beside a cliff.
    """
    near = scores[scores >= scores.max() - PLATEAU].reset_index()
    for name in GRID:
        values = near[name].sort_values()
        near = near[near[name] == values.iloc[(len(values) - 1) // 2]]
    return tuple(near[list(GRID)].iloc[0])


def measure_ablation(bench: Bench) -> None:
    def score(name: str, seed: int) -> list[dict]:
        features = bench.features(name, seed)
        return [
            {"rung": rung, "seed": seed} | row_of(bench.sets[name], method(*features, seed))
            for rung, method in RUNGS.items()
        ]

    cells = [(name, seed) for name in bench.sets for seed in SEEDS]
    for name, seed in cells:
        bench.pool.codes(bench.sets[name], seed)
    found = in_two(delayed(score)(*cell) for cell in cells)
    columns = ["set", "rung", "seed", "f1", "precision", "recall", "auc", "removed"]
    write(pd.DataFrame(itertools.chain(*found))[columns].to_dict("records"), "photos_ablation.csv")


def measure_peers(bench: Bench) -> None:
    """Choose each peer's setting for each collection on the others, seed 0; then all seeds."""

    def score(name: str, method: str, setting: dict, seed: int) -> dict:
        answer = run_peer(method, setting, *bench.features(name, seed), seed)
        return {"method": method, "setting": setting_text(setting), "seed": seed} | row_of(
            bench.sets[name], answer
        )

    development = [name for name, one in bench.sets.items() if one.truth.any() and "sketches" not in name]
    cells = [
        (name, method, setting, 0)
        for method, (_, _, settings) in PEERS.items()
        for setting in settings
        for name in development
    ]
    searched = pd.DataFrame(in_two(delayed(score)(*cell) for cell in cells))
    searched["collection"] = searched.set.map(lambda name: bench.sets[name].collection)
    cells = []
    for method, left_out in itertools.product(PEERS, COLLECTIONS):
        others = searched[(searched.method == method) & (searched.collection != left_out)]
        best = others.groupby("setting", sort=False).f1.mean().idxmax()
        setting = next(one for one in PEERS[method][2] if setting_text(one) == best)
        own = [name for name, one in bench.sets.items() if one.collection == left_out]
        cells += [(name, method, setting, seed) for name in own for seed in SEEDS]
    rows = in_two(delayed(score)(*cell) for cell in cells)

    def ours(name: str, seed: int, levels: str | None) -> dict:
        method = "this project, final" if levels else "this project"
        answer = whole(*bench.features(name, seed, levels), seed)
        return {"method": method, "setting": "", "seed": seed} | row_of(bench.sets[name], answer)

    rows = (
        in_two(
            delayed(ours)(name, seed, levels)
            for name in bench.sets
            for levels in (None, "none")
            for seed in SEEDS
        )
        + rows
    )
    write(rows, "photos.csv")


def setting_text(setting: dict) -> str:
    """A setting in words."""
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def measure_cost(bench: Bench) -> None:
    """Seconds and memory of the filter on all files of emoji20; ``f1`` counts files, copies too."""
    folder = work_folders.EMOJI20 / "training"
    catalog = scan(folder)
    rows = []
    duplicates = find_duplicates(catalog, folder)
    kinds = load_truth(folder).set_index("path").kind
    with tempfile.TemporaryDirectory() as place:
        files, out, copies = (Path(place, name) for name in ("catalog", "photos", "duplicates"))
        catalog.to_pickle(files)
        duplicates.to_pickle(copies)
        known = ("--duplicates", copies)
        for step, arguments in (("find_photos", known), ("find_photos, copies unknown", ())):
            for seed in SEEDS if arguments else SEEDS[:1]:
                cost = measure_program("photo_filter", folder, files, out, "--seed", seed, *arguments)
                table = pd.read_pickle(out)
                truth = table.path.map(kinds).eq("photo")
                rows.append(
                    {"step": step, "n": len(catalog), "seed": seed, **cost}
                    | {"f1": round(f1_score(truth, table.is_photo), 4)}
                    | {"removed": round((table.is_photo & ~truth).sum() / (~truth).sum(), 5)}
                )
    write(rows, "photos_cost.csv")


STEPS: dict[str, Callable[[Bench], None]] = {
    "levels": measure_levels,
    "settings": measure_settings,
    "ablation": measure_ablation,
    "peers": measure_peers,
    "cost": measure_cost,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--step", choices=STEPS, action="append", help="one of several; default: all")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    bench = Bench(options.photo_bench)
    for step in options.step or STEPS:
        start = time.perf_counter()
        STEPS[step](bench)
        print(f"{step}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
