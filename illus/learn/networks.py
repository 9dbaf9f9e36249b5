"""A configuration -> an untrained convolutional network, a Keras model of built-in layers only.

In: the channels, the blocks and the size of the network. Out: a model from uint8 RGB images to class
probabilities. Scaling and filters are part of it, so that scoring cannot differ from training.
"""

from collections.abc import Callable, Sequence

import numpy as np
from keras import Input, KerasTensor, Model, initializers, layers

from illus.learn.settings import Config

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32) / 8
NEIGHBOURHOOD = 7  # px, side of the square whose mean is subtracted for local contrast
REDUCTION = 4  # of channels inside a squeeze-and-excitation block
MIXER_PATCH = 4  # px, side of a mixer's patches
MIXER_KERNEL = 5  # patches, side of a mixer's depthwise kernel

Part = Callable[[KerasTensor], KerasTensor]
Block = Callable[[KerasTensor, int, int], KerasTensor]  # input, channels, stride


def build(
    input_size: int,
    n_classes: int,
    block: str = Config.block,
    width: int = Config.width,
    blocks: Sequence[int] = Config.blocks,
    dropout: float = Config.dropout,
    channels: str = Config.channels,
    normalisation: str = Config.normalisation,
    pooling: str = "average",
    stem_stride: int = Config.stem_stride,
) -> Model:
    """A convolutional classifier, untrained; defaults are those of :class:`illus.learn.settings.Config`.

    Stage i has ``blocks[i]`` blocks of ``width * 2**i`` channels, at half the size of the stage before. A
    mixer has all its blocks in one stage, on patches.

    Parameters
    ----------
    input_size : int
        Side of the square input, px.
    n_classes : int
    block : str
        A key of ``BLOCKS``.
    width : int
        Channels of the first stage.
    blocks : sequence of int
        Number of blocks in each stage.
    dropout : float
        Rate before the classifier.
    channels : str
        Input of the first convolution: a key of ``CHANNELS``.
    normalisation : str
        How that input is scaled: a key of ``NORMALISATIONS``.
    pooling : str
        Pooling over the last feature map: a key of ``POOLINGS``.
    stem_stride : int
        Stride of the first convolution; a mixer uses ``MIXER_PATCH`` instead.

    Returns
    -------
    keras.Model
        uint8 (n, input_size, input_size, 3) -> float32 (n, n_classes), rows sum to 1.
    """
    inputs = Input((input_size, input_size, 3), dtype="uint8", name="rgb")
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(inputs)  # white is 0, like zero padding
    x = NORMALISATIONS[normalisation](CHANNELS[channels](x))
    if block == "mixer":
        patches = layers.Conv2D(width, MIXER_PATCH, MIXER_PATCH, use_bias=False, kernel_initializer="zeros")
        x = _activation(patches(x))
        blocks = (sum(blocks),)
    else:
        x = _convolution(x, width, stem_stride)
    for stage, n_blocks in enumerate(blocks):
        for number in range(n_blocks):
            x = BLOCKS[block](x, width * 2**stage, 2 if stage and not number else 1)
    x = POOLINGS[pooling](_activation(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(n_classes, activation="softmax", dtype="float32", name="probability")(x)
    model = Model(inputs, outputs, name=block)
    _draw_kernels(model)
    return model


def _draw_kernels(model: Model) -> None:
    """Random kernels instead of zeros (He et al. 2015, arXiv:1502.01852), from NumPy's global seed.

    JAX compiles Keras's initializers once for each shape, which takes longer than a training step.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and isinstance(layer.kernel_initializer, initializers.Zeros):
            shape = layer.kernel.shape
            layer.kernel.assign(np.random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))


# --- Input channels: of ink, 0 for white to 1 for black, in each colour ----------------------------


def _gray(x: KerasTensor) -> KerasTensor:
    return _fixed(x, np.reshape(LUMA, (1, 1, 3, 1)), "gray")


def _edges(x: KerasTensor) -> KerasTensor:
    """Size of the gradient: the sum of its absolute horizontal and vertical parts."""
    kernels = [SOBEL, -SOBEL, SOBEL.T, -SOBEL.T]
    parts = layers.ReLU()(_fixed(_gray(x), np.stack(kernels, -1)[:, :, None], "sobel"))
    return _fixed(parts, np.ones((1, 1, 4, 1)), "edges")


def _contrast(x: KerasTensor) -> KerasTensor:
    """Difference from the mean of the neighbourhood."""
    gray = _gray(x)
    return layers.Subtract()([gray, layers.AveragePooling2D(NEIGHBOURHOOD, 1, padding="same")(gray)])


def _fixed(x: KerasTensor, kernel: np.ndarray, name: str) -> KerasTensor:
    """A convolution that is not trained."""
    layer = layers.Conv2D(
        kernel.shape[-1], kernel.shape[:2], padding="same", use_bias=False, trainable=False, name=name
    )
    y = layer(x)
    layer.set_weights([kernel])
    return y


CHANNELS: dict[str, Part] = {
    "rgb": lambda x: x,
    "gray": _gray,
    "edges": _edges,
    "rgb+edges": lambda x: layers.Concatenate()([x, _edges(x)]),
    "rgb+contrast": lambda x: layers.Concatenate()([x, _contrast(x)]),
    "smoothed": lambda x: layers.AveragePooling2D(3, 1, padding="same", name="smoothed")(x),
}

NORMALISATIONS: dict[str, Part] = {
    "scale": lambda x: layers.Rescaling(-2.0, offset=1.0, name="scale")(x),  # white is 1, black -1
    "ink": lambda x: x,
    "image": lambda x: layers.GroupNormalization(1, center=False, scale=False, name="scale")(x),
    "channel": lambda x: layers.BatchNormalization(center=False, scale=False, name="scale")(x),
}


# --- Blocks ----------------------------------------------------------------------------------------


def _plain(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """Two convolutions without a shortcut (Simonyan and Zisserman 2015, arXiv:1409.1556)."""
    return _convolution(_activation(_convolution(_activation(x), channels, stride)), channels)


def _residual(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """Two convolutions with a shortcut, pre-activation (He et al. 2016, arXiv:1603.05027)."""
    return _with_shortcut(x, channels, stride, _convolution)


def _separable(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """Residual, of depthwise and 1 x 1 convolutions (Chollet 2017, arXiv:1610.02357)."""

    def convolution(x: KerasTensor, n: int, stride: int = 1) -> KerasTensor:
        x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        return _convolution(x, n, kernel=1)

    return _with_shortcut(x, channels, stride, convolution)


def _squeeze_excite(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """Residual, with channels weighted by their means (Hu et al. 2018, arXiv:1709.01507)."""

    def weighted(x: KerasTensor, n: int) -> KerasTensor:
        x = _convolution(x, n)
        mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
        inner = layers.Conv2D(n // REDUCTION, 1, activation="relu")(mean)
        return layers.Multiply()([x, layers.Conv2D(n, 1, activation="sigmoid")(inner)])

    return _with_shortcut(x, channels, stride, _convolution, weighted)


def _mixer(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """ConvMixer: patches mixed, then channels (Trockman and Kolter 2022, arXiv:2201.09792); no stride."""
    y = layers.DepthwiseConv2D(MIXER_KERNEL, padding="same", use_bias=False)(x)
    x = layers.Add()([x, _activation(y)])
    return _activation(_convolution(x, channels, kernel=1))


def _with_shortcut(
    x: KerasTensor,
    channels: int,
    stride: int,
    first: Callable[..., KerasTensor],
    second: Callable[..., KerasTensor] | None = None,
) -> KerasTensor:
    """Two convolutions, ``first`` and ``second`` (by default like the first), added to their input."""
    y = _activation(x)
    if stride > 1:
        x = _convolution(layers.AveragePooling2D(stride, padding="same")(y), channels, kernel=1)
    y = _activation(first(y, channels, stride))
    return layers.Add()([x, (second or first)(y, channels)])


def _activation(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(layers.BatchNormalization()(x))


def _convolution(x: KerasTensor, channels: int, stride: int = 1, kernel: int = 3) -> KerasTensor:
    layer = layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, kernel_initializer="zeros"
    )
    return layer(x)


BLOCKS: dict[str, Block] = {
    "plain": _plain,
    "residual": _residual,
    "separable": _separable,
    "squeeze-excite": _squeeze_excite,
    "mixer": _mixer,
}

POOLINGS: dict[str, Part] = {
    "average": lambda x: layers.GlobalAveragePooling2D()(x),
    "max": lambda x: layers.GlobalMaxPooling2D()(x),
    "both": lambda x: layers.Concatenate()(
        [pool(x) for pool in (layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D())]
    ),
}


# --- Whole models ------------------------------------------------------------------------------------


def average(models: Sequence[Model], mirrored: bool = False) -> Model:
    """An ensemble: one model that gives the mean of the probabilities of several, which may be unlike.

    Parameters
    ----------
    models : sequence of keras.Model
        From :func:`build`, with one input size and the same classes.
    mirrored : bool, default False
        Average over the image and its mirror image too; every member is then used twice.

    Returns
    -------
    keras.Model
        As from :func:`build`; its members are copies, named ``member_1``, ``member_2``, ...

    Raises
    ------
    ValueError
        The models take images of different sizes, or have different numbers of classes.
    """
    shapes = sorted({(model.input_shape[1:], model.output_shape[1:]) for model in models})
    if len(shapes) > 1:
        raise ValueError(f"networks of unlike inputs or outputs have no average: {shapes}")
    inputs = Input(models[0].input_shape[1:], dtype="uint8", name="rgb")
    members = [
        Model.from_config(model.get_config() | {"name": f"member_{number}"})
        for number, model in enumerate(models, 1)
    ]
    for member, model in zip(members, models, strict=True):
        member.set_weights(model.get_weights())
    views = [inputs, _mirror(inputs)] if mirrored else [inputs]
    outputs = layers.Average(name="probability")([member(view) for member in members for view in views])
    return Model(inputs, outputs, name="average")


def _mirror(images: KerasTensor) -> KerasTensor:
    """Images flipped left to right: columns times a permutation matrix, exact for integers up to 255."""
    width = images.shape[2]
    flip = layers.Dense(width, use_bias=False, trainable=False, dtype="float32", name="mirror")
    columns = flip(layers.Permute((1, 3, 2), name="columns_last")(images))
    flip.set_weights([np.eye(width)[::-1]])
    return layers.Permute((1, 3, 2), name="columns_back")(columns)


def multiply_adds(model: Model) -> int:
    """Multiply-add operations for one image, in convolutions and dense layers, of members at each use."""
    total = 0
    uses = {layer["name"]: len(layer.get("inbound_nodes", ())) for layer in model.get_config()["layers"]}
    for layer in model.layers:
        if isinstance(layer, Model):
            total += multiply_adds(layer) * uses[layer.name]
        if isinstance(layer, layers.Dense | layers.Conv2D | layers.DepthwiseConv2D):
            positions = np.prod(layer.output.shape[1:-1], dtype=int)
            total += int(np.prod(layer.kernel.shape, dtype=int) * positions)
    return total


def feature_map_shapes(model: Model) -> list[tuple[str, int, int]]:
    """Shapes of what a network from :func:`build` computes, from the image to the classes.

    Returns
    -------
    list of (str, int, int)
        Name, side of the map in pixels (1 for a vector), channels.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D) and layer.trainable]
    blocks = [layer for layer in model.layers if isinstance(layer, layers.Add)] or convolutions[2::2]
    head = model.layers[-1]
    maps = [
        ("image", model.input),
        ("convolution", convolutions[0].output),
        *(("block", block.output) for block in blocks),
        ("pooled", head.input),
        ("classes", head.output),
    ]
    return [(name, x.shape[1] if len(x.shape) == 4 else 1, x.shape[-1]) for name, x in maps]
