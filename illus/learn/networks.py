"""CNN builders: a configuration's numbers -> an untrained Keras model of built-in layers.

In: what the network sees, its blocks and its size. Out: a model from uint8 RGB images to class
probabilities; scaling and filters are inside, so that scoring cannot drift from training.
"""

import numpy as np
from keras import Input, Model, layers

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
SOBEL = np.float32([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 8
NEIGHBOURHOOD = 7  # px, what local contrast is measured against
REDUCTION = 4  # of channels inside a squeeze-and-excitation block
PATCH = 4  # px, side of the patches that a mixer sees
SPREAD = 5  # px, kernel with which a mixer mixes places


def build(
    input_size,
    n_classes,
    block="residual",
    width=24,
    blocks=(1, 1, 2, 2),
    dropout=0.2,
    channels="rgb",
    normalisation="scale",
    pooling="average",
    stem_stride=1,
):
    """A convolutional classifier, untrained.

    Stages of ``blocks[i]`` blocks with ``width * 2**i`` channels, each at half the size of the one
    before; a mixer has all its blocks in one stage, on patches.

    Parameters
    ----------
    input_size : int
        Side of the square input, px.
    n_classes : int
    block : str, default "residual"
        A key of ``BLOCKS``.
    width : int, default 24
        Channels of the first stage.
    blocks : sequence of int, default (1, 1, 2, 2)
    dropout : float, default 0.2
        Before the classifier.
    channels : str, default "rgb"
        What the first convolution sees: a key of ``CHANNELS``.
    normalisation : str, default "scale"
        How it is scaled: a key of ``NORMALISATIONS``.
    pooling : str, default "average"
        How places are summed up: a key of ``POOLINGS``.
    stem_stride : int, default 1
        Stride of the first convolution; a mixer's is that of its patches.

    Returns
    -------
    keras.Model
        uint8 (n, input_size, input_size, 3) -> float32 (n, n_classes), rows sum to 1.
    """
    inputs = Input((input_size, input_size, 3), dtype="uint8", name="rgb")
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(inputs)  # white is 0, as what is around it
    x = NORMALISATIONS[normalisation](CHANNELS[channels](x))
    if block == "mixer":
        x = _activation(layers.Conv2D(width, PATCH, PATCH, use_bias=False, kernel_initializer="he_normal")(x))
        blocks = (sum(blocks),)
    else:
        x = _convolution(x, width, stem_stride)
    for stage, n_blocks in enumerate(blocks):
        for number in range(n_blocks):
            x = BLOCKS[block](x, width * 2**stage, 2 if stage and not number else 1)
    x = POOLINGS[pooling](_activation(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(n_classes, activation="softmax", dtype="float32", name="probability")(x)
    return Model(inputs, outputs, name=block)


# --- What the network sees: ink, 0 for white to 1 for black, in each colour ------------------------


def _gray(x):
    return _fixed(x, np.reshape(LUMA, (1, 1, 3, 1)), "gray")


def _edges(x):
    """Size of the gradient, as the sum of its parts across and down."""
    kernels = [SOBEL, -SOBEL, SOBEL.T, -SOBEL.T]
    parts = layers.ReLU()(_fixed(_gray(x), np.stack(kernels, -1)[:, :, None], "sobel"))
    return _fixed(parts, np.ones((1, 1, 4, 1)), "edges")


def _contrast(x):
    """Difference from the mean of the neighbourhood."""
    gray = _gray(x)
    return layers.Subtract()([gray, layers.AveragePooling2D(NEIGHBOURHOOD, 1, padding="same")(gray)])


def _fixed(x, kernel, name):
    """A convolution that is not learned."""
    layer = layers.Conv2D(
        kernel.shape[-1], kernel.shape[:2], padding="same", use_bias=False, trainable=False, name=name
    )
    y = layer(x)
    layer.set_weights([kernel])
    return y


CHANNELS = {
    "rgb": lambda x: x,
    "gray": _gray,
    "edges": _edges,
    "rgb+edges": lambda x: layers.Concatenate()([x, _edges(x)]),
    "rgb+contrast": lambda x: layers.Concatenate()([x, _contrast(x)]),
    "smoothed": lambda x: layers.AveragePooling2D(3, 1, padding="same", name="smoothed")(x),
}

NORMALISATIONS = {
    "scale": lambda x: layers.Rescaling(-2.0, offset=1.0, name="scale")(x),  # white is 1, black -1
    "ink": lambda x: x,
    "image": lambda x: layers.GroupNormalization(1, center=False, scale=False, name="scale")(x),
    "channel": lambda x: layers.BatchNormalization(center=False, scale=False, name="scale")(x),
}


# --- Blocks ----------------------------------------------------------------------------------------


def _plain(x, channels, stride):
    """Two convolutions without a shortcut (Simonyan and Zisserman 2015, arXiv:1409.1556)."""
    return _convolution(_activation(_convolution(_activation(x), channels, stride)), channels)


def _residual(x, channels, stride):
    """Pre-activation (He et al. 2016, arXiv:1603.05027)."""
    return _with_shortcut(x, channels, stride, _convolution)


def _separable(x, channels, stride):
    """Each convolution split into places and channels (Chollet 2017, arXiv:1610.02357)."""
    return _with_shortcut(
        x,
        channels,
        stride,
        lambda x, n, step=1: _convolution(
            layers.DepthwiseConv2D(3, step, padding="same", use_bias=False)(x), n, kernel=1
        ),
    )


def _squeeze_excite(x, channels, stride):
    """Residual, its channels weighted by their mean (Hu et al. 2018, arXiv:1709.01507)."""

    def weighted(x, n):
        x = _convolution(x, n)
        mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
        inner = layers.Conv2D(n // REDUCTION, 1, activation="relu")(mean)
        return layers.Multiply()([x, layers.Conv2D(n, 1, activation="sigmoid")(inner)])

    return _with_shortcut(x, channels, stride, _convolution, weighted)


def _mixer(x, channels, stride):
    """Places mixed, then channels (Trockman and Kolter 2022, arXiv:2201.09792), for patches."""
    y = layers.DepthwiseConv2D(SPREAD, padding="same", use_bias=False)(x)
    x = layers.Add()([x, _activation(y)])
    return _activation(_convolution(x, channels, kernel=1))


def _with_shortcut(x, channels, stride, first, second=None):
    y = _activation(x)
    if stride > 1:
        x = _convolution(layers.AveragePooling2D(stride, padding="same")(y), channels, kernel=1)
    y = _activation(first(y, channels, stride))
    return layers.Add()([x, (second or first)(y, channels)])


def _activation(x):
    return layers.ReLU()(layers.BatchNormalization()(x))


def _convolution(x, channels, stride=1, kernel=3):
    return layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)


BLOCKS = {
    "plain": _plain,
    "residual": _residual,
    "separable": _separable,
    "squeeze-excite": _squeeze_excite,
    "mixer": _mixer,
}

POOLINGS = {
    "average": lambda x: layers.GlobalAveragePooling2D()(x),
    "max": lambda x: layers.GlobalMaxPooling2D()(x),
    "both": lambda x: layers.Concatenate()(
        [pool(x) for pool in (layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D())]
    ),
}


def average(models):
    """One model that gives the mean of the probabilities of several.

    Parameters
    ----------
    models : list of keras.Model
        From :func:`build`, of one input size and the same classes.

    Returns
    -------
    keras.Model
        As from :func:`build`; holds copies, called ``member_1``, ``member_2``, ...
    """
    inputs = Input(models[0].input_shape[1:], dtype="uint8", name="rgb")
    members = [
        Model.from_config(model.get_config() | {"name": f"member_{number}"})
        for number, model in enumerate(models, 1)
    ]
    for member, model in zip(members, models, strict=True):
        member.set_weights(model.get_weights())
    outputs = layers.Average(name="probability")([member(inputs) for member in members])
    return Model(inputs, outputs, name="average")


def multiply_adds(model):
    """Multiplications with additions that one image costs, of convolutions and dense layers; int."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, Model):
            total += multiply_adds(layer)
        if isinstance(layer, layers.Dense | layers.Conv2D | layers.DepthwiseConv2D):
            places = np.prod(layer.output.shape[1:-1], dtype=int)
            total += int(np.prod(layer.kernel.shape, dtype=int) * places)
    return total


def feature_map_shapes(model):
    """The stations of an image on its way through a network from :func:`build`.

    Returns
    -------
    list of (str, int, int)
        Name, side of the map in pixels (1 for a vector), channels.
    """
    convolutions = [la for la in model.layers if isinstance(la, layers.Conv2D) and la.trainable]
    blocks = [la for la in model.layers if isinstance(la, layers.Add)] or convolutions[2::2]
    head = model.layers[-1]
    stations = [
        ("image", model.input),
        ("convolution", convolutions[0].output),
        *(("block", block.output) for block in blocks),
        ("pooled", head.input),
        ("classes", head.output),
    ]
    return [(name, x.shape[1] if len(x.shape) == 4 else 1, x.shape[-1]) for name, x in stations]
