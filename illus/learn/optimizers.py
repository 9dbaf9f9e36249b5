"""Optimizers, losses and the learning rate of each step.

In: keys of ``OPTIMIZERS`` and ``LOSSES``, and a configuration. Out: arguments of ``keras.Model.compile``.
"""

from collections.abc import Callable

import keras
from keras import ops

from illus.learn.settings import Config


class Muon(keras.optimizers.Muon):
    """Keras's Muon, but for convolutions: their kernels are treated as matrices from patches to channels.

    Keras applies Muon to matrices only, and Adam to all others. See Jordan 2024, *Muon: an optimizer for
    hidden layers*.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 4 or variable.shape[-1] == 1

    def zeropower_via_newtonschulz5(self, gradient: keras.KerasTensor, steps: int) -> keras.KerasTensor:
        flat = ops.reshape(gradient, (-1, gradient.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(flat, steps), gradient.shape)

    def lr_adjust(self, update: keras.KerasTensor) -> keras.KerasTensor:
        return ops.reshape(super().lr_adjust(ops.reshape(update, (-1, update.shape[-1]))), update.shape)


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adamw": keras.optimizers.AdamW,
    "sgd": lambda rate, **settings: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **settings),
    "muon": lambda rate, weight_decay, **settings: Muon(
        rate, weight_decay=weight_decay, adam_weight_decay=weight_decay, **settings
    ),
}

LOSSES: dict[str, Callable[..., keras.losses.Loss]] = {
    "crossentropy": keras.losses.CategoricalCrossentropy,
    "focal": lambda **settings: keras.losses.CategoricalFocalCrossentropy(alpha=1.0, **settings),
}


def learning_rates(config: Config, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of each step: a linear warm-up over one epoch of ``steps``, then ``schedule``."""
    after_warmup = max(1, steps * (config.epochs - 1))
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        after_warmup,
        alpha={"cosine": 0.0, "constant": 1.0}[config.schedule],
        warmup_target=config.learning_rate,
        warmup_steps=steps,
    )
