"""Records of finished runs -> a weights file and its card.

In: records whose networks are averaged, and test folders. Out: ``best.h5`` and ``best.json``.
"""

import json
import logging
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from evaluate import Description, evaluate, load_classifier, read_description, read_weights_file, score
from illus.learn.batches import load_arrays
from illus.learn.networks import average, multiply_adds
from illus.learn.settings import summary
from illus.parallel import atomic_write


def install(records, dataset, folder, work, weights):
    """Write the network of a record, or the average of several, unless it is there already.

    Parameters
    ----------
    records : list of illus.learn.training.Record
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
    labels = dataset.class_id.to_numpy()[rows]
    result = score(labels, model.predict(images[rows], 256, verbose=0).argmax(1), names)
    once = {
        key: value
        for key, value in summary(records[0]).items()
        if key not in ("run_id", "question", "seed", "val_class_f1", "error")
    }
    training = once | {
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


def installed_runs(weights):
    """The runs that a weights file comes from; empty where there is none."""
    return read_description(weights).training.get("run_ids", []) if weights.exists() else []


def score_all(weights, test_folders, **options):
    """Score test folders and write the card, the JSON file of the same name beside the weights.

    Parameters
    ----------
    weights : Path
    test_folders : list of Path
        Their names are the keys of ``scores`` in the card.
    **options
        For :func:`evaluate.evaluate`.

    Returns
    -------
    dict of str to (dict, list of dict)
        Name of a folder to result and rows, as :func:`evaluate.evaluate` gives them.
    """
    scored = {folder.name: evaluate(folder, weights, **options) for folder in test_folders}
    card = {
        "training": read_description(weights).training,
        "scores": {name: result for name, (result, _, _) in scored.items()},
    }
    with atomic_write(weights.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: (result, rows) for name, (result, rows, _) in scored.items()}


def save_classifier(model, description, path):
    """Write a complete Keras model to HDF5 with its description, checked by reading back.

    Parameters
    ----------
    model : keras.Model
        Built-in layers only, uint8 RGB in, class probabilities out.
    description : evaluate.Description
        Goes into the HDF5 attribute ``classifier`` after the model is saved.
    path : Path
        Replaced only when the new file is whole.
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
            raise RuntimeError(f"{path} would not give back the description written to it")


def _fix_lengths(name, found):
    """Store lists of names as texts of one length, which can be read without trusting the file."""
    for key, value in found.attrs.items():
        if np.ndim(value) and value.dtype == object:
            found.attrs[key] = np.char.encode(value.astype(str), "utf-8")


@contextmanager
def _without_legacy_notice():
    """Keras advises against HDF5 on every save; the challenge asks for it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
