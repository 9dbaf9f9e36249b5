"""Records of finished runs -> a weights file and its card.

In: records whose networks are averaged, and test folders. Out: ``best.h5`` and ``best.json``.
"""

import json
import os

from evaluate import Description, evaluate, load_classifier, read_description, score
from illus.networks import average, multiply_adds
from illus.training import load_arrays, save_classifier, summary


def install(records, dataset, folder, work, weights):
    """Write the network of a record, or the average of several, unless it is there already.

    Parameters
    ----------
    records : list of illus.training.Record
        Runs of one configuration, one seed each.
    dataset, folder, work
        As for :func:`illus.training.train`.
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
    once = {key: value for key, value in summary(records[0]).items()
            if key not in ("run_id", "question", "seed", "val_class_f1", "error")}
    training = once | {
        "run_ids": run_ids, "seeds": [record.config.seed for record in records],
        "seconds": round(sum(record.seconds for record in records), 1),
        "parameters": model.count_params(), "multiply_adds": multiply_adds(model),
        "val_macro_f1": round(result["macro_f1"], 5), "val_micro_f1": round(result["micro_f1"], 5)}
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
    card = {"training": read_description(weights).training,
            "scores": {name: result for name, (result, _, _) in scored.items()}}
    partial = weights.with_suffix(".partial")
    partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, weights.with_suffix(".json"))
    return {name: (result, rows) for name, (result, rows, _) in scored.items()}
