"""Records of finished runs -> a weights file and its card, a JSON file with settings and scores.

In: records whose networks are averaged, and test folders. Out: ``best.h5`` and ``best.json``.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd

from evaluate import (
    Description,
    Result,
    atomic_write,
    evaluate,
    load_classifier,
    read_description,
    read_weights_file,
    score,
)
from illus.learn.batches import load_arrays
from illus.learn.networks import average, multiply_adds
from illus.learn.settings import Record, Scalar, summary

PREDICTION_BATCH = 256  # images
OF_ONE_RUN = ("run_id", "question", "seed", "val_class_f1", "error")  # columns that say nothing of an average


def install(
    records: Sequence[Record], dataset: pd.DataFrame, folder: str | Path, work: Path, weights: Path
) -> Description:
    """Write the network of a record, or the average of several, unless the file has it already.

    Parameters
    ----------
    records : sequence of illus.learn.settings.Record
        Runs of one configuration, one seed each.
    dataset, folder, work
        As for :func:`illus.learn.training.train`.
    weights : Path
        HDF5 file to write.

    Returns
    -------
    evaluate.Description
        What is in the file; ``training`` has the settings, the ``run_ids``, and scores on validation.
    """
    run_ids = [record.run_id for record in records]
    if installed_runs(weights) == run_ids:
        return read_description(weights)
    models = [load_classifier(record.weights)[0] for record in records]
    model = models[0] if len(models) == 1 else average(models)
    config = records[0].config
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    rows = (dataset.split == "validation").to_numpy()
    names = dataset.groupby("class_id").class_name.first().tolist()
    predicted = model.predict(images[rows], PREDICTION_BATCH, verbose=0).argmax(1)
    result = score(dataset.class_id.to_numpy()[rows], predicted, names)
    shared = {key: value for key, value in summary(records[0]).items() if key not in OF_ONE_RUN}
    training: dict[str, Scalar | list[str] | list[int]] = shared | {
        "run_ids": run_ids,
        "seeds": [record.config.seed for record in records],
        "seconds": round(sum(record.seconds for record in records), 1),
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "val_macro_f1": round(result["macro_f1"], 5),
        "val_micro_f1": round(result["micro_f1"], 5),
    }
    description = Description(names, config.input_size, config.fit, training)
    save_classifier(model, description, weights)
    return description


def installed_runs(weights: Path) -> list[str]:
    """Ids of the runs that a weights file was made from; empty if there is no file."""
    return read_description(weights).training.get("run_ids", []) if weights.exists() else []


def score_all(
    weights: Path, test_folders: Sequence[Path], progress: bool = False
) -> dict[str, tuple[Result, list[dict[str, str]]]]:
    """Score test folders and write the card, the JSON file of the same name beside the weights.

    Parameters
    ----------
    weights : Path
    test_folders : sequence of Path
        Their names are the keys of ``scores`` in the card.
    progress : bool, default False
        Show a progress bar, see :func:`evaluate.evaluate`.

    Returns
    -------
    dict of str to (evaluate.Result, list of dict)
        Name of a folder to result and rows, see :func:`evaluate.evaluate`.
    """
    scored = {folder.name: evaluate(folder, weights, progress=progress) for folder in test_folders}
    card = {
        "training": read_description(weights).training,
        "scores": {name: result for name, (result, _, _) in scored.items()},
    }
    with atomic_write(weights.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: (result, rows) for name, (result, rows, _) in scored.items()}


def save_classifier(model: keras.Model, description: Description, path: str | Path) -> None:
    """Write a complete Keras model to HDF5 with its description, and check it by reading back.

    Parameters
    ----------
    model : keras.Model
        Of built-in layers only, from uint8 RGB images to class probabilities.
    description : evaluate.Description
        Stored as JSON in the HDF5 attribute ``classifier``.
    path : str or Path
        Its folder is created if missing; an old file stays until the new one is complete.

    Raises
    ------
    RuntimeError
        The description in the file is not the one that was given.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        with _without_legacy_notice():
            model.save(partial, include_optimizer=False)
        with h5py.File(partial, "a") as file:
            file.attrs["classifier"] = json.dumps(asdict(description), ensure_ascii=False)
            file.visititems(_fix_lengths)
        if read_weights_file(partial)[0] != description:
            raise RuntimeError(f"{path}: the description that was written cannot be read back")


def _fix_lengths(name: str, node: h5py.Group | h5py.Dataset) -> None:
    """Store lists of names as strings of fixed length: variable ones are pointers, unsafe to read."""
    for key, value in node.attrs.items():
        if np.ndim(value) and value.dtype == object:
            node.attrs[key] = np.char.encode(value.astype(str), "utf-8")


@contextmanager
def _without_legacy_notice() -> Iterator[None]:
    """Without Keras's warning against HDF5, which it gives on every save; the challenge asks for HDF5."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
