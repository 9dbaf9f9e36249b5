"""What a training step costs by the number of channels. Writes results/step.csv.

    python -m benchmarks.step

The network of the recipe (blocks 1-2-2-2, 64 px, batches of 128, its optimizer, augmentation and average of
weights), on random images; the median of twenty steps, widths in turn three times. oneDNN computes with
vectors of 16 channels, and AMX, where a CPU has it, with tiles of 32.
"""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.records import write_record
from illus.learn.compiling import compile_for_training, dtype_policy, with_fused_batch_norm
from illus.learn.networks import multiply_adds
from illus.learn.plan import MEMBER
from illus.learn.training import build_network

WIDTHS = (16, 24, 28, 32, 40, 48)
TURNS, STEPS, CLASSES = 3, 20, 20


def main() -> None:
    rng = np.random.default_rng(0)
    side = MEMBER.input_size
    images = rng.integers(0, 256, (MEMBER.batch_size, side, side, 3), np.uint8)
    labels = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, MEMBER.batch_size)]
    models, rows = {}, []
    for width in WIDTHS:
        config = replace(MEMBER, width=width)
        with dtype_policy(config.precision):
            network = with_fused_batch_norm(build_network(config, CLASSES))
            models[width] = compile_for_training(network, config, 100)
        models[width].train_on_batch(images, labels)
        rows.append({"width": width, "multiply_adds": multiply_adds(network)})
    seconds: dict[int, list[float]] = {width: [] for width in WIDTHS}
    for _ in range(TURNS):
        for width, model in models.items():
            for _ in range(STEPS):
                start = time.perf_counter()
                model.train_on_batch(images, labels)
                seconds[width].append(time.perf_counter() - start)
    table = pd.DataFrame(rows)
    table["step_ms"] = [1000 * np.median(seconds[width]) for width in WIDTHS]
    table["images_per_second"] = MEMBER.batch_size / table.step_ms * 1000
    per_operation = table.step_ms / table.multiply_adds
    table["cost_of_an_operation"] = per_operation / per_operation[table.width == MEMBER.width].item()
    write_record(table.round(3), "step")
    print(table.to_string())


if __name__ == "__main__":
    main()
