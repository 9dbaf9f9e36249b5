"""The photo filter on labelled sets, without its parts, and beside peers; three seeds.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.photos --photo-bench FOLDER

FOLDER and the sets are described in ``benchmarks/photo_sets.py``. Writes ``results/photos_ablation.csv``, the
filter without its parts, and ``results/photos.csv``, the filter and other methods.

One rule chooses for all methods, ours too: of at most four settings the one with the best mean F1 over the
sets of the other collections, seed 0. "this project, final" is the setting that ships. Clusters are named by
one rule, too: all but the largest, if most of their members' gains reach zero; the two methods of
participants, which see whole images, take the smaller cluster. emoji20's fifths hold the photographs of a
fifth of its sources each; no setting is chosen on them, and no peer is run. Sets without photos have no F1;
their rows keep the share of illustrations that is removed.
"""

import argparse
import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

import evaluate

evaluate.import_keras()

import keras  # noqa: E402
from keras import layers  # noqa: E402
from skimage.filters import threshold_otsu  # noqa: E402
from sklearn.cluster import HDBSCAN, KMeans  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402
from sklearn.metrics import f1_score, roc_auc_score  # noqa: E402
from sklearn.mixture import GaussianMixture  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from benchmarks.photo_sets import COLLECTIONS, LabelledSet, Pool  # noqa: E402
from benchmarks.records import write_record  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.photos.clusters import embed, name_photos, quantiles, reaches_zero, search_eps  # noqa: E402
from illus.photos.finder import DEFAULTS, choose_score, separate  # noqa: E402
from illus.photos.self_training import judge_in_rounds  # noqa: E402

SEEDS = (0, 1, 2)
DIMENSIONS = 6  # principal components that peers see of statistics and gains
WHOLE_EPOCHS = 4  # of the autoencoder of whole images
Found = tuple[np.ndarray, np.ndarray]  # who is a photo, bool (n,); score, float (n,)


class Evidence:
    """What any method may know of a set's images."""

    def __init__(self, pool: Pool, name: str, seed: int) -> None:
        images, known = pool.measured(name), pool.autoencoded(name, seed)
        self.seed, self.small = seed, images["small"]
        self.statistics = images["photo"]["statistics"].astype(float)
        self.gains, self.errors, self.codes = known["gains"], known["errors"], known["codes"]
        self.gain, self.error = self.gains.mean(1), self.errors.mean(1)
        self.features = quantiles(self.gains)
        self.reaches = reaches_zero(self.gains, DEFAULTS.significance)

    @cached_property
    def all_features(self) -> np.ndarray:
        """Statistics and gains in six principal components, each feature in its own standard deviation."""
        together = np.hstack([self.statistics, self.features])
        return PCA(DIMENSIONS, random_state=0).fit_transform(StandardScaler().fit_transform(together))

    @cached_property
    def image_codes(self) -> np.ndarray:
        """Codes of an autoencoder of whole 64-px images; float32 (n, 512)."""
        keras.utils.set_random_seed(self.seed)
        inputs = keras.Input(self.small.shape[1:])
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(16, 4, 4, activation="relu")(x)
        code = layers.Flatten()(layers.Conv2D(32, 4, 4, activation="relu")(x))
        x = layers.Reshape((4, 4, 32))(code)
        x = layers.Conv2DTranspose(16, 4, 4, activation="relu")(x)
        model = keras.Model(inputs, layers.Conv2DTranspose(3, 4, 4)(x))
        model.compile(keras.optimizers.Adam(3e-3), "mse", jit_compile=False)
        model.fit(self.small, self.small / np.float32(255), batch_size=64, epochs=WHOLE_EPOCHS, verbose=0)
        return keras.Model(inputs, code).predict(self.small, batch_size=256, verbose=0)


def ours(seen: Evidence, significance: float, min_samples: int) -> Found:
    settings = replace(DEFAULTS, significance=significance, min_samples=min_samples)
    found = separate(seen.statistics, seen.gains, seen.seed, settings)
    return found.is_photo, found.score


def judged(
    seen: Evidence,
    proposed: np.ndarray,
    statistics: np.ndarray | None = None,
    features: np.ndarray | None = None,
    reaches: np.ndarray | None = None,
) -> Found:
    """The filter's rounds from other proposals, or on other evidence."""
    statistics = seen.statistics if statistics is None else statistics
    features = seen.features if features is None else features
    reaches = seen.reaches if reaches is None else reaches
    limits = DEFAULTS.regularisation, DEFAULTS.bandwidth, DEFAULTS.min_photos
    rounds = judge_in_rounds(statistics, features, proposed, *limits, seen.seed)
    score = choose_score(rounds, seen.gain, reaches)
    return score > 0, score


def proposals(seen: Evidence, features: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Whom the filter's DBSCAN takes for photographs."""
    cluster, *_ = search_eps(embed(features), reaches, DEFAULTS.min_samples, DEFAULTS.max_points, seen.seed)
    return name_photos(cluster, reaches)


def without_autoencoder(seen: Evidence) -> Found:
    """The statistics alone; photographs are the smaller side of Otsu's threshold in their main direction."""
    points = StandardScaler().fit_transform(seen.statistics)
    way = PCA(1, random_state=0).fit_transform(points)[:, 0]
    reaches = smaller(way > threshold_otsu(way))
    return judged(seen, proposals(seen, points, reaches), features=seen.statistics, reaches=reaches)


def error_instead_of_gain(seen: Evidence) -> Found:
    """The autoencoder's relative error, whose zero is Otsu's threshold."""
    reaches = seen.error > threshold_otsu(seen.error)
    features = quantiles(seen.errors)
    return judged(seen, proposals(seen, features, reaches), features=features, reaches=reaches)


def otsu_instead_of_dbscan(seen: Evidence) -> Found:
    return judged(seen, seen.gain > threshold_otsu(seen.gain))


def two_gaussians_instead_of_dbscan(seen: Evidence) -> Found:
    model = GaussianMixture(2, random_state=0).fit(seen.gain[:, None])
    return judged(seen, model.predict(seen.gain[:, None]) == model.means_[:, 0].argmax())


def hdbscan_instead_of_dbscan(seen: Evidence) -> Found:
    cluster = HDBSCAN(min_cluster_size=DEFAULTS.min_samples, copy=True).fit_predict(embed(seen.features))
    return judged(seen, name_photos(by_size(cluster), seen.reaches))


RUNGS: dict[str, Callable[[Evidence], Found]] = {
    "whole": lambda seen: ours(seen, DEFAULTS.significance, DEFAULTS.min_samples),
    "without autoencoder": without_autoencoder,
    "error instead of gain": error_instead_of_gain,
    "zero instead of dbscan": lambda seen: judged(seen, seen.reaches),
    "otsu instead of dbscan": otsu_instead_of_dbscan,
    "two gaussians instead of dbscan": two_gaussians_instead_of_dbscan,
    "hdbscan instead of dbscan": hdbscan_instead_of_dbscan,
    "without statistics": lambda seen: judged(
        seen, proposals(seen, seen.features, seen.reaches), seen.features, seen.features
    ),
    "without gains in the rounds": lambda seen: judged(
        seen, proposals(seen, seen.features, seen.reaches), features=seen.statistics
    ),
    "without rounds": lambda seen: (proposals(seen, seen.features, seen.reaches), seen.gain),
    "gain above zero": lambda seen: (seen.gain > 0, seen.gain),
}


def by_size(cluster: np.ndarray) -> np.ndarray:
    """Clusters numbered from the largest; -1 stays."""
    counts = np.bincount(cluster[cluster >= 0], minlength=1)
    return np.where(cluster < 0, -1, np.argsort(np.argsort(-counts, kind="stable"))[cluster])


def smaller(side: np.ndarray) -> np.ndarray:
    """The side with fewer images; bool (n,)."""
    return side if side.mean() <= 0.5 else ~side


def named(seen: Evidence, cluster: np.ndarray) -> Found:
    photos = name_photos(by_size(cluster), seen.reaches)
    return photos, photos + seen.gain / (1 + np.abs(seen.gain).max())


def k_means(seen: Evidence, k: int) -> Found:
    return named(seen, KMeans(k, n_init=4, random_state=seen.seed).fit_predict(seen.all_features))


def gaussian_mixture(seen: Evidence, k: int) -> Found:
    return named(seen, GaussianMixture(k, random_state=seen.seed).fit_predict(seen.all_features))


def isolation_forest(seen: Evidence, outliers: float) -> Found:
    points = seen.all_features
    score = -IsolationForest(random_state=seen.seed).fit(points).score_samples(points)
    return (score > np.quantile(score, 1 - outliers)) & seen.reaches, score


def code_k_means(seen: Evidence, k: int) -> Found:
    """Mean and spread of the codes of the filter's own autoencoder."""
    points = StandardScaler().fit_transform(seen.codes)
    return named(seen, KMeans(k, n_init=4, random_state=seen.seed).fit_predict(points))


def two_means(points: np.ndarray, seed: int) -> Found:
    """The smaller of two clusters; score: how much nearer its centre is."""
    model = KMeans(2, n_init=1, random_state=seed).fit(points)
    rare = np.bincount(model.labels_, minlength=2).argmin()
    distance = model.transform(points)
    return model.labels_ == rare, distance[:, 1 - rare] - distance[:, rare]


def pixels_k_means(seen: Evidence) -> Found:
    """A participant's method: k-means with two clusters on raw 64-px pixels."""
    return two_means(seen.small.reshape(len(seen.small), -1).astype(np.float32), seen.seed)


def whole_images_k_means(seen: Evidence, components: int) -> Found:
    """Another's: the code of an autoencoder of whole 64-px images, PCA, k-means with two clusters."""
    return two_means(PCA(components, random_state=0).fit_transform(seen.image_codes), seen.seed)


METHODS: dict[str, tuple[Callable[..., Found], tuple[dict, ...]]] = {  # with the settings to choose from
    "this project": (
        ours,
        tuple({"significance": s, "min_samples": n} for s in (0.01, 0.05) for n in (10, 20)),
    ),
    "k-means": (k_means, tuple({"k": k} for k in (2, 3, 4, 8))),
    "Gaussian mixture": (gaussian_mixture, tuple({"k": k} for k in (2, 3, 4, 8))),
    "isolation forest": (isolation_forest, tuple({"outliers": o} for o in (0.02, 0.05, 0.1, 0.2))),
    "block autoencoder, k-means": (code_k_means, tuple({"k": k} for k in (2, 3, 4, 8))),
    "raw pixels, k-means": (pixels_k_means, ({},)),
    "image autoencoder, k-means": (whole_images_k_means, ({"components": 2}, {"components": 16})),
}


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


def measure(pool: Pool) -> None:
    """Every rung and every method with every setting on every set; writes both tables."""
    ablation, tried = [], []
    for name, seed in itertools.product(pool.sets, SEEDS):
        labelled, seen = pool.sets[name], Evidence(pool, name, seed)
        for rung, function in RUNGS.items():
            ablation.append({"rung": rung, "seed": seed} | row_of(labelled, function(seen)))
        for method, (function, settings) in METHODS.items():
            if labelled.is_fifth and function is not ours:
                continue
            for number, setting in enumerate(settings):
                row = {"method": method, "setting": setting_text(setting), "seed": seed, "number": number}
                scores = row_of(labelled, function(seen, **setting))
                tried.append(row | scores | {"collection": labelled.collection})
        print(name, seed, flush=True)
    write_record(pd.DataFrame(ablation), "photos_ablation")
    write_record(chosen(pd.DataFrame(tried)), "photos")


def chosen(tried: pd.DataFrame) -> pd.DataFrame:
    """Of every method the rows of the setting that suits the other collections, see the module; and ours."""
    rows = []
    for method, left_out in itertools.product(METHODS, COLLECTIONS):
        own = tried[(tried.method == method) & (tried.collection == left_out)]
        rows.append(own[own.number == best_without(tried, method, left_out)])
    shipped = setting_text({"significance": DEFAULTS.significance, "min_samples": DEFAULTS.min_samples})
    final = tried[(tried.method == "this project") & (tried.setting == shipped)]
    rows.insert(1, final.assign(method="this project, final"))
    return pd.concat(rows).drop(columns=["number", "collection"])


def best_without(table: pd.DataFrame, method: str, left_out: str) -> int:
    """Number of the setting with the best mean F1 on all other collections, each counting alike."""
    others = table[(table.method == method) & (table.collection != left_out) & (table.seed == 0)]
    others = others[~others.set.str.contains("fifth")]  # on which no setting is chosen
    return int(others.groupby(["number", "collection"]).f1.mean().groupby("number").mean().idxmax())


def setting_text(setting: dict) -> str:
    """A setting in words."""
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER", required=True)
    folder = parser.parse_args().photo_bench
    warnings.filterwarnings("ignore", category=UserWarning)
    measure(Pool(folder, work_folders.work_dir(folder)))


if __name__ == "__main__":
    main()
