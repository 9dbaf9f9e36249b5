"""What is known of networks from :func:`evaluate.build_network`: their average, their cost, their shapes.

In: networks. Out: a network, numbers. The networks themselves are in evaluate.py, which scores with them.
"""

from collections.abc import Sequence

import numpy as np
from keras import Model, layers, ops

from evaluate import build_network, named_weights

SIZES = ("input_size", "n_classes")


def arrays_of(model: Model) -> dict[str, np.ndarray]:
    """The weights of a network by name, as :func:`evaluate.build_network` takes them."""
    return {name: ops.convert_to_numpy(weight) for name, weight in named_weights(model).items()}


def without_sizes(settings: dict) -> dict:
    """Settings of a network but those that follow from its classes and images: what a description holds."""
    return {name: value for name, value in settings.items() if name not in SIZES}


def average(models: Sequence[Model], mirror: bool = False) -> Model:
    """An ensemble: one model that gives the mean of the probabilities of several, which may be unlike.

    With ``mirror`` each sees the image and its mirror image, at twice the cost. All are from
    :func:`evaluate.build_network`, and none an average; ValueError if they take images of different sizes, or
    have different numbers of classes. Members of the result are copies, ``member_1``, ``member_2``, ...
    """
    sizes = {tuple(model.settings[name] for name in SIZES) for model in models}
    if len(sizes) > 1:
        raise ValueError(f"networks of unlike inputs or outputs have no average: {sorted(sizes)}")
    settings = dict(zip(SIZES, sizes.pop(), strict=True))
    arrays = {
        f"member_{number}/{name.partition('/')[2]}": array
        for number, model in enumerate(models, 1)
        for name, array in arrays_of(model).items()
    }
    settings["members"] = [without_sizes(model.settings) for model in models]
    return build_network(settings | ({"mirror": True} if mirror else {}), arrays)


def multiply_adds(model: Model) -> int:
    """Multiply-add operations for one image, in convolutions and dense layers."""
    total, views = 0, 1 + bool(getattr(model, "settings", {}).get("mirror"))
    for layer in model.layers:
        if isinstance(layer, Model):
            total += views * multiply_adds(layer)
        if isinstance(layer, layers.Dense | layers.Conv2D):
            positions = np.prod(layer.output.shape[1:-1], dtype=int)
            total += int(np.prod(layer.kernel.shape, dtype=int) * positions)
    return total


def feature_map_shapes(model: Model) -> list[tuple[str, int, int]]:
    """Name, side in pixels (1 for a vector) and channels of what a network computes, in its order."""
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D) and layer.trainable]
    blocks = [layer for layer in model.layers if isinstance(layer, layers.Add)] or convolutions[2::2]
    maps = [
        ("image", model.input),
        ("convolution", convolutions[0].output),
        *(("block", block.output) for block in blocks),
        ("pooled", model.get_layer("pooled").output),
        ("classes", model.output),
    ]
    return [(name, x.shape[1] if len(x.shape) == 4 else 1, x.shape[-1]) for name, x in maps]
