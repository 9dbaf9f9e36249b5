"""CNN builders: a configuration's numbers -> an untrained Keras model of built-in layers.

In: input size, number of classes, width and depth. Out: a model from uint8 RGB pictures to class
probabilities; scaling is inside, so that scoring cannot drift from training.
"""

from keras import Input, Model, layers


def residual(input_size, n_classes, width=24, blocks=(1, 1, 2, 2), dropout=0.2):
    """A compact residual CNN with pre-activation blocks (He et al. 2016, arXiv:1603.05027).

    Parameters
    ----------
    input_size : int
        Side of the square input in pixels.
    n_classes : int
    width : int, default 24
        Channels of the first stage; each further stage has twice as many at half the size.
    blocks : sequence of int, default (1, 1, 2, 2)
        Residual blocks in each stage.
    dropout : float, default 0.2
        Before the classifier.

    Returns
    -------
    keras.Model
        uint8 (n, input_size, input_size, 3) -> float32 (n, n_classes), rows sum to 1.
    """
    inputs = Input((input_size, input_size, 3), dtype="uint8", name="rgb")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    x = _convolution(x, width)
    for stage, n_blocks in enumerate(blocks):
        for block in range(n_blocks):
            x = _residual_block(x, width * 2**stage, stride=2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(_activation(x))
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(n_classes, activation="softmax", dtype="float32", name="probability")(x)
    return Model(inputs, outputs, name="residual")


def _residual_block(x, channels, stride):
    y = _activation(x)
    if stride > 1:
        x = _convolution(layers.AveragePooling2D(stride, padding="same")(y), channels, kernel=1)
    y = _activation(_convolution(y, channels, stride))
    return layers.Add()([x, _convolution(y, channels)])


def _activation(x):
    return layers.ReLU()(layers.BatchNormalization()(x))


def _convolution(x, channels, stride=1, kernel=3):
    return layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False,
                         kernel_initializer="he_normal")(x)


BUILDERS = {"residual": residual}
