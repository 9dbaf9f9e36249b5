"""One configuration -> one training run -> one record.

In: dataset.csv, the class folders and a :class:`illus.learn.settings.Config`. Out: a record and the trained
network. A run that was stopped resumes after its last finished epoch.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from evaluate import Description, atomic_write, score
from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.batches import TrainingBatches, load_arrays, to_tf_dataset
from illus.learn.export import save_classifier
from illus.learn.networks import build, multiply_adds
from illus.learn.optimizers import LOSSES, OPTIMIZERS, learning_rates
from illus.learn.settings import Config, Record, code_hash, data_hash, run_id, summary

PREDICTION_BATCH = 256  # images; larger than in training, because nothing is kept for gradients
RECALIBRATION_BATCHES = 50  # limit: means and variances hardly change with more


class Checkpoint(keras.callbacks.Callback):
    """Stores the weights and the history of a run after every epoch, and prints a line.

    ``history`` has a dict per finished epoch: ``epoch``, ``seconds``, loss and metrics.
    """

    def __init__(self, folder: Path, config: Config, batches: TrainingBatches) -> None:
        super().__init__()
        self.folder, self.config, self.batches = folder, config, batches
        self.state = folder / "state.json"
        self.history: list[dict[str, float]] = (
            json.loads(self.state.read_text()) if self.state.exists() else []
        )

    def weights_path(self) -> Path:
        return self.folder / f"epoch-{len(self.history)}.weights.h5"

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.history:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(self.weights_path())

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
        self.model.save_weights(self.weights_path())
        with atomic_write(self.state) as partial:
            partial.write_text(json.dumps(self.history))
        previous.unlink(missing_ok=True)
        text = "  ".join(f"{key} {value:.4g}" for key, value in self.history[-1].items())
        print(f"{text}  (of {self.config.epochs})", flush=True)


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
        Columns of dataset.csv.
    folder : str or Path
        What its paths are relative to.
    config : Config
    question : str, default ""
        What the run is meant to answer; stored in the record.
    work : Path
        Folder for the array cache and for ``runs/<run_id>``.

    Returns
    -------
    Record

    Raises
    ------
    FloatingPointError
        The loss became infinite or NaN.
    """
    data = data_hash(dataset)
    run_folder = work / "runs" / run_id(config, data)
    run_folder.mkdir(parents=True, exist_ok=True)
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    network, history = fit(dataset, images, config, run_folder)
    rows = (dataset.split == "validation").to_numpy()
    class_names = dataset.groupby("class_id").class_name.first().tolist()
    predicted = network.predict(images[rows], PREDICTION_BATCH, verbose=0).argmax(1)
    result = score(dataset.class_id.to_numpy()[rows], predicted, class_names)
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
        val_macro_f1=round(result["macro_f1"], 5),
        val_micro_f1=round(result["micro_f1"], 5),
        val_class_f1=" ".join(f"{c['f1']:.4f}" for c in result["per_class"].values()),
        weights=run_folder / "model.h5",
    )
    description = Description(class_names, config.input_size, config.fit, summary(record))
    save_classifier(network, description, record.weights)
    return record


def fit(
    dataset: pd.DataFrame, images: np.ndarray, config: Config, run_folder: Path
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train a network, or resume the run of which ``run_folder`` holds a checkpoint.

    Parameters
    ----------
    dataset, config
        As for :func:`train`.
    images : numpy.ndarray
        uint8, shape (n, side, side, 3), in the order of ``dataset``.
    run_folder : Path

    Returns
    -------
    network : keras.Model
        As from :func:`build_network`, float32, with averaged weights.
    history : list of dict
        See :class:`Checkpoint`.
    """
    labels, parts = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    n_classes = dataset.class_id.nunique()
    keras.utils.set_random_seed(config.seed)
    with dtype_policy(config.precision):
        network = with_fused_batch_norm(build_network(config, n_classes))
        batches = TrainingBatches(images, labels, dataset.copies.to_numpy() * (parts == "train"), config)
        model = compile_for_training(network, config, len(batches), batches.class_shares)
    checkpoint = Checkpoint(run_folder, config, batches)
    rows = parts == "validation"
    model.fit(
        to_tf_dataset(batches),
        epochs=config.epochs,
        initial_epoch=len(checkpoint.history),
        shuffle=False,
        validation_data=(images[rows], batches.targets[labels[rows]]),
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
    return build(
        config.input_size,
        n_classes,
        config.block,
        config.width,
        config.blocks,
        config.dropout,
        config.channels,
        config.normalisation,
        config.pooling,
        config.stem_stride,
    )


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's batch normalisation with TensorFlow's fused kernel: halves the time of a step on a CPU."""

    def call(
        self,
        inputs: keras.KerasTensor,
        training: bool | None = None,
        mask: keras.KerasTensor | None = None,
    ) -> keras.KerasTensor:
        if not training:
            return super().call(inputs, training, mask)
        from tensorflow import compat, ones_like, zeros_like  # only this backend has the kernel

        gamma = self.gamma if self.scale else ones_like(self.moving_mean)
        beta = self.beta if self.center else zeros_like(self.moving_mean)
        outputs, mean, variance = compat.v1.nn.fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs


def with_fused_batch_norm(network: keras.Model) -> keras.Model:
    """A copy of the network with :class:`FusedBatchNormalization`; on other backends, the network itself."""
    if keras.backend.backend() != "tensorflow":
        return network

    def clone(layer: layers.Layer) -> layers.Layer:
        normalises = type(layer) is layers.BatchNormalization
        return (FusedBatchNormalization if normalises else type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


def compile_for_training(network: keras.Model, config: Config, steps: int, shares: np.ndarray) -> keras.Model:
    """A compiled model with augmentation before a network and the class prior after it.

    Parameters
    ----------
    network : keras.Model
        From :func:`build_network`; shared with the result, so that training changes it.
    config : Config
    steps : int
        Of an epoch.
    shares : numpy.ndarray
        float, shape (classes,): of the drawn images. With ``logit_adjustment`` they are the prior by which
        probabilities are multiplied in training (Menon et al. 2021, arXiv:2007.07314).
    """
    inputs = keras.Input(network.input_shape[1:], dtype="uint8")
    x = ops.cast(inputs, "float32")
    for layer in AUGMENTATIONS[config.augmentation]():
        layer.dtype_policy = "float32"
        x = layer(x)
    outputs = network(ops.cast(ops.clip(ops.round(x), 0, 255), "uint8"))
    if config.logit_adjustment:
        outputs = outputs * np.float32(np.maximum(shares, 1e-6) ** config.logit_adjustment)
        outputs = outputs / ops.sum(outputs, -1, keepdims=True)
    model = keras.Model(inputs, outputs)
    momentum = min(config.ema_momentum, max(0.0, 1 - 5 / (steps * config.epochs)))  # over a fifth of the run
    optimizer = OPTIMIZERS[config.optimizer](
        learning_rates(config, steps),
        weight_decay=config.weight_decay,
        use_ema=config.ema_momentum > 0,
        ema_momentum=momentum,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    loss = LOSSES[config.loss](label_smoothing=config.label_smoothing)
    slow_jit = keras.backend.backend() == "tensorflow" and device_name() == "cpu"
    metrics = ["accuracy", keras.metrics.F1Score(average="macro", name="macro_f1")]
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False if slow_jit else "auto")
    return model


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every random layer from seed and epoch, so that a resumed run is the same."""
    rng = np.random.default_rng([seed, epoch])
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(rng.integers(0, 2**31, variable.shape, dtype=np.uint32))


def recalibrate(
    model: keras.Model,
    network: keras.Model,
    batches: TrainingBatches,
    max_batches: int = RECALIBRATION_BATCHES,
) -> None:
    """Recompute the means and variances of batch normalisation, for the averaged weights.

    The moving statistics belong to the weights before averaging, and in short runs they have not
    converged. After Izmailov et al. 2018 (arXiv:1803.05407), section 3.2.
    """
    normalisations = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalisations]
    for step in range(min(max_batches, len(batches))):
        for layer in normalisations:
            layer.momentum = step / (step + 1)  # so that the moving average is the mean of all batches
        model(batches[step][0], training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def device_name() -> str:
    """``cpu`` or ``gpu``: where Keras puts a tensor, on any backend."""
    return "cpu" if "cpu" in str(ops.zeros(()).device).lower() else "gpu"


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers that are created inside the block get this Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
