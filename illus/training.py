"""One configuration -> one run -> one record.

In: dataset.csv, the class folders and a :class:`Config`. Out: a :class:`Record` and the trained
network. A run that is stopped goes on from its last finished epoch.
"""

import hashlib
import json
import logging
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers, ops
from numpy.lib.format import open_memmap

from evaluate import Description, read_ahead, read_description, score
from illus.networks import build, multiply_adds
from illus.parallel import progress


@dataclass(frozen=True)
class Config:
    """Every setting of a run. Two runs with equal settings and equal data are the same run."""

    network: str = "residual"  # a key of networks.BLOCKS
    width: int = 24  # channels of the first stage
    blocks: tuple = (1, 1, 2, 2)  # blocks in each stage
    stem: int = 1  # stride of the first convolution
    pooling: str = "average"  # a key of networks.POOLINGS
    dropout: float = 0.2
    input_size: int = 48  # px
    fit: str = "pad"  # how a picture becomes square, see evaluate.fit_image
    channels: str = "rgb"  # what the network sees, a key of networks.CHANNELS
    normalisation: str = "scale"  # a key of networks.NORMALISATIONS
    augmentation: str = "affine+colour"  # a key of AUGMENTATIONS
    mixing: str = "none"  # of two pictures: none, mixup or cutmix
    sampling: float = 0.5  # a class is drawn in proportion to its pictures to this power
    class_weighting: float = 0.0  # a class counts in the loss by one over its pictures to this power
    prior: float = 0.0  # the loss sees probabilities times a class's share of what is drawn to this power
    loss: str = "crossentropy"  # a key of LOSSES
    label_smoothing: float = 0.1
    epochs: int = 24
    steps_per_epoch: int | None = None  # None: as many as show every training picture once on average
    batch_size: int = 128
    optimizer: str = "adamw"  # a key of OPTIMIZERS
    learning_rate: float = 2e-3  # peak; linear warm-up over one epoch
    schedule: str = "cosine"  # after the warm-up: to 0 by a cosine, or constant
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # of the exported average of weights; lower where a run is short; 0: none
    precision: str = "mixed_bfloat16"  # Keras dtype policy while training; exported as float32
    seed: int = 0


@dataclass(frozen=True)
class Record:
    """What is kept of a run, one row of experiments.csv."""

    run_id: str
    question: str
    config: Config
    data_hash: str
    backend: str
    device: str
    epochs: int
    seconds: float  # training alone, all parts of an interrupted run together
    parameters: int
    multiply_adds: int  # of one picture
    val_macro_f1: float
    val_micro_f1: float
    val_class_f1: str  # of each class of the validation part, in class order, separated by spaces
    weights: Path = field(compare=False)  # float32 Keras model, HDF5
    error: str = ""  # why there are no scores


class RandomConvolution(layers.Layer):
    """Other colours and textures for the same shapes: pictures blended with themselves after a random filter.

    One filter a batch, another amount for each picture (Xu et al. 2021, arXiv:2007.13003). Takes and
    gives float32 (n, side, side, 3), 0 to 255, on white.
    """

    def __init__(self, share=0.5, **settings):
        super().__init__(**settings)
        self.share = share  # of pictures that are filtered
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, pictures, training=False):
        if not training:
            return pictures
        n = ops.shape(pictures)[0]
        draw = {"seed": self.seed_generator}
        ink = 255.0 - pictures
        filtered = ops.conv(ink, keras.random.normal((3, 3, 3, 3), stddev=27**-0.5, **draw), padding="same")
        amount = keras.random.uniform((n, 1, 1, 1), **draw)
        chosen = ops.cast(keras.random.uniform((n, 1, 1, 1), **draw) < self.share, "float32")
        return ops.clip(255.0 - ink - chosen * amount * (ops.abs(filtered) - ink), 0.0, 255.0)


AUGMENTATIONS = {
    "none": lambda: [],
    "flip": lambda: [layers.RandomFlip("horizontal")],
    "affine": lambda: [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.06, fill_mode="constant", fill_value=255.0),
        layers.RandomZoom((-0.2, 0.25), (-0.2, 0.25), fill_mode="constant", fill_value=255.0),
        layers.RandomTranslation(0.1, 0.1, fill_mode="constant", fill_value=255.0),
    ],
    "affine+colour": lambda: [
        *AUGMENTATIONS["affine"](),
        layers.RandomColorJitter((0, 255), brightness_factor=0.15, contrast_factor=0.3,
                                 saturation_factor=(0.1, 0.75), hue_factor=0.15),
        layers.RandomGrayscale(0.2),
    ],
    "affine+colour+hand": lambda: [  # what differs between artists: line, gloss, paper
        *AUGMENTATIONS["affine+colour"](),
        layers.RandomInvert(0.1),
        layers.RandomGaussianBlur(0.3, kernel_size=3, sigma=(0.5, 1.5), value_range=(0, 255)),
        layers.RandomPosterization(3, value_range=(0, 255)),
    ],
    "affine+colour+erasing": lambda: [
        *AUGMENTATIONS["affine+colour"](),
        layers.RandomErasing(0.5, scale=(0.02, 0.2), fill_value=255.0, value_range=(0, 255)),
    ],
    "affine+colour+texture": lambda: [
        *AUGMENTATIONS["affine+colour"](),
        RandomConvolution(),
    ],
}


class Muon(keras.optimizers.Muon):
    """Keras's Muon for convolutions too, whose kernels are taken for matrices from patches to channels.

    Keras gives all but matrices to Adam; see Jordan 2024, *Muon: an optimizer for hidden layers*.
    """

    def _should_use_adamw(self, variable):
        return len(variable.shape) != 4 or variable.shape[-1] == 1

    def zeropower_via_newtonschulz5(self, gradient, steps):
        flat = ops.reshape(gradient, (-1, gradient.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(flat, steps), gradient.shape)

    def lr_adjust(self, update):
        return ops.reshape(super().lr_adjust(ops.reshape(update, (-1, update.shape[-1]))), update.shape)


OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "sgd": lambda rate, **settings: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **settings),
    "muon": lambda rate, weight_decay, **settings: Muon(
        rate, weight_decay=weight_decay, adam_weight_decay=weight_decay, **settings),
}

LOSSES = {
    "crossentropy": keras.losses.CategoricalCrossentropy,
    "focal": lambda **settings: keras.losses.CategoricalFocalCrossentropy(alpha=1.0, **settings),
}


def data_hash(dataset):
    """12 hex digits that change when a picture, a label or a part of the data set changes."""
    columns = ["path", "class_name", "split", "copies", "sha256"]
    return hashlib.sha256(dataset[columns].to_csv(index=False).encode()).hexdigest()[:12]


def run_id(config, data):
    """12 hex digits that name the run of a configuration on data with the hash ``data``."""
    return hashlib.sha256(json.dumps([asdict(config), data]).encode()).hexdigest()[:12]


def load_arrays(dataset, folder, size, fit, cache):
    """Pictures as one array on disk, made once per list of files and input format.

    Parameters
    ----------
    dataset : pandas.DataFrame
        Columns of dataset.csv.
    folder : str or Path
        What its paths are relative to.
    size, fit
        As for :func:`evaluate.fit_image`.
    cache : Path
        Folder for the array.

    Returns
    -------
    numpy.memmap
        uint8, shape (n, size, size, 3), read-only, in the order of ``dataset``.
    """
    pictures = hashlib.sha256(dataset[["path", "sha256"]].to_csv(index=False).encode()).hexdigest()[:12]
    path = cache / f"{pictures}-{size}-{fit}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        array = open_memmap(partial, "w+", np.uint8, (len(dataset), size, size, 3))
        pictures = read_ahead([Path(folder, p) for p in dataset.path], size, fit)
        pictures = progress(pictures, "decode", len(dataset))
        for index, picture in enumerate(pictures):
            if isinstance(picture, str):
                raise ValueError(f"{dataset.path.iloc[index]} was readable when scanned: {picture}")
            array[index] = picture
        array.flush()
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")


class Batches(keras.utils.PyDataset):
    """Seeded training batches: classes drawn by their weight, pictures of a class by their copies.

    Each batch is pictures, one-hot classes, and weights in the loss. What an epoch shows depends on
    the seed and its number alone, so a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(self, images, labels, copies, config):
        """``copies`` says how often a picture counts: 0 for those that are not for training."""
        super().__init__()
        self.images, self.labels, self.config = images, labels, config
        self.steps = config.steps_per_epoch or max(1, int((copies > 0).sum()) // config.batch_size)
        counts = np.maximum(1.0, np.bincount(labels, copies))
        self.shares = copies * counts[labels] ** (config.sampling - 1.0)
        self.class_shares = np.bincount(labels, self.shares) / self.shares.sum()
        self.targets = np.eye(len(counts), dtype=np.float32)
        weights = counts**-config.class_weighting
        self.weights = (weights / np.average(weights, weights=counts)).astype(np.float32)
        self.start_epoch(0)

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        size = self.config.batch_size
        rows = np.sort(self.order[step * size : (step + 1) * size])
        labels = self.labels[rows]
        batch = self.images[rows], self.targets[labels], self.weights[labels]
        if self.config.mixing == "none":
            return batch
        return mix(*batch, self.config.mixing, np.random.default_rng([self.config.seed, self.epoch, step]))

    def start_epoch(self, epoch):
        """Draw by systematic sampling: pictures and classes get their expected places, give or take one."""
        self.epoch = epoch
        rng = np.random.default_rng([self.config.seed, epoch])
        n = len(self) * self.config.batch_size
        rows = np.lexsort((rng.random(len(self.labels)), self.labels))
        edges = np.cumsum(self.shares[rows] / self.shares.sum()) * n
        places = (np.arange(n) + rng.random()).clip(max=np.nextafter(edges[-1], 0))
        picked = rows[np.searchsorted(edges, places, side="right")]
        self.order = rng.permutation(picked)


def untuned(batches):
    """What ``fit`` is given: on the TensorFlow backend a tf.data set that does not tune itself.

    With Keras's own some epochs are idle at their end, up to half of their time, until 41 s after their
    start: seemingly the thread that tunes, which wakes after 10 ms, 20 ms, 40 ms and so on.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    signature = keras.tree.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), batches[0])
    dataset = tf.data.Dataset.from_generator(lambda: (batches[step] for step in range(len(batches))),
                                             output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return dataset.prefetch(2).with_options(options)


def mix(pictures, targets, weights, how, rng):
    """Each picture of a batch with another one, and their targets in the same proportion.

    ``mixup`` is their weighted mean (Zhang et al. 2018, arXiv:1710.09412, alpha 0.2), ``cutmix``
    a rectangle of the other in the one (Yun et al. 2019, arXiv:1905.04899, alpha 1).

    Parameters
    ----------
    pictures : numpy.ndarray
        uint8, shape (n, side, side, 3).
    targets, weights : numpy.ndarray
        float32, shapes (n, classes) and (n,).
    how : {"mixup", "cutmix"}
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray
        As the first three parameters.
    """
    others = rng.permutation(len(pictures))
    pictures, side = np.asarray(pictures), pictures.shape[1]
    if how == "mixup":
        share = np.float32(rng.beta(0.2, 0.2))
        mixed = np.rint(share * pictures + (1 - share) * pictures[others]).astype(np.uint8)
    else:
        edge = np.sqrt(1 - rng.uniform()) * side
        middle = rng.uniform(0, side, 2)
        (top, left), (bottom, right) = (
            np.rint((middle + sign * edge / 2).clip(0, side)).astype(int) for sign in (-1, 1))
        mixed = pictures.copy()
        mixed[:, top:bottom, left:right] = pictures[others, top:bottom, left:right]
        share = np.float32(1 - (bottom - top) * (right - left) / side**2)
    return mixed, *(share * values + (1 - share) * values[others] for values in (targets, weights))


class Progress(keras.callbacks.Callback):
    """Keeps the state of a run on disk after every epoch, and prints a line."""

    def __init__(self, folder, config, batches):
        super().__init__()
        self.folder, self.config, self.batches = folder, config, batches
        self.state = folder / "state.json"
        self.history = json.loads(self.state.read_text()) if self.state.exists() else []

    def weights_path(self):
        return self.folder / f"epoch-{len(self.history)}.weights.h5"

    def on_train_begin(self, logs=None):
        if self.history:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(self.weights_path())

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.start_epoch(epoch)
        reseed(self.model, self.config.seed, epoch)
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss is {logs['loss']} after epoch {epoch + 1}")
        before = self.weights_path()
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self.start, 2)}
        self.history.append(row | {key: round(float(value), 5) for key, value in logs.items()})
        self.model.save_weights(self.weights_path())
        partial = self.state.with_suffix(".partial")
        partial.write_text(json.dumps(self.history))
        os.replace(partial, self.state)
        before.unlink(missing_ok=True)
        text = "  ".join(f"{key} {value:.4g}" for key, value in self.history[-1].items())
        print(f"{text}  (of {self.config.epochs})", flush=True)


def train(dataset, folder, config, question="", work=Path("work/data")):
    """Train one configuration on the part ``train`` and score it on the part ``validation``.

    Parameters
    ----------
    dataset : pandas.DataFrame
        Columns of dataset.csv.
    folder : str or Path
        What its paths are relative to.
    config : Config
    question : str
        What the run is meant to answer; kept in the record.
    work : Path
        Folder for the array cache and for ``runs/<run_id>``.

    Returns
    -------
    Record
    """
    data = data_hash(dataset)
    identity = run_id(config, data)
    run_folder = work / "runs" / identity
    run_folder.mkdir(parents=True, exist_ok=True)
    images = load_arrays(dataset, folder, config.input_size, config.fit, work / "cache")
    labels, parts = dataset.class_id.to_numpy(), dataset.split.to_numpy()
    class_names = dataset.groupby("class_id").class_name.first().tolist()
    keras.utils.set_random_seed(config.seed)
    with dtype_policy(config.precision):
        network = fused(build_network(config, len(class_names)))
        batches = Batches(images, labels, dataset.copies.to_numpy() * (parts == "train"), config)
        model = compile_for_training(network, config, len(batches), batches.class_shares)
    progress = Progress(run_folder, config, batches)
    rows = parts == "validation"
    model.fit(untuned(batches), epochs=config.epochs, initial_epoch=len(progress.history), shuffle=False,
              validation_data=(images[rows], batches.targets[labels[rows]]), validation_batch_size=256,
              verbose=0, callbacks=[progress])
    batches.start_epoch(config.epochs - 1)
    reseed(model, config.seed, config.epochs)  # also where a run goes on after its last epoch
    recalibrate(model, network, batches)
    exported = build_network(config, len(class_names))
    exported.set_weights(network.get_weights())
    result = score(labels[rows], exported.predict(images[rows], 256, verbose=0).argmax(1), class_names)
    record = Record(
        run_id=identity, question=question, config=config, data_hash=data,
        backend=keras.backend.backend(), device=device_name(), epochs=len(progress.history),
        seconds=round(sum(h["seconds"] for h in progress.history), 1),
        parameters=exported.count_params(), multiply_adds=multiply_adds(exported),
        val_macro_f1=round(result["macro_f1"], 5), val_micro_f1=round(result["micro_f1"], 5),
        val_class_f1=" ".join(f"{c['f1']:.4f}" for c in result["per_class"].values()),
        weights=run_folder / "model.h5")
    description = Description(class_names, config.input_size, config.fit, summary(record))
    save_classifier(exported, description, record.weights)
    return record


def summary(record):
    """The record as a flat, JSON-ready dict: settings of the configuration spread out."""
    flat = {**asdict(record), **asdict(record.config)}
    flat["blocks"] = "-".join(map(str, record.config.blocks))
    return {key: value for key, value in flat.items() if key not in ("config", "weights")}


def build_network(config, n_classes):
    """The untrained network that a configuration names, under the current dtype policy."""
    return build(config.input_size, n_classes, config.network, config.width, config.blocks, config.dropout,
                 config.channels, config.normalisation, config.pooling, config.stem)


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's batch normalisation by TensorFlow's fused kernel, which makes a step twice as fast on a CPU."""

    def call(self, inputs, training=None, mask=None):
        if not training:
            return super().call(inputs, training, mask)
        from tensorflow import compat, ones_like, zeros_like  # only this backend has the kernel

        gamma = self.gamma if self.scale else ones_like(self.moving_mean)
        beta = self.beta if self.center else zeros_like(self.moving_mean)
        outputs, mean, variance = compat.v1.nn.fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs


def fused(network):
    """The same network, to train: on the TensorFlow backend with its fused batch normalisation."""
    if keras.backend.backend() != "tensorflow":
        return network

    def same(layer):
        normalises = type(layer) is layers.BatchNormalization
        return (FusedBatchNormalization if normalises else type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=same)
    copy.set_weights(network.get_weights())
    return copy


def compile_for_training(network, config, steps, shares):
    """Put augmentation before a network and the prior behind it, outside what is exported.

    ``steps`` is those of an epoch; ``shares`` is each class's of the pictures drawn. The prior is the
    logit adjustment of Menon et al. 2021 (arXiv:2007.07314).
    """
    inputs = keras.Input(network.input_shape[1:], dtype="uint8")
    x = ops.cast(inputs, "float32")
    for layer in AUGMENTATIONS[config.augmentation]():
        layer.dtype_policy = "float32"
        x = layer(x)
    outputs = network(ops.cast(ops.clip(ops.round(x), 0, 255), "uint8"))
    if config.prior:
        outputs = outputs * np.float32(np.maximum(shares, 1e-6) ** config.prior)
        outputs = outputs / ops.sum(outputs, -1, keepdims=True)
    model = keras.Model(inputs, outputs)
    momentum = min(config.ema_momentum, max(0.0, 1 - 5 / (steps * config.epochs)))  # a fifth of the run
    optimizer = OPTIMIZERS[config.optimizer](
        learning_rates(config, steps), weight_decay=config.weight_decay, use_ema=config.ema_momentum > 0,
        ema_momentum=momentum)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    loss = LOSSES[config.loss](label_smoothing=config.label_smoothing)
    slow_jit = keras.backend.backend() == "tensorflow" and device_name() == "cpu"
    metrics = ["accuracy", keras.metrics.F1Score(average="macro", name="macro_f1")]
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False if slow_jit else "auto")
    return model


def learning_rates(config, steps):
    """The learning rate of each step, as a Keras schedule; ``steps`` is those of an epoch."""
    falling = max(1, steps * (config.epochs - 1))
    return keras.optimizers.schedules.CosineDecay(
        0.0, falling, alpha={"cosine": 0.0, "constant": 1.0}[config.schedule],
        warmup_target=config.learning_rate, warmup_steps=steps)


def reseed(model, seed, epoch):
    """Set the state of every random layer from seed and epoch, so that a resumed run repeats it."""
    rng = np.random.default_rng([seed, epoch])
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(rng.integers(0, 2**31, variable.shape, dtype=np.uint32))


def recalibrate(model, network, batches, most=50):
    """Measure the means and variances of batch normalisation anew, for the averaged weights.

    Averaged weights were never run on a batch, so the moving statistics are not theirs; short runs
    have not converged to any. After Izmailov et al. 2018 (arXiv:1803.05407), section 3.2.
    """
    normalisations = [la for la in network.layers if isinstance(la, layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalisations]
    for step in range(min(most, len(batches))):
        for layer in normalisations:
            layer.momentum = step / (step + 1)  # a plain mean over the batches so far
        model(batches[step][0], training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def device_name():
    """``cpu`` or ``gpu``: where Keras puts a tensor, on any backend."""
    return "cpu" if "cpu" in str(ops.zeros(()).device).lower() else "gpu"


@contextmanager
def dtype_policy(name):
    """Layers made inside get this Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def save_classifier(model, description, path):
    """Write a complete Keras model to HDF5 with its description, checked by reading back.

    Parameters
    ----------
    model : keras.Model
        Built-in layers only, uint8 RGB in, class probabilities out.
    description : evaluate.Description
        Goes into the HDF5 attribute ``classifier`` after the model is saved.
    path : Path
        Replaced only when the new file is whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial.h5")
    with _without_legacy_notice():
        model.save(partial, include_optimizer=False)
    with h5py.File(partial, "a") as file:
        file.attrs["classifier"] = json.dumps(asdict(description), ensure_ascii=False)
        file.visititems(_fix_lengths)
    if read_description(partial) != description:
        raise RuntimeError(f"{partial} does not give back the description written to it")
    os.replace(partial, path)


def _fix_lengths(name, found):
    """Store lists of names as texts of one length, which can be read without trusting the file."""
    for key, value in found.attrs.items():
        if np.ndim(value) and value.dtype == object:
            found.attrs[key] = np.char.encode(value.astype(str), "utf-8")


@contextmanager
def _without_legacy_notice():
    """Keras advises against HDF5 on every save; the challenge asks for it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
