"""The settings of a run, its record, and its id. Imports no Keras.

In: a :class:`Config` and the table of a data set. Out: ids, hashes, and the row of a record.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from evaluate import BLOCKS, CHANNELS, FITS, NORMALISATIONS
from illus.hashing import NETWORK, READER, code_of, digest

# The code that decides a result: modules of illus/learn/, and functions of evaluate.py that read an image.
DECIDING_MODULES = ("augmentation", "batches", "compiling", "optimizers", "training")

Changes = dict[str, Any]  # fields of Config to new values: Any, because each field has a type of its own
Scalar = str | int | float | None  # what a cell of a table holds, and a value in JSON

CHOICES: dict[str, tuple[str, ...]] = {  # of settings that are names
    "block": BLOCKS,
    "fit": FITS,
    "channels": CHANNELS,
    "normalisation": NORMALISATIONS,
    "augmentation": ("none", "flip", "mild", "strong"),
    "mixing": ("none", "mixup", "cutmix", "either"),
    "optimizer": ("adamw", "sgd", "muon"),
    "precision": ("mixed_bfloat16", "float32"),
}
LIMITS: dict[str, tuple[float, float]] = {  # of settings that are numbers, ends included
    "width": (1, 4096),
    "stem_stride": (1, 4),
    "dropout": (0, 0.99),
    "input_size": (8, 1024),
    "mixing_share": (0, 1),
    "label_smoothing": (0, 0.99),
    "epochs": (1, math.inf),
    "steps_per_epoch": (1, math.inf),
    "batch_size": (1, math.inf),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "ema_momentum": (0, 0.99999),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True)
class Config:
    """Every setting of a run, checked; two runs with equal settings and equal data are the same run.

    How often each image is shown is not among them: it is in the data set (``copies``). Defaults are frozen,
    because ids of recorded runs are made of the settings that differ from them (:func:`run_id`): better
    values belong in :mod:`illus.learn.plan`, and a new setting gets a default that leaves training as it was.
    ValueError if a value is not one of ``CHOICES``, beyond ``LIMITS``, or of another type than the default.
    """

    block: str = "residual"
    width: int = 24  # channels of the first stage
    blocks: tuple[int, ...] = (1, 1, 2, 2)  # blocks in each stage
    stem_stride: int = 1  # stride of the first convolution
    dropout: float = 0.2
    input_size: int = 48  # px
    fit: str = "pad"  # how an image becomes square, see evaluate.fit_image
    channels: str = "rgb"  # what the network sees
    normalisation: str = "scale"
    augmentation: str = "mild"  # a key of augmentation.AUGMENTATIONS
    mixing: str = "none"  # of two images: none, mixup, cutmix, or either of them; see batches.mix
    mixing_share: float = 1.0  # of the batches, in which images are mixed
    label_smoothing: float = 0.1
    epochs: int = 24
    steps_per_epoch: int | None = None  # None: as many as show every training image once on average
    batch_size: int = 128
    optimizer: str = "adamw"  # a key of optimizers.OPTIMIZERS
    learning_rate: float = 2e-3  # peak: a linear warm-up over one epoch, then a cosine to 0
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # upper limit, for the exported moving average of weights; 0: no average
    precision: str = "mixed_bfloat16"  # Keras dtype policy while training; exported as float32
    teachers: tuple[str, ...] = ()  # ids of runs whose mean probabilities the network learns, not the labels
    seed: int = 0

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check(setting.name, getattr(self, setting.name), setting.default)


def _check(name: str, value: Any, default: Any) -> None:
    """ValueError if a setting cannot have a value."""
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(CHOICES[name])}")
    if name in LIMITS and not (value is None and default is None):
        whole, (low, high) = not isinstance(default, float), LIMITS[name]
        kind = "a whole number" if whole else "a number"
        fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            raise ValueError(f"{name}={value!r}: it must be {kind} from {low:g} to {high:g}")
    if name == "blocks" and not (_is_tuple_of(value, int) and value and min(value) > 0):
        raise ValueError(f"blocks={value!r}: it must be a tuple of whole numbers above 0, one a stage")
    if name == "teachers" and not _is_tuple_of(value, str):
        raise ValueError(f"teachers={value!r}: it must be a tuple of ids of runs")


def _is_tuple_of(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(type(item) is kind for item in value)


@dataclass(frozen=True)
class Record:
    """The result of a finished run: its record.json, and a row of experiments.csv."""

    run_id: str
    code: str  # hash of the code that trained it, see code_hash
    question: str
    config: Config
    data_hash: str
    backend: str
    device: str
    epochs: int
    seconds: float  # of training alone; of an interrupted run, all its parts together
    parameters: int
    multiply_adds: int  # of one image
    weights: Path = field(compare=False)  # float32 Keras model, HDF5
    val_macro_f1: float | None = None  # None: it was trained without a validation part
    val_micro_f1: float | None = None
    val_class_f1: str = ""  # of each class of the validation part, in class order, separated by spaces


def data_hash(dataset: pd.DataFrame) -> str:
    """A hash that changes when an image, a label, a part or the order of dataset.csv changes; 12 digits."""
    columns = ["path", "class_name", "split", "copies", "sha256"]
    return digest(dataset[columns].to_csv(index=False))


def run_id(config: Config, data: str) -> str:
    """The id of a run: a hash of its settings and its data (:func:`data_hash`), 12 hexadecimal digits.

    Only settings that differ from their defaults are part of it, by name, so that a new setting in
    :class:`Config` changes no recorded id.
    """
    defaults = {setting.name: setting.default for setting in fields(config)}
    changed = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return digest(json.dumps([changed, data], sort_keys=True))


def code_hash() -> str:
    """A hash that changes with the code that decides a run's result: :func:`code_of` its modules."""
    modules = (Path(__file__).with_name(f"{name}.py") for name in DECIDING_MODULES)
    return code_of(modules, READER + NETWORK)


def summary(record: Record) -> dict[str, Scalar]:
    """A record as a flat dict that JSON can hold, each setting of its configuration under its own name."""
    flat = {**asdict(record), **asdict(record.config)}
    flat["blocks"] = "-".join(map(str, record.config.blocks))
    flat["teachers"] = " ".join(record.config.teachers)
    return {key: value for key, value in flat.items() if key not in ("config", "weights")}
