"""One configuration -> one training run -> one record.

In: dataset.csv, the class folders and a :class:`illus.learn.settings.Config`. Out: a record and the trained
network. A run that was stopped resumes after its last finished epoch.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops
from tqdm import tqdm

import evaluate
from evaluate import Description, atomic_write, load_classifier, score
from illus.learn.batches import TrainingBatches, load_arrays, to_tf_dataset
from illus.learn.compiling import (
    compile_for_training,
    device_name,
    dtype_policy,
    recalibrate,
    reseed,
    with_fused_batch_norm,
)
from illus.learn.export import save_classifier
from illus.learn.networks import multiply_adds
from illus.learn.settings import Config, Record, code_hash, data_hash, run_id, summary

PREDICTION_BATCH = 256  # images; larger than in training, because nothing is kept for gradients


class Checkpoint(keras.callbacks.Callback):
    """Stores the weights and the history of a run after every epoch, and shows progress on a terminal."""

    def __init__(self, folder: Path, config: Config, batches: TrainingBatches, network: keras.Model) -> None:
        super().__init__()
        self.folder, self.config, self.batches, self.network = folder, config, batches, network
        self.state = folder / "state.json"
        self.history: list[dict[str, float]] = (
            json.loads(self.state.read_text()) if self.state.exists() else []
        )

    def weights_path(self) -> Path:
        return self.folder / f"epoch-{len(self.history)}.npz"

    def variables(self) -> list[keras.Variable]:
        """What a resumed run needs: the network and the optimizer, but not the teachers."""
        return [*self.network.variables, *self.model.optimizer.variables]

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        done, name = len(self.history), self.folder.name
        self.bar = tqdm(desc=name, total=self.config.epochs, initial=done, unit="epoch", disable=None)
        if self.history:
            self.model.optimizer.build(self.model.trainable_variables)
            with np.load(self.weights_path()) as values:
                for variable, name in zip(self.variables(), values.files, strict=True):
                    variable.assign(values[name])

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.start_epoch(epoch)
        reseed(self.model, self.config.seed, epoch)
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} after epoch {epoch + 1}")
        previous = self.weights_path()
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.start, 2)}
        self.history.append(row | {key: round(float(value), 5) for key, value in logs.items()})
        with atomic_write(self.weights_path()) as partial:
            np.savez(partial, *(ops.convert_to_numpy(variable) for variable in self.variables()))
        with atomic_write(self.state) as partial:
            partial.write_text(json.dumps(self.history))
        previous.unlink(missing_ok=True)
        self.bar.set_postfix({key: f"{value:.3f}" for key, value in logs.items()}, refresh=False)
        self.bar.update()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.bar.close()


def train(
    dataset: pd.DataFrame,
    folder: str | Path,
    config: Config,
    question: str = "",
    work: Path = Path("work/data"),
) -> Record:
    """Train one configuration on the part ``train`` and score it on the part ``validation``.

    Parameters
    ----------
    dataset : pandas.DataFrame
        Columns of dataset.csv. Without a part ``validation`` the record has no scores.
    folder : str or Path
        What its paths are relative to.
    config : Config
    question : str, default ""
        What the run is meant to answer; stored in the record.
    work : Path
        Folder for the array cache and for ``runs/<run_id>``.

    Raises
    ------
    ValueError
        The data set has no image for training.
    FloatingPointError
        The loss became infinite or NaN.
    evaluate.EvaluationError
        A teacher has no weights in ``runs``.
    """
    data = data_hash(dataset)
    run_folder = work / "runs" / run_id(config, data)
    run_folder.mkdir(parents=True, exist_ok=True)
    teachers = [load_classifier(work / "runs" / name / "model.h5")[0] for name in config.teachers]
    size = max([config.input_size, *(model.input_shape[1] for model in teachers)])
    shown = load_arrays(dataset, folder, size, config.fit, work / "cache")
    network, history = fit(dataset, shown, config, run_folder, teachers)
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    class_names = dataset.groupby("class_id").class_name.first().tolist()
    record = Record(
        run_id=run_folder.name,
        code=code_hash(),
        question=question,
        config=config,
        data_hash=data,
        backend=keras.backend.backend(),
        device=device_name(),
        epochs=len(history),
        seconds=round(sum(epoch["seconds"] for epoch in history), 1),
        parameters=network.count_params(),
        multiply_adds=multiply_adds(network),
        weights=run_folder / "model.h5",
        **validation_scores(network, images, dataset, class_names),
    )
    description = Description(class_names, config.input_size, config.fit, summary(record))
    save_classifier(network, description, record.weights)
    told = "without a validation part"
    if record.val_macro_f1 is not None:
        told = f"validation macro F1 {record.val_macro_f1:.3f}, micro F1 {record.val_micro_f1:.3f}"
    print(f"run {record.run_id}: {record.epochs} epochs in {record.seconds:.0f} s, {told}", flush=True)
    return record


def validation_scores(
    network: keras.Model, images: np.ndarray, dataset: pd.DataFrame, class_names: Sequence[str]
) -> dict[str, Any]:
    """The scores of a record on the part ``validation``; empty without such a part."""
    rows = (dataset.split == "validation").to_numpy()
    if not rows.any():
        return {}
    predicted = network.predict(images[rows], PREDICTION_BATCH, verbose=0).argmax(1)
    result = score(dataset.class_id.to_numpy()[rows], predicted, class_names)
    return {
        "val_macro_f1": round(result["macro_f1"], 5),
        "val_micro_f1": round(result["micro_f1"], 5),
        "val_class_f1": " ".join(f"{c['f1']:.4f}" for c in result["per_class"].values()),
    }


def fit(
    dataset: pd.DataFrame,
    images: np.ndarray,
    config: Config,
    run_folder: Path,
    teachers: Sequence[keras.Model] = (),
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train a network, or resume the run of which ``run_folder`` holds a checkpoint.

    ``dataset`` has the columns of dataset.csv. ``images`` are uint8, shape (n, side, side, 3), in its order,
    not smaller than the inputs of the network and of the teachers, which are trained networks, see
    :func:`compile_for_training`. Returns the network, as from :func:`build_network`, float32, with averaged
    weights, and a dict for each finished epoch: ``epoch``, ``seconds``, loss and metrics. ValueError if no
    image is for training.
    """
    labels, parts = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    if not (parts == "train").any():
        raise ValueError("the data set has no part 'train': too few different images")
    n_classes = dataset.class_id.nunique()
    keras.utils.set_random_seed(config.seed)
    batches = TrainingBatches(images, labels, dataset.copies.to_numpy() * (parts == "train"), config)
    with dtype_policy(config.precision):
        network = with_fused_batch_norm(build_network(config, n_classes))
        model = compile_for_training(network, config, len(batches), images.shape[1], teachers)
    checkpoint = Checkpoint(run_folder, config, batches, network)
    rows = parts == "validation"
    model.fit(
        to_tf_dataset(batches),
        epochs=config.epochs,
        initial_epoch=len(checkpoint.history),
        shuffle=False,
        validation_data=(images[rows], batches.targets[labels[rows]]) if rows.any() else None,
        validation_batch_size=PREDICTION_BATCH,
        verbose=0,
        callbacks=[checkpoint],
    )
    batches.start_epoch(config.epochs - 1)
    reseed(model, config.seed, config.epochs)  # the same state, even if a run resumes after its last epoch
    recalibrate(model, network, batches)
    exported = build_network(config, n_classes)
    exported.set_weights(network.get_weights())
    return exported, checkpoint.history


def build_network(config: Config, n_classes: int) -> keras.Model:
    """The untrained network of a configuration, under the current dtype policy."""
    settings = {name: getattr(config, name) for name in evaluate.SETTINGS} | {"blocks": list(config.blocks)}
    return evaluate.build_network(settings | {"input_size": config.input_size, "n_classes": n_classes})
