"""The settings of a run, its record, and the id that names it. Imports no Keras.

In: a :class:`Config` and a data set's table. Out: ids, hashes, and the row that a record becomes.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

import evaluate

HASH_DIGITS = 12
# What decides a result: these modules of illus/learn/, and the functions of evaluate.py that read an image.
DECIDING_MODULES = ("augmentation", "batches", "networks", "optimizers", "training")
READER = ("open_image", "to_rgb", "_upright", "_gray_of_8_bits", "decode_image", "read_file", "fit_image")


@dataclass(frozen=True)
class Config:
    """Every setting of a run. Two runs with equal settings and equal data are the same run.

    Defaults are frozen, because ids of recorded runs are made of what differs from them (:func:`run_id`):
    a better value goes into :mod:`illus.learn.plan`. A new setting gets the default that leaves training
    as it was.
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
    mixing: str = "none"  # of two images: none, mixup or cutmix
    sampling_power: float = 0.5  # a class is drawn in proportion to its images to this power
    class_weighting: float = 0.0  # a class counts in the loss by one over its images to this power
    logit_adjustment: float = 0.0  # power of a class's share of the drawn images in the loss's prior
    loss: str = "crossentropy"  # a key of optimizers.LOSSES
    label_smoothing: float = 0.1
    epochs: int = 24
    steps_per_epoch: int | None = None  # None: as many as show every training image once on average
    batch_size: int = 128
    optimizer: str = "adamw"  # a key of optimizers.OPTIMIZERS
    learning_rate: float = 2e-3  # peak; linear warm-up over one epoch
    schedule: str = "cosine"  # after the warm-up: to 0 by a cosine, or constant
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # of the exported average of weights; lower where a run is short; 0: none
    precision: str = "mixed_bfloat16"  # Keras dtype policy while training; exported as float32
    seed: int = 0


@dataclass(frozen=True)
class Record:
    """What is kept of a run, one row of experiments.csv."""

    run_id: str
    code: str  # hash of the code that trained it; empty for runs older than this column
    question: str
    config: Config
    data_hash: str
    backend: str
    device: str
    epochs: int
    seconds: float  # training alone, all parts of an interrupted run together
    parameters: int
    multiply_adds: int  # of one image
    val_macro_f1: float
    val_micro_f1: float
    val_class_f1: str  # of each class of the validation part, in class order, separated by spaces
    weights: Path = field(compare=False)  # float32 Keras model, HDF5
    error: str = ""  # why there are no scores


def data_hash(dataset: pd.DataFrame) -> str:
    """12 hex digits that change when an image, a label or a part of the data set changes."""
    columns = ["path", "class_name", "split", "copies", "sha256"]
    return _digest(dataset[columns].to_csv(index=False))


def run_id(config: Config, data: str) -> str:
    """12 hex digits that name the run of a configuration on data.

    Made of the settings that differ from their defaults, by name, so that adding a setting to
    :class:`Config` renames no recorded run.

    Parameters
    ----------
    config : Config
        Any dataclass whose fields all have defaults.
    data : str
        From :func:`data_hash`.
    """
    defaults = {setting.name: setting.default for setting in fields(config)}
    changed = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return _digest(json.dumps([changed, data], sort_keys=True))


def code_hash() -> str:
    """12 hex digits that change when code changes that decides a run's result; not with its comments.

    Of the syntax trees, without docstrings, of ``DECIDING_MODULES`` and of ``READER`` in evaluate.py.
    """
    trees = [
        ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8")) for name in DECIDING_MODULES
    ]
    reader = ast.parse(Path(evaluate.__file__).read_text("utf-8"))
    reader.body = [node for node in reader.body if getattr(node, "name", None) in READER]
    return _digest("\n".join(code_without_docstrings(tree) for tree in [*trees, reader]))


def code_without_docstrings(tree: ast.Module) -> str:
    """The code of a syntax tree, in one way of writing it; docstrings left out."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def summary(record: Record) -> dict[str, Any]:
    """The record as a flat, JSON-ready dict: the settings of its configuration spread out."""
    flat = {**asdict(record), **asdict(record.config)}
    flat["blocks"] = "-".join(map(str, record.config.blocks))
    return {key: value for key, value in flat.items() if key not in ("config", "weights")}


def config_of(row: Mapping[str, str]) -> Config:
    """The configuration that a row of experiments.csv, read as text, tells of; other columns are ignored."""
    values = {}
    for setting in fields(Config):
        text, kind = row[setting.name], type(setting.default)
        if setting.name == "blocks":
            values[setting.name] = tuple(int(count) for count in text.split("-"))
        elif setting.default is None:
            values[setting.name] = int(float(text)) if text else None
        else:
            values[setting.name] = kind(text)
    return Config(**values)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
