"""What scoring a folder cannot avoid: import Keras with TensorFlow, decode each file, predict its image.

In: class folders and a weights file. Out: JSON with the seconds of the three parts, each on its own: import,
decode (OpenCV from memory, one thread a core), predict.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BATCH = 64  # as evaluate.py


def seconds_of_import() -> float:
    start = time.perf_counter()
    import keras  # noqa: F401

    return time.perf_counter() - start


def seconds_of_decoding(paths: list[Path]) -> float:
    import cv2
    import numpy as np

    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), paths):
            pass
    return time.perf_counter() - start


def seconds_of_predicting(weights: Path, n_images: int) -> float:
    """Of random images: what they show costs nothing."""
    import keras
    import numpy as np

    model = keras.models.load_model(weights, compile=False)
    images = np.random.default_rng(0).integers(0, 256, (n_images, *model.input_shape[1:]), np.uint8)
    start = time.perf_counter()
    model.predict(images, BATCH, verbose=0)
    return time.perf_counter() - start


def main() -> None:
    folder, weights, out = map(Path, sys.argv[1:])
    paths = [path for path in folder.rglob("*") if path.is_file()]
    seconds = {
        "import": seconds_of_import(),
        "decode": seconds_of_decoding(paths),
        "predict": seconds_of_predicting(weights, len(paths)),
    }
    out.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
