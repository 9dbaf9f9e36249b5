"""Records of finished runs -> a weights file and its card, a JSON file with settings and scores.

In: records whose networks are averaged, and test folders. Out: ``best.h5`` and ``best.json``.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

import evaluate
from evaluate import Description, Result, read_description
from illus.learn.batches import load_arrays
from illus.learn.heads import PREDICTION_BATCH, fit_temperature, with_temperature
from illus.learn.networks import average, multiply_adds, without_sizes
from illus.learn.settings import Record, Scalar, summary

OF_ONE_RUN = ("run_id", "question", "seed", "val_class_f1")  # columns that say nothing of an average


@dataclass(frozen=True)
class ExportOptions:
    """What is changed in the trained networks for the export; by default nothing."""

    temperature: bool = False  # calibrate on validation, see heads.fit_temperature
    mirror: bool = False  # the mean for an image and its mirror image, see networks.average

    def changes(self) -> dict[str, Any]:
        """The options that are not at their defaults, as JSON holds them."""
        return {name: value for name, value in asdict(self).items() if value}


def install(
    records: Sequence[Record],
    dataset: pd.DataFrame,
    folder: str | Path,
    work: Path,
    weights: Path,
    options: ExportOptions | None = None,
    data_name: str = "",
    judges: Sequence[Record] = (),
) -> Description:
    """Write the network of a record, or the average of several, unless the file has it already.

    ``records`` are of runs with one data set, input size and fit, else ValueError; ``dataset``, ``folder``
    and ``work`` are as for :func:`illus.learn.training.train`. Networks that were trained on the validation
    part too cannot be judged on it: ``judges``, by default ``records``, are those of the same settings that
    were not, and stand for them in scores and calibration. ``data_name`` is what evaluate.py shall call the
    data, for example emoji20.

    What is in the file is returned. ``training`` has the settings (of unlike runs, a list of each), the
    ``run_ids``, scores on validation (``val_steps``: macro F1 of each network, their average, that with
    mirror images), and where they are used ``judges``, their ids, ``export``, the options, and
    ``calibration``, see :class:`illus.learn.heads.Calibration`.
    """
    options = options or ExportOptions()
    run_ids = [record.run_id for record in records]
    if installed_runs(weights, options) == run_ids:
        return read_description(weights)
    if len({(r.data_hash, r.config.input_size, r.config.fit) for r in records}) > 1:
        raise ValueError("runs of unlike data, input size or fit have no average")
    judges, config = judges or records, records[0].config
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    labels, part = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    rows = part == "validation"
    networks = [evaluate.load_classifier(record.weights)[0] for record in judges]
    temperature, found = _calibrate(networks, images[rows], labels[rows], options)
    judged = _assemble(networks, temperature, options.mirror)
    names = dataset.groupby("class_id").class_name.first().tolist()
    predicted = judged.predict(images[rows], PREDICTION_BATCH, verbose=0).argmax(1)
    result = evaluate.score(labels[rows], predicted, names)
    model = judged
    if list(judges) != list(records):
        exported = [evaluate.load_classifier(record.weights)[0] for record in records]
        model = _assemble(exported, temperature, options.mirror)
        found["judges"] = [record.run_id for record in judges]
    training: dict[str, Any] = _summary_of_all(records) | {
        "run_ids": run_ids,
        "seeds": [record.config.seed for record in records],
        "seconds": round(sum(record.seconds for record in records), 1),
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "val_macro_f1": round(result["macro_f1"], 5),
        "val_micro_f1": round(result["micro_f1"], 5),
        "val_steps": _steps(networks, images[rows], labels[rows]),
    }
    training |= {"data_name": data_name} if data_name else {}
    description = Description(names, config.input_size, config.fit, training | found)
    return save_classifier(model, description, weights)


def _steps(networks: list[keras.Model], images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Macro F1 of each network, of their average, and of that with mirror images."""
    straight, mirrored = (
        [network.predict(view, PREDICTION_BATCH, verbose=0) for network in networks]
        for view in (images, images[:, :, ::-1])
    )
    means = {f"network {number}": p for number, p in enumerate(straight, 1)}
    means |= {"average": np.mean(straight, 0), "average, mirror images too": np.mean(straight + mirrored, 0)}
    ids = np.unique(labels)
    return {
        name: round(float(f1_score(labels, p.argmax(1), average="macro", labels=ids)), 5)
        for name, p in means.items()
    }


def _calibrate(
    networks: list[keras.Model], images: np.ndarray, labels: np.ndarray, options: ExportOptions
) -> tuple[float | None, dict[str, Any]]:
    """The temperature of an average, if one is wanted, and what its description says of the options."""
    found: dict[str, Any] = {"export": options.changes()} if options.changes() else {}
    if not options.temperature:
        return None, found
    fitted = fit_temperature(networks, images, labels, options.mirror)
    found["calibration"] = {name: round(value, 5) for name, value in asdict(fitted).items()}
    return fitted.temperature, found


def _assemble(members: list[keras.Model], temperature: float | None, mirror: bool) -> keras.Model:
    """The average of networks, or the only one."""
    if temperature is not None:
        members = [with_temperature(member, temperature) for member in members]
    return average(members, mirror) if mirror or len(members) > 1 else members[0]


def _summary_of_all(records: Sequence[Record]) -> dict[str, Scalar | list[Scalar]]:
    """What the records say of their runs; where they differ, a list with one value for each."""
    each = [summary(record) for record in records]
    merged = {key: [row[key] for row in each] for key in each[0] if key not in OF_ONE_RUN}
    return {key: values[0] if len(set(values)) == 1 else values for key, values in merged.items()}


def installed_runs(weights: Path, options: ExportOptions | None = None) -> list[str]:
    """Ids of the runs that a weights file was made from; empty if there is none, or one of other options."""
    if not weights.exists():
        return []
    training = read_description(weights).training
    wanted = (options or ExportOptions()).changes()
    return training.get("run_ids", []) if training.get("export", {}) == wanted else []


def score_all(weights: Path, test_folders: Sequence[Path]) -> dict[str, tuple[Result, list[dict[str, str]]]]:
    """Score test folders and write the card, the JSON file of the same name beside the weights.

    Name of a folder, which is its key in the card, to result and rows, see :func:`evaluate.evaluate`.
    """
    scored = {folder.name: evaluate.evaluate(folder, weights) for folder in test_folders}
    card = {
        "training": read_description(weights).training,
        "scores": {name: result for name, (result, _, _) in scored.items()},
    }
    with evaluate.atomic_write(weights.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return {name: (result, rows) for name, (result, rows, _) in scored.items()}


def check_class_names(class_names: Iterable[str]) -> None:
    """ValueError if a weights file could not hold the name of a class; call it before training."""
    for name in class_names:
        if not name.isprintable():  # as evaluate.Description asks
            hidden = ", ".join(sorted({f"U+{ord(c):04X}" for c in name if not c.isprintable()}))
            raise ValueError(f"the class name {name!r} has a character that is not shown ({hidden})")


def save_classifier(model: keras.Model, description: Description, path: str | Path) -> Description:
    """Write a float32 network to HDF5 with its description, which is returned as it is read back.

    The description is JSON in the HDF5 attribute ``classifier``, with the settings of ``model``. The
    folder of ``path`` is made if it is missing; an old file stays until the new one is complete.
    RuntimeError if what is in the file is not what was given.
    """
    path = Path(path)
    description = replace(description, network=without_sizes(model.settings))
    path.parent.mkdir(parents=True, exist_ok=True)
    with evaluate.atomic_write(path) as partial:
        logging.getLogger("absl").setLevel(logging.ERROR)  # a warning against HDF5, which is asked for
        saved = partial.with_name(f"{partial.stem}.keras{partial.suffix}")
        try:
            model.save(saved, include_optimizer=False)
            # this version of the format is smaller, and is read while another program has the file open
            with h5py.File(saved) as old, h5py.File(partial, "w", libver="v108") as file:
                for name in old:
                    old.copy(name, file)
                file.attrs.update(old.attrs)
                file.attrs["classifier"] = json.dumps(asdict(description), ensure_ascii=False)
        finally:
            saved.unlink(missing_ok=True)
        found, arrays = evaluate.inspect_weights(partial)
        if found.settings != model.settings or arrays.keys() != evaluate.named_weights(model).keys():
            raise RuntimeError(f"{path}: what was written cannot be read back")
    return found
