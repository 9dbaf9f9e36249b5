"""Images -> what the strong augmentation does to them: each of its changes alone, in three strengths.

In: images. Out: layers that no longer draw at random, and changed images.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from illus.learn.augmentation import AUGMENTATIONS, RandomAffine, RandomChange, RandomColours, RandomFilters

STRENGTHS = (1 / 3, 2 / 3, 1.0)
Settings = dict[str, Any]
Changes = dict[str, RandomChange]
NO_MAP: Settings = {"rotation": 0, "zoom": (1, 1), "axis_zoom": (1, 1), "shear": 0, "shift": 0, "flip": False}
NO_COLOURS: Settings = {"hue": 0, "saturation": (1, 1), "gray": 0, "contrast": (1, 1), "brightness": 0}
NO_FILTERS: Settings = {"texture": 0, "outlines": 0, "blur": 0, "erase": 0, "posterise": 0, "invert": 0}


def single_changes(strength: float) -> tuple[Changes, Changes, Changes]:
    """Each change of the strong augmentation by itself: of shape, of colours, and by filters.

    Name to layer, which does the same whenever it is called, also the random filter. ``strength`` is above 0;
    1 is the end of the range that the strong augmentation draws from. Mirroring, gray, outlines and inversion
    have one strength only.
    """
    affine, colours, filters = AUGMENTATIONS["strong"]()
    (dull, vivid), (flat, hard) = colours.saturation, colours.contrast
    shape: dict[str, Settings] = {
        "rotation": {"rotation": strength * affine.rotation},
        "zoom in": {"zoom": (affine.zoom[1] ** strength,) * 2},
        "zoom out": {"zoom": (affine.zoom[0] ** strength,) * 2},
        "stretching": {"axis_zoom": [zoom**strength for zoom in affine.axis_zoom]},
        "shear": {"shear": strength * affine.shear},
        "shift": {"shift": strength * affine.shift},
        "mirrored": {"flip": affine.flip},
    }
    tints: dict[str, Settings] = {
        "hue": {"hue": strength * colours.hue},
        "less saturation": {"saturation": (1 + strength * (dull - 1),) * 2},
        "more saturation": {"saturation": (1 + strength * (vivid - 1),) * 2},
        "less contrast": {"contrast": (1 + strength * (flat - 1),) * 2},
        "more contrast": {"contrast": (1 + strength * (hard - 1),) * 2},
        "brightness": {"brightness": strength * colours.brightness},
        "gray": {"gray": float(colours.gray > 0)},
    }
    names = {"texture": "random filter", "blur": "blur", "erase": "erasing", "posterise": "posterising",
             "outlines": "outlines", "invert": "inverted"}  # fmt: skip
    kinds = {name: {key: float(getattr(filters, key) > 0)} for key, name in names.items()}
    ends = (1, 1, 1, 0, 1, 1, 1, 0.25)  # as RandomAffine draws them: wider, and less high
    some = (0.5, strength, 0, 0.5, 0.5, strength, strength, 0, strength, 0)  # as RandomFilters
    return (
        {name: _fixed(RandomAffine(**NO_MAP | change), ends) for name, change in shape.items()},
        {
            name: _fixed(RandomColours(**NO_COLOURS | change), (1, 1, 0.5, 1, 1))
            for name, change in tints.items()
        },
        {name: _fixed(RandomFilters(**NO_FILTERS | kind), some) for name, kind in kinds.items()},
    )


def _fixed(layer: RandomChange, numbers: tuple[float, ...]) -> RandomChange:
    """A layer that changes every image in the same way: these numbers, from 0 to 1, instead of drawn ones."""

    def draw(images: keras.KerasTensor, count: int) -> list[keras.KerasTensor]:
        return [keras.ops.full(keras.ops.shape(images)[:1], float(number)) for number in numbers[:count]]

    layer.draw = draw  # type: ignore[method-assign]
    layer.seed_generator = keras.random.SeedGenerator(0)
    return layer


def changed(images: np.ndarray, layers: Sequence[keras.layers.Layer]) -> np.ndarray:
    """Images, uint8 (n, side, side, 3), as layers change them in training, one layer after the other."""
    x = keras.ops.convert_to_tensor(images.astype(np.float32))
    for layer in layers:
        x = layer(x, training=True)
    return keras.ops.convert_to_numpy(x).round().clip(0, 255).astype(np.uint8)


def in_three_strengths(images: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Each change of the strong augmentation alone: of the first image its shape, then colours, then filters.

    ``images`` are uint8, shape (3, side, side, 3). One dict an image: ``image`` and the name of each change,
    to uint8 of shape (k, side, side, 3), with k the ``STRENGTHS``, or 1 of what has one strength only.
    """
    rows = []
    for image, *strengths in zip(images, *map(single_changes, STRENGTHS), strict=True):
        row = {"image": image[None]}
        for name in strengths[0]:
            results = np.concatenate([changed(image[None], [layers[name]]) for layers in strengths])
            row[name] = results if np.ptp(results, axis=0).any() else results[:1]
        rows.append(row)
    return rows
