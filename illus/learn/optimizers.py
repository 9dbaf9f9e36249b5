"""Optimizers and the learning rate of each step.

In: a key of ``OPTIMIZERS``, and a configuration. Out: arguments of ``keras.Model.compile``.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from illus.learn.settings import Config

Schedule = Callable[[keras.KerasTensor], keras.KerasTensor]


class Scheduled(keras.optimizers.Optimizer):
    """Mixed into an optimizer: its peak rate times a schedule, worked out once for a step."""

    def __init__(self, learning_rate: float, schedule: Schedule, **settings: Any) -> None:
        # the peak rate stays a variable, so that runs that differ in it alone share compiled code
        super().__init__(learning_rate=learning_rate, **settings)
        self.schedule = schedule
        self.current: keras.KerasTensor | None = None

    def apply(
        self, grads: Sequence[keras.KerasTensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        # Keras evaluates a schedule anew for every weight, which makes compiling slow
        self.current = ops.multiply(self._learning_rate, self.schedule(self.iterations))
        super().apply(grads, trainable_variables)
        self.current = None

    def _get_current_learning_rate(self) -> keras.KerasTensor:
        return super()._get_current_learning_rate() if self.current is None else self.current


class AdamW(Scheduled, keras.optimizers.AdamW):
    """Keras's AdamW, with a schedule."""


class SGD(Scheduled, keras.optimizers.SGD):
    """Stochastic gradient descent with Nesterov's momentum, and a schedule."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, momentum=0.9, nesterov=True, **settings)


class Muon(Scheduled, keras.optimizers.Muon):
    """Keras's Muon, but for convolutions: their kernels are treated as matrices from patches to channels."""

    def __init__(self, *arguments: Any, weight_decay: float, **settings: Any) -> None:
        super().__init__(*arguments, weight_decay=weight_decay, adam_weight_decay=weight_decay, **settings)

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        # Keras applies Muon (Jordan 2024, "Muon: an optimizer for hidden layers") to matrices only
        return len(variable.shape) != 4 or variable.shape[-1] == 1

    def _backend_update_step(
        self,
        grads: Sequence[keras.KerasTensor],
        trainable_variables: Sequence[keras.Variable],
        learning_rate: keras.KerasTensor,
    ) -> None:
        alike: dict[tuple[int, int], list[tuple[keras.Variable, keras.KerasTensor]]] = {}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self._should_use_adamw(variable):
                self.update_step(gradient, variable, learning_rate)
                continue
            momentum = self.momentums[self._get_variable_index(variable)]
            self.assign_add(momentum, gradient + momentum * (self.momentum - 1))
            step = gradient + self.momentum * momentum if self.nesterov else ops.convert_to_tensor(momentum)
            shape = math.prod(variable.shape[:-1]), variable.shape[-1]
            alike.setdefault(shape, []).append((variable, ops.reshape(step, shape)))
        for shape, steps in alike.items():
            matrices = ops.stack([step for _, step in steps])
            updates = self.zeropower_via_newtonschulz5(matrices, self.ns_steps)  # kernels of a shape together
            updates = learning_rate * self.rms_rate * math.sqrt(max(shape)) * updates
            for number, (variable, _) in enumerate(steps):
                self.assign_sub(variable, ops.reshape(updates[number], variable.shape))


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {"adamw": AdamW, "sgd": SGD, "muon": Muon}


def schedule(config: Config, steps: int) -> Schedule:
    """The learning rate of each step as a share of its peak: a linear warm-up, then a cosine to 0.

    ``steps`` are those of an epoch; over the first one the rate rises.
    """
    after_warmup = max(1, steps * (config.epochs - 1))

    def share(step: keras.KerasTensor) -> keras.KerasTensor:
        step = ops.cast(step, "float32")
        done = ops.clip((step - steps) / after_warmup, 0.0, 1.0)
        return ops.where(step < steps, step / steps, 0.5 + 0.5 * ops.cos(math.pi * done))

    return share
