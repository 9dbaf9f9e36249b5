"""The chosen network beside what one would do otherwise, for as many seconds. Writes results/training*.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.training [--seconds 600]

All learn from the same training part (``work/emoji20/split_by_cluster.csv``, of notebook 04) in the same run
on the same machine. Networks train for the given seconds and are scored on validation after each epoch;
HOG features (Dalal and Triggs 2005; gray, 64 px) with a linear support vector machine or the nearest
neighbour take what they take. Each is scored on the test folders when it is done. Methods that the table
has already are not repeated: delete results/training.csv to measure anew. ``code`` says which code a row
is of (``benchmarks/measure.py``); rows older than that column leave it empty.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import evaluate, fit_image, import_keras, read_ahead, score

keras = import_keras()

from joblib import Parallel, delayed  # noqa: E402
from keras import layers  # noqa: E402
from skimage.color import rgb2gray  # noqa: E402
from skimage.feature import hog  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

from evaluate import class_folders, decode_image, list_files, read_file  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.files.tables import read_table  # noqa: E402
from illus.hashing import code_of  # noqa: E402
from illus.learn.batches import load_arrays  # noqa: E402
from illus.learn.plan import CHOSEN, LABEL_CHECK  # noqa: E402
from illus.learn.settings import DECIDING_MODULES  # noqa: E402
from illus.learn.training import train  # noqa: E402
from illus.parallel import write_table  # noqa: E402

FOLDER = work_folders.EMOJI20 / "training"
TESTS = work_folders.test_folders(FOLDER)
WORK = work_folders.work_dir(FOLDER)
SOURCES = (
    *(f"illus/learn/{name}.py" for name in DECIDING_MODULES),
    "illus/learn/plan.py",
    "benchmarks/training.py",
)


def tutorial(n_classes: int, size: int) -> keras.Model:
    """The network of TensorFlow's tutorial on image classification, with its augmentation and dropout."""
    return keras.Sequential(
        [
            keras.Input((size, size, 3), dtype="uint8"),
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


def resnet18(n_classes: int, size: int) -> keras.Model:
    """ResNet-18 as published (He et al. 2015, arXiv:1512.03385), mirrored images its only augmentation."""

    def convolution(x, channels, kernel=3, stride=1):
        return layers.BatchNormalization()(
            layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
        )

    inputs = keras.Input((size, size, 3), dtype="uint8")
    x = layers.RandomFlip("horizontal")(layers.Rescaling(1 / 127.5, -1)(inputs))
    x = layers.MaxPooling2D(3, 2, padding="same")(layers.ReLU()(convolution(x, 64, 7, 2)))
    for channels in (64, 128, 256, 512):
        for stride in (1 if channels == 64 else 2, 1):
            y = convolution(layers.ReLU()(convolution(x, channels, 3, stride)), channels)
            if x.shape[-1] != channels:
                x = convolution(x, channels, 1, stride)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


Curve = list[tuple[float, float]]  # seconds of training, macro F1 on validation
MIXED = replace(CHOSEN, mixing="either", mixing_share=0.5)
OURS = {  # with the share of the seconds
    "this project, one network": (CHOSEN, 1),
    "this project, a quarter of the seconds": (CHOSEN, 1 / 4),
    "this project, mixed images": (MIXED, 1),
    "this project, mixed images, a quarter of the seconds": (MIXED, 1 / 4),
    "this project, small network, a quarter of the seconds": (LABEL_CHECK, 1 / 4),
}
PEERS = {
    "tutorial CNN, 180 px": (tutorial, 180),
    "tutorial CNN, 48 px": (tutorial, 48),
    "ResNet-18, 64 px": (resnet18, 64),
}


class Clock(keras.callbacks.Callback):
    """Scores after each epoch and stops after so many seconds of training."""

    def __init__(self, seconds, images, labels, names):
        super().__init__()
        self.seconds, self.data, self.names = seconds, (images, labels), names
        self.curve, self.spent = [], 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if self.spent + time.perf_counter() - self.start > self.seconds:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.spent += time.perf_counter() - self.start
        images, labels = self.data
        predicted = self.model.predict(images, 256, verbose=0).argmax(1)
        self.curve.append((self.spent, score(labels, predicted, self.names)["macro_f1"]))
        print(f"{self.spent:6.0f} s  macro F1 {self.curve[-1][1]:.3f}", flush=True)


def train_peer(
    name: str, dataset: pd.DataFrame, names: list[str], seconds: float
) -> tuple[Curve, keras.Model]:
    """Train one of ``PEERS`` with Adam at its default rate; gives its curve of (seconds, macro F1), too."""
    build, size = PEERS[name]
    keras.utils.set_random_seed(0)
    model = build(len(names), size)
    model.compile("adam", "sparse_categorical_crossentropy")
    images = load_arrays(dataset, FOLDER, size, "stretch", WORK / "cache")
    labels, parts = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    rows, held = np.flatnonzero(parts == "train"), parts == "validation"

    class Shuffled(keras.utils.PyDataset):
        def __len__(self):
            return len(rows) // 32

        def __getitem__(self, step):
            batch = np.sort(order[step * 32 : (step + 1) * 32])
            return images[batch], labels[batch]

    clock, rng = Clock(seconds, images[held], labels[held], names), np.random.default_rng(0)
    while clock.spent < seconds:
        order = rng.permutation(rows)
        model.fit(Shuffled(), verbose=0, shuffle=False, callbacks=[clock])
    return clock.curve, model


def score_peer(model: keras.Model, names: list[str], folder: Path) -> dict[str, float]:
    """Scores of a network that evaluate.py does not know, on a test folder whose files can all be read."""
    files = [(p, names.index(n)) for n, sub in class_folders(folder).items() for p in list_files(sub)]
    with read_ahead([path for path, _ in files], model.input_shape[1], "stretch") as images:
        predicted = model.predict(np.stack(list(images)), 256, verbose=0).argmax(1)
    return score(np.array([label for _, label in files]), predicted, names)


def train_ours(name: str, dataset: pd.DataFrame, seconds: float, weights: Path, work: Path) -> Curve:
    """Train one of ``OURS`` for as many epochs as fit in; gives its curve."""
    settings, share = OURS[name]
    trial = train(dataset, FOLDER, replace(settings, epochs=2), "", work)
    history = pd.read_json(trial.weights.parent / "state.json")
    epochs = max(2, int(seconds * share / history.seconds.iloc[-1]))
    record = train(dataset, FOLDER, replace(settings, epochs=epochs), "", work)
    record.weights.replace(weights)
    history = pd.read_json(record.weights.parent / "state.json")
    curve = list(zip(history.seconds.cumsum(), history.val_macro_f1, strict=True))
    return [*curve[:-1], (record.seconds, record.val_macro_f1)]


def hog_features(path: Path) -> np.ndarray:
    """HOG vector of one file; float32."""
    gray = rgb2gray(fit_image(decode_image(read_file(path)), 64, "pad"))
    features = hog(gray, pixels_per_cell=(8, 8), cells_per_block=(2, 2)).astype(np.float32)
    return features / max(np.linalg.norm(features), 1e-9)


def all_hog_features(paths: Sequence[Path]) -> np.ndarray:
    return np.array(Parallel(n_jobs=-1, batch_size=64)(delayed(hog_features)(path) for path in paths))


def train_hog(dataset: pd.DataFrame, names: list[str]) -> Iterator[dict]:
    """Rows of the table for the two methods on HOG features."""
    start = time.perf_counter()
    features = all_hog_features([FOLDER / path for path in dataset.path])
    extraction = time.perf_counter() - start
    rows = (dataset.split == "train").to_numpy()
    sets = {"validation": (features[~rows], dataset.class_id[~rows])}
    for folder in TESTS:
        labelled = [
            (path, names.index(name))
            for name, sub in class_folders(folder).items()
            for path in list_files(sub)
        ]
        sets[folder.name] = (all_hog_features([p for p, _ in labelled]), np.array([i for _, i in labelled]))
    for name, model in (
        ("HOG + linear SVM", LinearSVC(random_state=0)),
        ("HOG + nearest neighbour", KNeighborsClassifier(1)),
    ):
        start = time.perf_counter()
        model.fit(features[rows], dataset.class_id[rows])
        spent = time.perf_counter() - start + extraction
        results = {part: score(labels, model.predict(x), names) for part, (x, labels) in sets.items()}
        yield table_row(name, spent, results)


def table_row(name: str, seconds: float, results: dict[str, dict]) -> dict:
    scores = {
        f"{part}_{kind}_f1": round(result[f"{kind}_f1"], 4)
        for part, result in results.items()
        for kind in ("macro", "micro")
    }
    return {"method": name, "seconds": round(seconds), **scores}


def add_rows(path: Path, method: str, rows: list[dict]) -> None:
    """Put a method's rows at the end of a table, in place of those it has of it."""
    before = pd.read_csv(path, dtype={"code": str}) if path.exists() else pd.DataFrame({"method": []})
    new = pd.DataFrame(rows).assign(method=method, code=code_of(SOURCES))
    write_table(pd.concat([before[before.method != method], new]), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    dataset = read_table(WORK / "split_by_cluster.csv")
    names = dataset.groupby("class_id").class_name.first().tolist()
    table, curves = work_folders.RESULTS / "training.csv", work_folders.RESULTS / "training_curves.csv"
    if not table.exists():
        write_table(pd.DataFrame(train_hog(dataset, names)).assign(code=code_of(SOURCES)), table)
    with tempfile.TemporaryDirectory() as scratch:
        for name in [*OURS, *PEERS]:
            if name in pd.read_csv(table).method.to_list():
                continue
            print(name, flush=True)
            weights = Path(scratch) / "weights.h5"
            if name in PEERS:
                curve, peer = train_peer(name, dataset, names, seconds)
                results = {folder.name: score_peer(peer, names, folder) for folder in TESTS}
            else:
                curve = train_ours(name, dataset, seconds, weights, Path(scratch))
                results = {folder.name: evaluate(folder, weights)[0] for folder in TESTS}
            row = table_row(name, curve[-1][0], results) | {"validation_macro_f1": round(curve[-1][1], 4)}
            add_rows(curves, name, [{"seconds": round(s, 1), "macro_f1": round(f, 4)} for s, f in curve])
            add_rows(table, name, [row])
    print(pd.read_csv(table).to_string(index=False))


if __name__ == "__main__":
    main()
