"""The configuration for CPUs beside what one would do otherwise, on one core. Writes results/training.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.training [--seconds 300] [METHOD ...]

All learn from the same training part (``work/emoji20/split_by_cluster.csv``, of notebook 04), in which small
classes are repeated as in our own training. One rule for the networks: for the given seconds, at three
learning rates with seed 0, further while the best is at an edge; at the best one of these, by macro F1 on
validation, with seeds 1 and 2 too. The tutorial's network keeps its best epoch; ours has none to choose,
since its schedule ends at the last. HOG features (Dalal and Triggs 2005; gray, 64 px) with a linear support
vector machine or the nearest neighbour take what time they take. Each run is scored on the test folders once.
Runs that the table has of today's code are not repeated, so that two processes can share the methods.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import evaluate, fit_image, import_keras, read_ahead, score

keras = import_keras()

from keras import layers  # noqa: E402
from skimage.color import rgb2gray  # noqa: E402
from skimage.feature import hog  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from benchmarks.records import code_of_benchmark, write_record  # noqa: E402
from evaluate import class_folders, decode_image, list_files, read_file  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.files.tables import read_table  # noqa: E402
from illus.learn.batches import load_arrays  # noqa: E402
from illus.learn.plan import CHOSEN, SEEDS  # noqa: E402
from illus.learn.training import train  # noqa: E402

FOLDER = work_folders.EMOJI20 / "training"
TESTS = work_folders.test_folders(FOLDER)
WORK = work_folders.work_dir(FOLDER)
TABLE = work_folders.RESULTS / "training.csv"
SIDE, BATCH = 48, 32  # px; images a step, as in the tutorial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {', '.join(METHODS)}; default: all")
    options = parser.parse_args()
    keras.config.disable_interactive_logging()
    dataset = read_table(WORK / "split_by_cluster.csv")
    for name in options.methods or METHODS:
        METHODS[name](name, dataset, options.seconds)
    print(pd.read_csv(TABLE).to_string(index=False))


def measured(method: str, rate: float, seed: int, run: Callable[[], dict]) -> float:
    """Macro F1 on validation of a run, which the table has, or gets from ``run``."""
    key = {"method": method, "rate": rate, "seed": seed}
    for known in runs_of_today().to_dict("records"):
        if all(known[name] == value for name, value in key.items()):
            return known["validation_macro_f1"]
    row = key | run()
    print(row, flush=True)
    write_record(pd.concat([runs_of_today(), pd.DataFrame([row])], ignore_index=True), "training")
    return row["validation_macro_f1"]


def runs_of_today() -> pd.DataFrame:
    """The rows of the table that are of today's code; another process may have added some."""
    table = pd.read_csv(TABLE, dtype={"code": str}) if TABLE.exists() else pd.DataFrame({"code": []})
    return table[table.code == code_of_benchmark("training")]


def at_best_rate(method: str, rate: float, run: Callable[[float, int], dict]) -> None:
    """Search the learning rate with the first seed, then train with the others at the best."""
    tried, rates = {}, [rate, rate / 2, rate * 2]
    while rates:
        rate = rates.pop(0)
        tried[rate] = measured(method, rate, SEEDS[0], lambda: run(rate, SEEDS[0]))  # noqa: B023
        best = max(tried, key=lambda key: tried[key])
        if not rates and best in (min(tried), max(tried)):
            rates = [best / 2 if best == min(tried) else best * 2]
    for seed in SEEDS[1:]:
        measured(method, best, seed, lambda: run(best, seed))  # noqa: B023


def scores_of(results: dict[str, dict]) -> dict[str, float]:
    """Columns of the table for what ``score`` said of validation and of each test folder."""
    return {
        f"{part}_{kind}_f1": round(result[f"{kind}_f1"], 4)
        for part, result in results.items()
        for kind in ("macro", "micro")
    }


def labelled_files(folder: Path, names: list[str]) -> tuple[list[Path], np.ndarray]:
    """The files of a test folder, and the numbers of their classes."""
    files = {name: list_files(sub) for name, sub in class_folders(folder).items()}
    labels = [names.index(name) for name, paths in files.items() for _ in paths]
    return [path for paths in files.values() for path in paths], np.array(labels)


def class_names(dataset: pd.DataFrame) -> list[str]:
    """Names of the classes, in the order of their numbers."""
    return dataset.groupby("class_id").class_name.first().tolist()


def ours(method: str, dataset: pd.DataFrame, seconds: float) -> None:
    """``plan.CHOSEN`` for as many epochs as fit in."""
    with tempfile.TemporaryDirectory() as place:
        trial = train(dataset, FOLDER, replace(CHOSEN, epochs=2), "", Path(place))
        epoch = pd.read_json(trial.weights.parent / "state.json").seconds.iloc[-1]

    def run(rate: float, seed: int) -> dict:
        config = replace(CHOSEN, epochs=max(2, int(seconds / epoch)), learning_rate=rate, seed=seed)
        with tempfile.TemporaryDirectory() as place:
            record = train(dataset, FOLDER, config, "", Path(place))
            results = {folder.name: evaluate(folder, record.weights)[0] for folder in TESTS}
        validation = {"macro_f1": record.val_macro_f1, "micro_f1": record.val_micro_f1}
        cost = {"seconds": round(record.seconds), "epochs": record.epochs}
        return cost | scores_of({"validation": validation, **results})

    at_best_rate(method, CHOSEN.learning_rate, run)


def tutorial_network(n_classes: int) -> keras.Model:
    """The network of TensorFlow's tutorial on image classification, with its augmentation and dropout."""
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )


class StopAfter(keras.callbacks.Callback):
    """Ends training at the first epoch's end after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.start, self.seconds = time.perf_counter(), seconds

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.stop_training = time.perf_counter() - self.start > self.seconds


def tutorial(method: str, dataset: pd.DataFrame, seconds: float) -> None:
    """The tutorial's network with Adam; of its epochs the one with the best macro F1 on validation."""
    names, labels = class_names(dataset), dataset.class_id.to_numpy()
    images = load_arrays(dataset, FOLDER, SIDE, "pad", WORK / "cache")
    held = (dataset.split == "validation").to_numpy()
    shown = np.repeat(np.arange(len(dataset)), dataset.copies * (dataset.split == "train"))
    targets = np.eye(len(names), dtype=np.float32)[labels]

    def run(rate: float, seed: int) -> dict:
        keras.utils.set_random_seed(seed)
        model = tutorial_network(len(names))
        f1 = keras.metrics.F1Score("macro", name="f1")
        model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=[f1])
        best = keras.callbacks.EarlyStopping("val_f1", patience=10**6, mode="max", restore_best_weights=True)
        start = time.perf_counter()
        history = model.fit(
            images[shown],
            targets[shown],
            batch_size=BATCH,
            epochs=10**6,
            validation_data=(images[held], targets[held]),
            callbacks=[StopAfter(seconds), best],
        )
        spent, answers = time.perf_counter() - start, model.predict(images[held]).argmax(1)
        results = {"validation": score(labels[held], answers, names)}
        for folder in TESTS:  # by hand, as evaluate.py does not know the network; all files there can be read
            paths, expected = labelled_files(folder, names)
            with read_ahead(paths, SIDE, "pad") as fitted:
                answers = model.predict(np.stack(list(fitted))).argmax(1)
            results[folder.name] = score(expected, answers, names)
        return {"seconds": round(spent), "epochs": len(history.epoch), **scores_of(results)}

    at_best_rate(method, 1e-3, run)


def hog_features(paths: list[Path]) -> np.ndarray:
    """HOG vectors of files; float32, shape (n, 1764)."""

    def vectors() -> Iterator[np.ndarray]:
        for path in paths:
            gray = rgb2gray(fit_image(decode_image(read_file(path)), 64, "pad"))
            features = hog(gray, pixels_per_cell=(8, 8), cells_per_block=(2, 2)).astype(np.float32)
            yield features / max(np.linalg.norm(features), 1e-9)

    return np.stack(list(vectors()))


def with_hog(method: str, dataset: pd.DataFrame, seconds: float) -> None:
    """A classifier of HOG features, of which none has a setting to choose or chance in it."""
    names, labels = class_names(dataset), dataset.class_id.to_numpy()
    model = LinearSVC(random_state=0) if "SVM" in method else KNeighborsClassifier(1)

    def run() -> dict:
        start, train_rows = time.perf_counter(), (dataset.split == "train").to_numpy()
        with threadpool_limits(1):
            features = hog_features([FOLDER / path for path in dataset.path])
            shown = np.repeat(np.flatnonzero(train_rows), dataset.copies[train_rows])
            model.fit(features[shown], labels[shown])
            spent = time.perf_counter() - start
            held = (dataset.split == "validation").to_numpy()
            results = {"validation": score(labels[held], model.predict(features[held]), names)}
            for folder in TESTS:
                paths, expected = labelled_files(folder, names)
                results[folder.name] = score(expected, model.predict(hog_features(paths)), names)
        return {"seconds": round(spent), "epochs": 1, **scores_of(results)}

    measured(method, 0.0, 0, run)


METHODS: dict[str, Callable[[str, pd.DataFrame, float], None]] = {
    "this project, one network": ours,
    "tutorial CNN, 48 px": tutorial,
    "HOG + nearest neighbour": with_hog,
    "HOG + linear SVM": with_hog,
}


if __name__ == "__main__":
    main()
