"""Whether exported networks predict what the weights file predicts. Writes results/interchange.csv.

    python -m pip install -e ".[onnx,litert]" -c requirements-dev.lock
    python -m benchmarks.interchange [--images 1000]

Images of emoji20's test folder, drawn at random (seed 0); each format by the program that it is made for:
Keras, ONNX Runtime, LiteRT, on the CPU.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.records import write_record
from evaluate import class_folders, list_files, load_classifier, read_ahead
from illus import work_folders
from illus.learn.interchange import ENDINGS, export_to, read_exported

TEST = work_folders.EMOJI20 / "test"
BATCH = 100  # images


def with_keras(path: Path, images: np.ndarray) -> np.ndarray:
    import keras

    return keras.saving.load_model(path).predict_on_batch(images)


def with_onnx_runtime(path: Path, images: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def with_litert(path: Path, images: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(str(path))
    (given,), (wanted,) = network.get_input_details(), network.get_output_details()
    network.resize_tensor_input(given["index"], images.shape)
    network.allocate_tensors()
    network.set_tensor(given["index"], images)
    network.invoke()
    return network.get_tensor(wanted["index"])


PROGRAMS = {"keras": with_keras, "onnx": with_onnx_runtime, "litert": with_litert}


def probabilities(format: str, path: Path, images: np.ndarray) -> np.ndarray:
    """What the program of a format predicts; float32, shape (n, classes)."""
    parts = np.array_split(images, max(1, len(images) // BATCH))
    return np.concatenate([PROGRAMS[format](path, part) for part in parts])


def compare(weights: Path, images: np.ndarray, folder: Path) -> pd.DataFrame:
    """Export to every format, predict the images with each, compare with the weights file; a row each."""
    expected = load_classifier(weights)[0].predict(images, BATCH, verbose=0)
    rows = []
    for format, ending in ENDINGS.items():
        path = folder / f"network{ending}"
        description = export_to(weights, path, format)
        found = probabilities(format, path, images)
        row = {
            "format": format,
            "images": len(images),
            "same_class": (found.argmax(1) == expected.argmax(1)).sum(),
        }
        row["largest_difference"] = float(f"{np.abs(found - expected).max():.1e}")
        row["same_description"] = read_exported(path) == description
        rows.append(row | {"megabytes": round(path.stat().st_size / 1e6, 1)})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the predictions of exported networks.")
    parser.add_argument("--images", type=int, default=1000)
    count = parser.parse_args().images
    files = [path for folder in class_folders(TEST).values() for path in list_files(folder)]
    drawn = np.random.default_rng(0).choice(len(files), count, replace=False)
    _, description = load_classifier(work_folders.SHIPPED_WEIGHTS)
    paths = [files[i] for i in sorted(drawn)]
    with read_ahead(paths, description.input_size, description.fit) as fitted:
        images = np.stack(list(fitted))
    with tempfile.TemporaryDirectory() as folder:
        table = compare(work_folders.SHIPPED_WEIGHTS, images, Path(folder))
    write_record(table, "interchange")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
