"""Training on two virtual devices gives what one device gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from illus.learn.devices import on_all_devices

PROGRAM = """
import json, sys, tempfile
import numpy as np, pandas as pd
from pathlib import Path
from contextlib import nullcontext
from illus.learn.devices import on_all_devices
from illus.learn.settings import Config
from illus.learn.training import fit

rng = np.random.default_rng(0)
labels = np.arange(48) % 3
images = rng.integers(0, 100, (48, 16, 16, 3), np.uint8) + 50 * labels[:, None, None, None].astype(np.uint8)
dataset = pd.DataFrame({"class_id": labels, "class_name": labels.astype(str), "copies": 1})
dataset["split"] = ["train"] * 32 + ["validation"] * 16
plain = {"precision": "float32", "augmentation": "none"}
config = Config(width=4, blocks=(1,), input_size=16, epochs=2, batch_size=16, **plain)
found = {}
for name, devices in {"one": nullcontext(1), "all": on_all_devices()}.items():
    with devices as used, tempfile.TemporaryDirectory() as folder:
        network, history = fit(dataset, images, config, Path(folder))
        found[name] = {"used": used, "loss": [row["loss"] for row in history],
                       "val_loss": [row["val_loss"] for row in history],
                       "spread": len(network.weights[0].value.sharding.device_set)}
json.dump(found, sys.stdout)
"""


@pytest.mark.extras
def test_two_devices_have_the_loss_of_one():
    pytest.importorskip("jax")
    settings = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | settings | {"JAX_PLATFORMS": "cpu"},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["one"]["used"], found["all"]["used"], found["all"]["spread"]) == (1, 2, 2)
    for name in ("loss", "val_loss"):
        assert found["all"][name] == pytest.approx(found["one"][name], rel=1e-4)


def test_without_several_devices_nothing_changes():
    with on_all_devices() as used:
        assert used == 1
