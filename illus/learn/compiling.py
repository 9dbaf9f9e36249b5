"""A network -> the model that is trained: augmentation before it, its teachers after it.

In: an untrained network and a configuration. Out: a compiled model that shares the network's weights.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
from keras import layers, ops

from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.batches import TrainingBatches
from illus.learn.optimizers import OPTIMIZERS, schedule
from illus.learn.settings import Config

RECALIBRATION_BATCHES = 50  # limit: means and variances hardly change with more


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's batch normalisation with TensorFlow's fused kernel: halves the time of a step on a CPU."""

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
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


class Distillation(layers.Layer):
    """Adds to the loss how far probabilities are from those of teachers, and gives them unchanged."""

    def call(
        self,
        probabilities: keras.KerasTensor,
        logits: keras.KerasTensor,
        taught: keras.KerasTensor,
        training: bool = False,
    ) -> keras.KerasTensor:
        if training:
            taught = ops.stop_gradient(taught)
            # Hinton et al. 2015, arXiv:1503.02531, at temperature 1; of logits, as a log of 0 is not finite
            losses = keras.losses.categorical_crossentropy(taught, logits, from_logits=True)
            self.add_loss(ops.mean(losses))
        return probabilities


def frozen(model: keras.Model, policy: str, name: str) -> keras.Model:
    """A copy of a network that is not trained and computes with a dtype policy, but for scores and output."""

    def clone(layer: layers.Layer) -> layers.Layer:
        settings = layer.get_config() | ({} if layer in model.layers[-2:] else {"dtype": policy})
        return type(layer).from_config(settings)

    clones = keras.models.clone_model(model, clone_function=clone)
    copy = keras.Model(clones.input, clones.output, name=name)
    copy.set_weights(model.get_weights())
    copy.trainable = False
    return copy


def compile_for_training(
    network: keras.Model,
    config: Config,
    steps: int,
    size: int | None = None,
    teachers: Sequence[keras.Model] = (),
) -> keras.Model:
    """A compiled model with augmentation before a network, whose weights it shares, and teachers after it.

    An epoch has ``steps``. Images have the side ``size``, by default that of the network's input, and are
    resized for each network. With teachers it learns the mean of their probabilities for the same changed
    images, see :class:`Distillation`, and nothing of the labels.
    """
    size = size or network.input_shape[1]
    inputs = keras.Input((size, size, 3), dtype="uint8")
    x = ops.cast(inputs, "float32")
    for layer in AUGMENTATIONS[config.augmentation]():
        layer.dtype_policy = "float32"
        x = layer(x)
    scored = keras.Model(network.input, [network.output, network.get_layer("score").output])
    outputs, logits = scored(_resized(x, network.input_shape[1]))
    if teachers:
        policy = keras.config.dtype_policy().name
        copies = [frozen(teacher, policy, f"teacher_{n}") for n, teacher in enumerate(teachers, 1)]
        taught = [copy(_resized(x, copy.input_shape[1]), training=False) for copy in copies]
        outputs = Distillation(dtype="float32")(outputs, logits, sum(taught) / len(taught))
    model = keras.Model(inputs, outputs)
    momentum = min(config.ema_momentum, max(0.0, 1 - 5 / (steps * config.epochs)))  # over a fifth of the run
    optimizer = OPTIMIZERS[config.optimizer](
        config.learning_rate,
        schedule(config, steps),
        weight_decay=config.weight_decay,
        use_ema=config.ema_momentum > 0,
        ema_momentum=momentum,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    slow_jit = keras.backend.backend() == "tensorflow" and device_name() == "cpu"
    metrics = ["accuracy", keras.metrics.F1Score(average="macro", name="macro_f1")]
    model.compile(
        optimizer,
        loss,
        loss_weights=[0.0] if teachers else None,
        metrics=metrics,
        jit_compile=False if slow_jit else "auto",
    )
    return model


def _resized(images: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """Changed images as a network reads them: uint8, shape (n, size, size, 3)."""
    if images.shape[1] != size:
        images = ops.image.resize(images, (size, size), antialias=True)
    return ops.cast(ops.clip(ops.round(images), 0, 255), "uint8")


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
    moving = [v for layer in normalisations for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in normalisations]
    for layer in normalisations:
        layer.momentum = 0.0  # so that the moving average is that of the last batch
    forward = training_pass(model)
    count = min(max_batches, len(batches))
    totals = [np.zeros(variable.shape, np.float64) for variable in moving]
    for step in range(count):
        forward(batches[step][0])
        for total, variable in zip(totals, moving, strict=True):
            total += ops.convert_to_numpy(variable)
    for total, variable in zip(totals, moving, strict=True):
        variable.assign(total / count)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def training_pass(model: keras.Model) -> Callable[[np.ndarray], None]:
    """A function that shows images to a model as in training: only what is not trained changes."""
    if keras.backend.backend() != "jax":
        return lambda images: model(images, training=True)
    import jax  # each operation outside of jit would be compiled by itself

    @jax.jit
    def after(trained: list, other: list, images: np.ndarray) -> list:
        return model.stateless_call(trained, other, images, training=True)[1]

    def show(images: np.ndarray) -> None:
        values = (
            [v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)
        )
        for variable, value in zip(model.non_trainable_variables, after(*values, images), strict=True):
            variable.assign(value)

    return show


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
