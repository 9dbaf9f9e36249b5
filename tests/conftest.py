"""Drawn images, and a network whose predictions are known; emoji20 is not needed."""

import io
import multiprocessing
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "START_METHOD" in os.environ:  # make test-extras: how processes start on macOS and Windows
    from joblib.externals.loky.backend import context

    multiprocessing.set_start_method(os.environ["START_METHOD"])
    context.set_start_method(os.environ["START_METHOD"])  # of joblib's workers, too

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from threadpoolctl import threadpool_limits

from illus.hashing import ROOT
from illus.learn.settings import Config

COLOURS = {"L2_2": (220, 30, 30), "L2_10": (30, 200, 30), "L2_33": (30, 30, 220)}  # in class order

TINY = Config(  # a network that learns such drawings in seconds
    width=4,
    blocks=(1, 1),
    input_size=16,
    epochs=3,
    batch_size=8,
    dropout=0.0,
    learning_rate=0.02,
    ema_momentum=0.5,
    label_smoothing=0.0,
    precision="float32",
)


def draw(colour, seed=0, side=40):
    """A shape of one colour on white; its outline depends on the seed, so that no two are duplicates."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), "white")
    angles, radii = np.linspace(0, 2 * np.pi, 9)[:-1], rng.uniform(0.12, 0.45, 8) * side
    corners = np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None] + side / 2
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners], fill=colour)
    return image


def encoded(image, format="PNG", **settings):
    buffer = io.BytesIO()
    image.save(buffer, format, **settings)
    return buffer.getvalue()


def write_class_folders(folder, colours=COLOURS, n=6, first_seed=0):
    for number, (class_name, colour) in enumerate(colours.items()):
        (folder / class_name).mkdir(parents=True)
        for i in range(n):
            draw(colour, first_seed + 1000 * number + i).save(folder / class_name / f"{i}.png")
    return folder


def write_files(folder, files):
    """Write files by their names below a folder, each an image or bytes; the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else encoded(content))
    return folder


def files_below(folder):
    """Path to bytes of every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def snapshot(folder):
    """What is below a folder: times, and the bytes of files."""
    return {p: (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in folder.rglob("*")}


def run_python(*arguments, **settings):
    """A process of this Python that has ended, by default in the root of the repository."""
    settings = {"cwd": ROOT, "capture_output": True, "text": True} | settings
    return subprocess.run([sys.executable, *arguments], **settings)


def no_photos(catalog, *_, **__):
    """The table of photos where there are none; to look for them trains a network."""
    files = catalog[catalog.error == ""]
    return pd.DataFrame({"path": files.path, "score": 0.0, "cluster": -1, "is_photo": False})


@pytest.fixture
def in_threads():
    """Processes are slow for a dozen images, and nested threads on a busy machine."""
    with joblib.parallel_config(backend="threading"), threadpool_limits(1):
        yield


@pytest.fixture
def empty_place(tmp_path, monkeypatch):
    """An empty current folder, with no data set named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", "")
    return tmp_path


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    return Figure().subplots()


@pytest.fixture
def class_folder_tree(tmp_path):
    """Three classes of six images."""
    return write_class_folders(tmp_path / "images")


@pytest.fixture(scope="session")
def colour_weights(tmp_path_factory):
    """Weights of a network that is right by construction: it predicts the strongest mean colour."""
    path = tmp_path_factory.mktemp("weights") / "colour.h5"
    save_colour_network(path)
    return path


def build(input_size, n_classes, block="residual", **changes):
    """An untrained network, as training builds it; also one without blocks."""
    import evaluate

    settings = {name: getattr(Config, name) for name in evaluate.SETTINGS}
    sizes = {"input_size": input_size, "n_classes": n_classes, "block": block}
    settings |= sizes | changes
    return evaluate.build_network(settings | {"blocks": list(settings["blocks"])})


def colour_network(class_names=tuple(COLOURS)):
    """A network without blocks that predicts the colour of which there is the least ink of its opposite."""
    model = build(16, len(class_names), width=3, blocks=(), normalisation="ink", dropout=0.0)
    kernel = np.zeros((3, 3, 3, 3))
    kernel[1, 1] = np.eye(3)
    model.get_layer("stem").set_weights([kernel])
    model.get_layer("score").set_weights([-50 * np.eye(3, len(class_names)), np.zeros(len(class_names))])
    return model


def save_colour_network(path, class_names=tuple(COLOURS), model=None):
    from evaluate import Description
    from illus.learn.export import save_classifier

    description = Description(list(class_names), 16, "pad", {"note": "by construction"})
    save_classifier(model or colour_network(class_names), description, path)
