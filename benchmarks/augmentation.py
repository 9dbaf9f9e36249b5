"""What random changes of images cost, as a share of a training step. Writes results/augmentation.csv.

    python -m pip install -r benchmarks/requirements.txt
    KERAS_BACKEND=jax python -m benchmarks.augmentation [--size 64] [--rounds 20]

For each backend and key of ``AUGMENTATIONS``: milliseconds of a training step of the recipe's networks (width
28, blocks 1-2-2-2, 128 images) with and without the changes, and the seconds from the beginning to the end
of the first step, in which the step is compiled. Rows of other backends stay in the table. Each round times
all of them in a random order; ``step_ms`` is the median of the rounds, ``share`` that of the shares within a
round, with its quartiles, so that other work on the machine matters little.
"""

import argparse
import os
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from evaluate import import_keras

keras = import_keras()

from illus import config  # noqa: E402
from illus.hashing import code_of  # noqa: E402
from illus.learn.compiling import (  # noqa: E402
    compile_for_training,
    device_name,
    dtype_policy,
    with_fused_batch_norm,
)
from illus.learn.plan import MEMBER  # noqa: E402
from illus.learn.settings import DECIDING_MODULES  # noqa: E402
from illus.learn.training import build_network  # noqa: E402
from illus.parallel import write_table  # noqa: E402

COMPARED = ("none", "flip", "mild", "strong")
SOURCES = (*(f"illus/learn/{name}.py" for name in DECIDING_MODULES), "benchmarks/augmentation.py")


def compiled(augmentation: str, size: int) -> keras.Model:
    """The recipe's network with changes before it, ready for training."""
    settings = replace(MEMBER, augmentation=augmentation, input_size=size)
    with dtype_policy(settings.precision):
        network = with_fused_batch_norm(build_network(settings, 20))
        return compile_for_training(network, settings, 100)


def milliseconds(model: keras.Model, batch: tuple[np.ndarray, np.ndarray], steps: int = 3) -> float:
    """Of one step, in ``steps`` that follow each other; the loss at the end waits for all of them."""
    start = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(*batch)
    return (time.perf_counter() - start) / steps * 1000


def measure(size: int, rounds: int) -> pd.DataFrame:
    """One row per key of ``AUGMENTATIONS``, for the backend that runs."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (MEMBER.batch_size, size, size, 3), np.uint8)
    batch = images, np.eye(20, dtype="float32")[rng.integers(0, 20, len(images))]
    models, first = {}, {}
    for name in COMPARED:
        start = time.perf_counter()
        models[name] = compiled(name, size)
        milliseconds(models[name], batch, 1)
        first[name] = time.perf_counter() - start
    times = pd.DataFrame(
        [{n: milliseconds(models[n], batch) for n in rng.permutation(COMPARED)} for _ in range(rounds)]
    )[list(COMPARED)]
    shares = 1 - times.rdiv(times["none"], axis=0)
    low, middle, high = (shares.quantile(q).round(3).to_list() for q in (0.25, 0.5, 0.75))
    return pd.DataFrame(
        {
            "backend": keras.backend.backend(),
            "device": f"{device_name()}, {os.cpu_count()} cores",
            "size": size,
            "augmentation": COMPARED,
            "step_ms": times.median().round(1).to_list(),
            "share": middle,
            "share_low": low,
            "share_high": high,
            "first_step_s": [round(first[name], 1) for name in COMPARED],
            "code": code_of(SOURCES),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=MEMBER.input_size)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    rows, table = measure(options.size, options.rounds), config.RESULTS / "augmentation.csv"
    if table.exists():
        keys = ["backend", "device", "size"]
        before = pd.read_csv(table, dtype={"code": str})
        again = before.set_index(keys).index.isin(rows.set_index(keys).index)
        rows = pd.concat([before[~again], rows])[rows.columns]
    write_table(rows, table)
    print(rows.to_string(index=False))


if __name__ == "__main__":
    main()
