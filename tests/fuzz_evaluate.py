"""Seeded damage to images and weights files, which evaluate.py must read or refuse, without crashing.

    python -m tests.fuzz_evaluate [--images 10000] [--weights 2000] [--seed 0] [--seconds 5] [--out FILE]

A case that raises anything but the two errors of evaluate.py, or takes more than ``--seconds``, ends the run
with its number and a traceback; so does a crash. At the end memory may have grown by 1 GB at most.
"""

import argparse
import faulthandler
import json
import resource
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

import evaluate
from benchmarks.records import code_of_benchmark
from illus.learn.export import save_classifier
from illus.learn.heads import with_temperature
from illus.learn.networks import average
from illus.parallel import write_table
from tests.conftest import draw, encoded

MEGABYTES = 1024  # that memory may grow by
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
NUMBERS = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# fmt: off
VALUES = (None, True, -1, 0, 3, 60_000, 10**9, 1e30, "", "Lambda", "relu", [], {}, [1] * 9,
          {"class_name": "Dense"})
# fmt: on


def damage(data, rng, kinds=6):
    """A copy of the bytes with one to eight changes; the first four kinds leave the length as it is."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        at = int(rng.integers(len(data)))
        length = int(rng.integers(1, 2 + min(64, len(data) // 4)))
        match int(rng.integers(kinds)):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at] = INTERESTING[rng.integers(len(INTERESTING))]
            case 2:
                order = "<I" if rng.integers(2) else ">I"
                data[at : at + 4] = struct.pack(order, NUMBERS[rng.integers(len(NUMBERS))])[: len(data) - at]
            case 3:
                data[at : at + length] = rng.bytes(len(data[at : at + length]))
            case 4:
                data[at : at + length] = b""
            case 5:
                data[at:at] = data[at : at + length]
        data = data or bytearray(1)
    return bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.02 * kinds else data)


def with_checksums(data):
    """A damaged PNG whose chunks have right checksums again, so that more than the checksum is tried."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        body = data[at + 4 : at + 8 + length]
        parts += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts)


def valid_images():
    """Files of every kind that is read."""
    image = draw("red")
    frames = {"save_all": True, "append_images": [draw("green")]}
    return [
        encoded(image),
        encoded(image.convert("RGBA")),
        encoded(image.convert("1")),
        encoded(image.quantize(8), transparency=1),
        encoded(image, "BMP"),
        encoded(image, "JPEG"),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image, "GIF", **frames),
        encoded(image, "WEBP", **frames),
        encoded(image, "WEBP", lossless=True),
        encoded(image, "TIFF", save_all=True, append_images=[draw("green")]),
        encoded(image.convert("RGBA"), "TIFF", compression="tiff_lzw"),
        encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        encoded(image, "TIFF", compression="jpeg"),
        encoded(Image.fromarray(np.full((20, 20), 0x8042, np.uint16)), "TIFF", compression="packbits"),
    ]


def valid_weights(folder):
    """Weights files of a small network, alone and in a calibrated average, as bytes."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    settings = {"input_size": 16, "n_classes": 3, "block": "squeeze-excite", "width": 4, "blocks": [1]}
    settings |= {"dropout": 0.0, "stem_stride": 2, "channels": "rgb+edges", "normalisation": "scale"}
    model, path = evaluate.build_network(settings), folder / "good.h5"
    for exported in (model, average([with_temperature(model, 2.0), model])):
        save_classifier(exported, evaluate.Description(["a", "b", "c"], 16, "pad"), path)
        yield path.read_bytes()


def try_image(path, valid, rng):
    data = damage(valid[rng.integers(len(valid))], rng)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = with_checksums(data)
    path.write_bytes(data)
    result = evaluate.read_fitted(path, 48, "pad")
    return "read" if isinstance(result, np.ndarray) else "refused"


def change_description(path, rng):
    """Put a value that does not belong there somewhere into the description."""
    with h5py.File(path, "a") as file:
        description = json.loads(file.attrs["classifier"])
        places, left = [], [description]
        while left:
            node = left.pop()
            keys = node if isinstance(node, dict) else range(len(node))
            places += [(node, key) for key in keys]
            left += [node[key] for key in keys if isinstance(node[key], dict | list)]
        for _ in range(rng.integers(1, 4)):
            node, key = places[rng.integers(len(places))]
            node[key] = VALUES[rng.integers(len(VALUES))]
        file.attrs["classifier"] = json.dumps(description)


def try_weights(path, valid, rng):
    valid = valid[rng.integers(len(valid))]
    path.write_bytes(valid)
    if rng.random() < 0.5:
        change_description(path, rng)
    else:
        path.write_bytes(damage(valid, rng, 4))
    try:
        found = evaluate.inspect_weights(path)
        evaluate.predict_files(path, found, [path.with_name("good.png")], batch_size=2)
    except evaluate.EvaluationError as error:
        if len(str(error).splitlines()) != 1:
            raise RuntimeError("not one line") from error
        return "refused"
    return "read"


def megabytes():
    """Peak memory of this process, or of the largest that it started."""
    both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    largest = max(resource.getrusage(who).ru_maxrss for who in both)
    return largest // (1024 if sys.platform == "linux" else 1024**2)


def fuzz(name, attempt, count, seed, seconds, folder, *arguments):
    """Run numbered cases, each from its own seed; gives a row of how many were read, and what it took."""
    outcomes, slowest, before = Counter(), 0.0, megabytes()
    for number in range(count):
        faulthandler.dump_traceback_later(seconds, exit=True)
        start = time.perf_counter()
        try:
            outcomes[attempt(folder / "case.h5", *arguments, np.random.default_rng((seed, number)))] += 1
        except BaseException:
            print(f"{name}: case {number} of seed {seed}", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - start)
    faulthandler.cancel_dump_traceback_later()
    grown = megabytes() - before
    row = {
        "files": name,
        "cases": count,
        "read": outcomes["read"],
        "refused": outcomes["refused"],
        "slowest_s": round(slowest, 2),
        "memory_mb": grown,
    }
    print(row, flush=True)
    if grown > MEGABYTES:
        raise SystemExit(f"{name}: memory grew by more than {MEGABYTES:,} MB")
    return row


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--weights", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5, help="that a case may take")
    parser.add_argument("--out", type=Path, help="CSV file for the two rows that are printed")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "good.png").write_bytes(encoded(draw("red")))
        weights = list(valid_weights(folder))
        rows = [
            fuzz("images", try_image, options.images, options.seed, options.seconds, folder, valid_images()),
            fuzz("weights", try_weights, options.weights, options.seed, options.seconds, folder, weights),
        ]
    if options.out:
        write_table(pd.DataFrame(rows).assign(code=code_of_benchmark("fuzz")), options.out)
    return rows


if __name__ == "__main__":
    main()
