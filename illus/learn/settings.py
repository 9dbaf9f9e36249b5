"""The settings of a run, its record, and its id. Imports no Keras.

In: a :class:`Config` and the table of a data set. Out: ids, hashes, and the row of a record.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from illus.hashing import code_of, digest

# The code that decides a result: modules of illus/learn/, and functions of evaluate.py that read an image.
DECIDING_MODULES = ("augmentation", "batches", "compiling", "networks", "optimizers", "training")

Changes = dict[str, Any]  # fields of Config to new values: Any, because each field has a type of its own
Scalar = str | int | float | None  # what a cell of a table holds, and a value in JSON


@dataclass(frozen=True)
class Config:
    """Every setting of a run. Two runs with equal settings and equal data are the same run.

    Defaults are frozen, because ids of recorded runs are made of the settings that differ from them
    (:func:`run_id`). Better values belong in :mod:`illus.learn.plan`. A new setting gets a default that
    leaves training as it was.
    """

    block: str = "residual"  # a key of networks.BLOCKS
    width: int = 24  # channels of the first stage
    blocks: tuple[int, ...] = (1, 1, 2, 2)  # blocks in each stage
    stem_stride: int = 1  # stride of the first convolution
    pooling: str = "average"  # a key of networks.POOLINGS
    dropout: float = 0.2
    input_size: int = 48  # px
    fit: str = "pad"  # how an image becomes square, see evaluate.fit_image
    channels: str = "rgb"  # what the network sees, a key of networks.CHANNELS
    normalisation: str = "scale"  # a key of networks.NORMALISATIONS
    augmentation: str = "affine+colour"  # a key of augmentation.AUGMENTATIONS
    mixing: str = "none"  # of two images: none, mixup, cutmix, or either of them; see batches.mix
    mixing_share: float = 1.0  # of the batches, in which images are mixed
    sampling_power: float = 0.5  # a class is drawn in proportion to its number of images to this power
    class_weighting: float = 0.0  # its weight in the loss is the number of its images to minus this power
    logit_adjustment: float = 0.0  # power of the classes' shares of the drawn images, the prior in the loss
    loss: str = "crossentropy"  # a key of optimizers.LOSSES
    label_smoothing: float = 0.1
    epochs: int = 24
    steps_per_epoch: int | None = None  # None: as many as show every training image once on average
    batch_size: int = 128
    optimizer: str = "adamw"  # a key of optimizers.OPTIMIZERS
    learning_rate: float = 2e-3  # peak; linear warm-up over one epoch
    schedule: str = "cosine"  # after the warm-up: to 0 by a cosine, or constant
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # upper limit, for the exported moving average of weights; 0: no average
    precision: str = "mixed_bfloat16"  # Keras dtype policy while training; exported as float32
    teachers: tuple[str, ...] = ()  # ids of runs of which the network learns the mean probabilities
    teaching: float = 1.0  # share of the teachers in the loss; the rest is the labels'
    seed: int = 0


@dataclass(frozen=True)
class Record:
    """The result of a run, one row of experiments.csv."""

    run_id: str
    code: str  # hash of the code that trained it (code_hash); empty for runs older than this column
    question: str
    config: Config
    data_hash: str
    backend: str
    device: str
    epochs: int
    seconds: float  # of training alone; of an interrupted run, all its parts together
    parameters: int
    multiply_adds: int  # of one image
    val_macro_f1: float
    val_micro_f1: float
    val_class_f1: str  # of each class of the validation part, in class order, separated by spaces
    weights: Path = field(compare=False)  # float32 Keras model, HDF5
    error: str = ""  # why there are no scores; empty if there are


def data_hash(dataset: pd.DataFrame) -> str:
    """A hash that changes when an image, a label, a part or the order of the data set changes.

    ``dataset`` has the columns of dataset.csv; 12 hexadecimal digits.
    """
    columns = ["path", "class_name", "split", "copies", "sha256"]
    return digest(dataset[columns].to_csv(index=False))


def run_id(config: Config, data: str) -> str:
    """The id of a run: a hash of its settings and its data, 12 hexadecimal digits.

    Only settings that differ from their defaults are part of it, by name, so that a new setting in
    :class:`Config` changes no recorded id.

    Parameters
    ----------
    config : Config
    data : str
        From :func:`data_hash`.
    """
    defaults = {setting.name: setting.default for setting in fields(config)}
    changed = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return digest(json.dumps([changed, data], sort_keys=True))


def code_hash() -> str:
    """A hash that changes with the code that decides a run's result: :func:`code_of` its modules."""
    return code_of(Path(__file__).with_name(f"{name}.py") for name in DECIDING_MODULES)


def summary(record: Record) -> dict[str, Scalar]:
    """A record as a flat dict that JSON can hold, each setting of its configuration under its own name."""
    flat = {**asdict(record), **asdict(record.config)}
    flat["blocks"] = "-".join(map(str, record.config.blocks))
    flat["teachers"] = " ".join(record.config.teachers)
    return {key: value for key, value in flat.items() if key not in ("config", "weights")}


def config_of(row: Mapping[str, str]) -> Config:
    """The configuration of a row of experiments.csv that was read as text; other columns are ignored.

    Settings that the row lacks, because they are newer than it, have their defaults.
    """
    values: Changes = {}
    for setting in fields(Config):
        default = getattr(Config, setting.name)
        text = row.get(setting.name, "")
        if setting.name == "blocks":
            values[setting.name] = tuple(int(count) for count in text.split("-"))
        elif setting.name == "teachers":
            values[setting.name] = tuple(text.split())
        elif default is None:
            values[setting.name] = int(float(text)) if text else None
        elif text:
            values[setting.name] = type(default)(text)
    return Config(**values)
