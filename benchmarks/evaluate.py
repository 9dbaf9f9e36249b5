"""What evaluate.py costs beside what cannot be avoided, and its memory. Writes results/evaluate.csv.

    python -m benchmarks.evaluate [--files 25000] [--repeats 3]

Files of emoji20's training folder, linked until there are enough of them. What cannot be avoided: import
Keras with TensorFlow, read and decode each file (OpenCV from memory, one thread a core), predict the
decoded images. The peer is ``model.predict`` over ``keras.utils.image_dataset_from_directory``. Each
part has a process of its own; repeats alternate, and medians are compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from illus import config
from illus.parallel import write_table

WEIGHTS = Path("weights/best.h5")
BATCH = 256
PEERS_READ = ("PNG", "JPEG", "BMP")  # OpenCV reads more, tf.io no WebP


def link_files(catalog, source, n_files, folder):
    """Class folders of exactly so many files, hard links to those that every method reads."""
    readable = catalog[catalog.format.isin(PEERS_READ)].sample(frac=1, random_state=0)
    for number, row in enumerate(islice(cycle(readable.itertuples()), n_files)):
        link = folder / row.class_name / f"{number}{Path(row.path).suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(source / row.path, link)


def unavoidable(folder):
    """Seconds of the three parts, each on its own."""
    start = time.perf_counter()
    import keras

    seconds = {"import": time.perf_counter() - start}
    import cv2

    paths = [path for path in folder.rglob("*") if path.is_file()]
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), paths):
            pass
    seconds["decode"] = time.perf_counter() - start
    model = keras.models.load_model(WEIGHTS, compile=False)
    images = np.random.default_rng(0).integers(0, 256, (len(paths), *model.input_shape[1:]), np.uint8)
    start = time.perf_counter()
    model.predict(images, BATCH, verbose=0)
    return seconds | {"predict": time.perf_counter() - start}


def peer(folder):
    import keras
    from tensorflow import cast

    model = keras.models.load_model(WEIGHTS, compile=False)
    images = keras.utils.image_dataset_from_directory(
        folder,
        label_mode=None,
        image_size=model.input_shape[1:3],
        batch_size=BATCH,
        shuffle=False,
        pad_to_aspect_ratio=True,
        verbose=False,
    )
    model.predict(images.map(lambda x: cast(x, "uint8")), verbose=0)
    return {}


PARTS = {"unavoidable": unavoidable, "image_dataset_from_directory": peer}


def run_measured(command):
    """Wall seconds, peak megabytes and output of a process."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    unit = 1024 if sys.platform == "linux" else 1024**2
    return time.perf_counter() - start, usage.ru_maxrss / unit, out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.folder)))
        return
    source = config.EMOJI20 / "training"
    catalog = pd.read_csv(config.work_dir(source) / "catalog.csv")
    rows = []
    with tempfile.TemporaryDirectory(dir=config.EMOJI20) as scratch:
        sizes = {count: Path(scratch, str(count)) for count in (2_000, options.files)}
        for count, folder in sizes.items():
            link_files(catalog, source, count, folder)
        for _ in range(options.repeats):
            for count, folder in sizes.items():
                seconds, peak, _ = run_measured([sys.executable, "evaluate.py", folder, WEIGHTS])
                rows.append({"what": "evaluate.py", "files": count, "seconds": seconds, "peak_mb": peak})
            for part in PARTS:
                seconds, peak, out = run_measured(
                    [sys.executable, "-m", "benchmarks.evaluate", "--part", part, "--folder", folder]
                )
                parts = json.loads(out)
                rows += [{"what": name, "files": count, "seconds": s} for name, s in parts.items()]
                rows.append(
                    {"what": part, "files": count, "seconds": sum(parts.values()) or seconds, "peak_mb": peak}
                )
            print(pd.DataFrame(rows[-7:]).round(1).to_string(index=False), flush=True)
    table = pd.DataFrame(rows).groupby(["what", "files"], sort=False).median().reset_index()
    floor = table.seconds[table.what == "unavoidable"].item()
    table["times_the_unavoidable"] = (table.seconds / floor).where(table.files == options.files)
    table["files_per_second"] = table.files / table.seconds
    write_table(
        table.round({"seconds": 1, "peak_mb": 0, "times_the_unavoidable": 3, "files_per_second": 0}),
        config.RESULTS / "evaluate.csv",
    )
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
