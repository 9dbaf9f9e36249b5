"""Training on all devices of a machine: Keras shares each batch among them.

In: a block of code that builds and trains networks. Out: nothing; the networks are what one device gives.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def on_all_devices() -> Iterator[int]:
    """Within the block, networks that are built are trained by ``keras.distribution.DataParallel``.

    Every device holds the whole network and computes its part of each batch; gradients and batch
    normalisation are those of the whole batch, so losses differ by rounding only. With one device, or on
    another backend than JAX, nothing changes. Batch sizes, also of validation, must be multiples of the
    number of devices.

    Yields
    ------
    int
        Number of devices that are used.
    """
    devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
    if len(devices) < 2:
        yield 1
        return
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield len(devices)
    finally:
        keras.distribution.set_distribution(before)
