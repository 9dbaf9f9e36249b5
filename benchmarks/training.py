"""The chosen network beside what one would do otherwise, for as many seconds. Writes results/training.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.training [--seconds 600]

All learn from the same training part (``work/emoji20/split_by_cluster.csv``, of notebook 04) in the same run
on the same machine. Networks train for the given seconds; HOG features (Dalal and Triggs 2005; gray, 64 px)
with a linear support vector machine or the nearest neighbour take what they take. Each is scored on
validation and on the test folders when it is done. Methods that the table has already are not repeated:
delete results/training.csv to measure anew. ``code`` says which code a row is of
(``benchmarks/measure.py``); rows older than that column leave it empty.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
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

from evaluate import class_folders, decode_image, list_files, read_file  # noqa: E402
from illus import work_folders  # noqa: E402
from illus.files.tables import read_table  # noqa: E402
from illus.hashing import code_of  # noqa: E402
from illus.learn.batches import load_arrays  # noqa: E402
from illus.learn.plan import CHOSEN, LABEL_CHECK  # noqa: E402
from illus.learn.settings import DECIDING_MODULES  # noqa: E402
from illus.learn.training import train  # noqa: E402
from illus.parallel import in_parallel, write_table  # noqa: E402

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


class Stop(keras.callbacks.Callback):
    """Ends training after so many seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.start, self.seconds, self.spent = time.perf_counter(), seconds, 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.spent = time.perf_counter() - self.start
        if self.spent > self.seconds:
            self.model.stop_training = True


class Shuffled(keras.utils.PyDataset):
    """Batches of 32 training images, in another order in each epoch."""

    def __init__(self, images, labels, rows):
        super().__init__()
        self.images, self.labels, self.rng = images, labels, np.random.default_rng(0)
        self.order = self.rng.permutation(rows)

    def __len__(self):
        return len(self.order) // 32

    def __getitem__(self, step):
        batch = np.sort(self.order[step * 32 : (step + 1) * 32])
        return self.images[batch], self.labels[batch]

    def on_epoch_end(self):
        self.order = self.rng.permutation(self.order)


def train_peer(name: str, dataset: pd.DataFrame, names: list[str], seconds: float) -> dict:
    """The row of one of ``PEERS``, trained with Adam at its default rate."""
    build, size = PEERS[name]
    keras.utils.set_random_seed(0)
    model = build(len(names), size)
    model.compile("adam", "sparse_categorical_crossentropy")
    images = load_arrays(dataset, FOLDER, size, "stretch", WORK / "cache")
    labels, parts = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    stop = Stop(seconds)
    batches = Shuffled(images, labels, np.flatnonzero(parts == "train"))
    model.fit(batches, epochs=10**6, verbose=0, shuffle=False, callbacks=[stop])
    held = parts == "validation"
    results = {"validation": score(labels[held], predict(model, images[held]), names)}
    for folder in TESTS:  # by hand, as evaluate.py does not know the network; all files there can be read
        paths, expected = labelled_files(folder, names)
        with read_ahead(paths, size, "stretch") as fitted:
            results[folder.name] = score(expected, predict(model, np.stack(list(fitted))), names)
    return table_row(name, stop.spent, results)


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Numbers of the classes that a network answers; int, shape (n,)."""
    return model.predict(images, 256, verbose=0).argmax(1)


def labelled_files(folder: Path, names: list[str]) -> tuple[list[Path], np.ndarray]:
    """The files of a test folder, and the numbers of their classes."""
    files = {name: list_files(sub) for name, sub in class_folders(folder).items()}
    labels = [names.index(name) for name, paths in files.items() for _ in paths]
    return [path for paths in files.values() for path in paths], np.array(labels)


def train_ours(name: str, dataset: pd.DataFrame, names: list[str], seconds: float) -> dict:
    """The row of one of ``OURS``, trained for as many epochs as fit in."""
    settings, share = OURS[name]
    with tempfile.TemporaryDirectory() as place:
        trial = train(dataset, FOLDER, replace(settings, epochs=2), "", Path(place))
        history = pd.read_json(trial.weights.parent / "state.json")
        epochs = max(2, int(seconds * share / history.seconds.iloc[-1]))
        record = train(dataset, FOLDER, replace(settings, epochs=epochs), "", Path(place))
        results = {folder.name: evaluate(folder, record.weights)[0] for folder in TESTS}
    validation = {"macro_f1": record.val_macro_f1, "micro_f1": record.val_micro_f1}
    return table_row(name, record.seconds, {"validation": validation, **results})


def hog_features(path: Path) -> np.ndarray:
    """HOG vector of one file; float32."""
    gray = rgb2gray(fit_image(decode_image(read_file(path)), 64, "pad"))
    features = hog(gray, pixels_per_cell=(8, 8), cells_per_block=(2, 2)).astype(np.float32)
    return features / max(np.linalg.norm(features), 1e-9)


def train_hog(dataset: pd.DataFrame, names: list[str]) -> Iterator[dict]:
    """Rows of the table for the two methods on HOG features."""

    def features_of(paths: list[Path]) -> np.ndarray:
        return np.array(list(in_parallel(hog_features, paths, "HOG")))

    start = time.perf_counter()
    features = features_of([FOLDER / path for path in dataset.path])
    extraction = time.perf_counter() - start
    rows = (dataset.split == "train").to_numpy()
    sets = {"validation": (features[~rows], dataset.class_id[~rows])}
    for folder in TESTS:
        paths, labels = labelled_files(folder, names)
        sets[folder.name] = (features_of(paths), labels)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    dataset = read_table(WORK / "split_by_cluster.csv")
    names = dataset.groupby("class_id").class_name.first().tolist()
    path, code = work_folders.RESULTS / "training.csv", code_of(SOURCES)
    if not path.exists():
        write_table(pd.DataFrame(train_hog(dataset, names)).assign(code=code), path)
    for name in [*OURS, *PEERS]:
        table = pd.read_csv(path, dtype={"code": str})
        if name not in table.method.to_list():
            print(name, flush=True)
            row = (train_ours if name in OURS else train_peer)(name, dataset, names, seconds)
            write_table(pd.concat([table, pd.DataFrame([row | {"code": code}])]), path)
    print(pd.read_csv(path).to_string(index=False))


if __name__ == "__main__":
    main()
