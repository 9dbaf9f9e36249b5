"""Weights files that would do harm, which are refused, and harmless ones, which load."""

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import COLOURS, save_colour_network

import evaluate
from evaluate import EvaluationError, inspect_weights, load_classifier, read_description, read_weights_file
from illus.learn.export import save_classifier
from illus.learn.heads import nearest_features, with_temperature
from illus.learn.networks import BLOCKS, CHANNELS, NORMALISATIONS, POOLINGS, average, build

DENSE = "model_weights/dense/dense"


def config(change):
    """A change of the file that changes its model's configuration: the list of layers in place."""

    def apply(file):
        model = json.loads(file.attrs["model_config"])
        change(model["config"]["layers"])
        file.attrs["model_config"] = json.dumps(model)

    return apply


def settings(**changes):
    return config(lambda layers: layers[-1]["config"].update(changes))


def layer(**changes):
    return config(lambda layers: layers[-1].update(changes))


def replaced(name, **how):
    """A data set stored in another way."""

    def apply(file):
        values = file[name][:]
        del file[name]
        file.create_dataset(name, **({"data": values} | how))

    return apply


def nested(layers):
    inner = {
        "class_name": "Functional",
        "name": "inner",
        "inbound_nodes": [],
        "config": {"layers": [{"class_name": "Lambda", "config": {}, "name": "x", "inbound_nodes": []}]},
    }
    layers.append(inner)


def compact(file):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(file["model_weights"].id, b"compact", h5py.h5t.IEEE_F32LE, space, settings)


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (3,))
    del file[f"{DENSE}/bias"]
    file.create_virtual_dataset(f"{DENSE}/bias", layout)


def bomb(file):
    """Two gigabytes of zeros in a few bytes."""
    del file[f"{DENSE}/kernel"]
    file.create_dataset(f"{DENSE}/kernel", (2**29,), "f4", chunks=(2**20,), compression="gzip", fillvalue=0.0)


def put(name, value):
    def apply(file):
        file[name] = value

    return apply


def names(key, value, group="model_weights"):
    def apply(file):
        file[group].attrs[key] = value

    return apply


def described(**changes):
    """Another description."""
    description = {"class_names": ["a", "b", "c"], "input_size": 16, "fit": "pad"} | changes
    return lambda file: file.attrs.__setitem__("classifier", json.dumps(description))


def many_layers(layers):
    layers += [layers[1]] * 1_500


def function(name):
    return {"class_name": "function", "config": name, "module": "builtins", "registered_name": "function"}


BEFORE_LOADING = {
    "a data set of 2 GB in 36 KB": (bomb, "not an array of plain numbers"),
    "chunks": (replaced(f"{DENSE}/bias", chunks=(1,)), "not an array of plain numbers"),
    "compact": (compact, "not an array of plain numbers"),
    "virtual": (virtual, "not an array of plain numbers"),
    "external storage": (
        replaced(f"{DENSE}/bias", data=None, shape=(3,), dtype="f4", external=[("/etc/hostname", 0, 12)]),
        "not an array of plain numbers",
    ),
    "never written": (
        replaced(f"{DENSE}/bias", data=None, shape=(10**9,), dtype="f4"),
        "not an array of plain numbers",
    ),
    "text": (put("model_weights/text", "hello"), "not an array of plain numbers"),
    "soft link": (put("soft", h5py.SoftLink("/model_weights")), "/soft is a link to elsewhere"),
    "external link": (put("out", h5py.ExternalLink("/etc/hostname", "/")), "/out is a link to elsewhere"),
    "cycle": (lambda f: f["model_weights"].__setitem__("again", f["model_weights"]), "also has another name"),
    "two names": (lambda f: f.__setitem__("bias", f[f"{DENSE}/bias"]), "also has another name"),
    "named type": (lambda f: f.__setitem__("type", np.dtype("f8")), "neither a group nor a data set"),
    "many objects": (
        lambda f: [f.create_group(f"many/{i}") for i in range(5_001)],
        "more than 5,000 objects",
    ),
    "long text": (lambda f: f.attrs.__setitem__("long", "x" * 9_000_000), "of weights in a file of"),
    "list of texts": (names("weight_names", ["a", "b"]), "neither text nor numbers"),
    "a name twice": (
        names("weight_names", np.array([b"dense/bias", b"dense/bias"]), "model_weights/dense"),
        "lists a name twice, or one that does not exist",
    ),
    "a name in two forms": (
        names("weight_names", np.array([b"dense/bias", b"./dense/bias"]), "model_weights/dense"),
        "lists a name twice, or one that does not exist",
    ),
    "a name of nothing": (
        names("layer_names", np.array([b"nothing"])),
        "lists a name twice, or one that does not exist",
    ),
    "units": (settings(units=60_000_000), "a number beyond 65,536"),
    "not a number": (settings(units=float("nan")), "a number beyond 65,536"),
    "Lambda": (layer(class_name="Lambda"), "asks for keras.Lambda"),
    "Lambda in a nested model": (config(nested), "asks for keras.Lambda"),
    "a layer that nobody here uses": (layer(class_name="UpSampling2D"), "asks for keras.UpSampling2D"),
    "TFSMLayer": (layer(class_name="TFSMLayer", module="keras.layers"), "asks for keras.layers.TFSMLayer"),
    "another module": (layer(module="os"), "asks for os.Dense"),
    "registered name": (layer(registered_name="mine>Dense"), "asks for keras.Dense"),
    "function": (settings(activation=function("eval")), "asks for builtins.function"),
    "code": (settings(activation={"class_name": "__lambda__", "config": {"value": "4w=="}}), "__lambda__"),
    "class that is no text": (layer(class_name=["Dense"]), "damaged: .*unhashable"),
    "used twice": (
        config(lambda layers: layers[-1]["inbound_nodes"].append(layers[-1]["inbound_nodes"][0])),
        "uses a layer Dense more than once",
    ),
    "a wide dilation": (settings(dilation_rate=[1, 60_000]), "dilation of more than 64"),
    "many layers": (config(many_layers), "more than 1,000"),
    "deep": (lambda f: f.attrs.__setitem__("model_config", "[" * 100_000), "damaged JSON"),
    "no JSON": (lambda f: f.attrs.__setitem__("model_config", "hello"), "damaged JSON"),
    "class names that steer a terminal": (described(class_names=["\x1b[2J"]), "damaged: class_names"),
    "a class name twice": (described(class_names=["a", "a"]), "no class name, or one twice"),
    "a long description": (
        described(training={"x": "y" * 1_000_000}),
        "description of more than 1,000,000 characters",
    ),
}


def padded(layers):
    """A border of 30,000 pixels around the input; the classifier follows."""
    big = json.loads(json.dumps(layers[1]))
    big |= {"class_name": "ZeroPadding2D", "name": "big"}
    big["config"] = {"name": "big", "padding": [[30_000, 30_000], [30_000, 30_000]]}
    node = big["inbound_nodes"][0]["args"][0]["config"]
    node["keras_history"][0] = layers[1]["name"]
    layers[2]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "big"
    layers.insert(2, big)


AT_LOADING = {
    "more units than stored": (settings(units=50_000), "weight of shape .3, 50000., which is not stored"),
    "fewer weights than stored": (settings(use_bias=False), "Weight count mismatch"),
    "a weight of no layer": (
        put("model_weights/more", np.zeros(3, "f4")),
        "1 stored weights belong to no layer",
    ),
    "more weights than stored": (lambda f: f.__delitem__("model_weights/dense"), "which is not stored"),
    "a huge map": (config(padded), "more than 16,000,000 numbers for one image"),
    "the settings of another layer": (layer(class_name="Flatten"), "no Keras model"),
    "not finite": (lambda f: f[f"{DENSE}/bias"].__setitem__(0, np.nan), "weights that are not finite"),
}


@pytest.fixture
def hostile(colour_weights, tmp_path):
    def build(change, name="hostile.h5"):
        path = tmp_path / name
        shutil.copy(colour_weights, path)
        with h5py.File(path, "a") as file:
            change(file)
        with h5py.File(path, "a") as file:  # a list of names that fits, where data sets are gone
            group = file.get("model_weights/dense")
            if group and "dense/bias" not in group:
                group.attrs["weight_names"] = np.array([b"dense/kernel"])
            elif group is None and "model_weights" in file:
                left = [n for n in file["model_weights"].attrs["layer_names"] if n != b"dense"]
                file["model_weights"].attrs["layer_names"] = np.array(left)
        return path

    return build


@pytest.mark.parametrize("case", BEFORE_LOADING)
def test_refused_before_anything_is_deserialised(hostile, case):
    change, message = BEFORE_LOADING[case]
    with pytest.raises(EvaluationError, match=message):
        read_weights_file(hostile(change))


@pytest.mark.parametrize("case", AT_LOADING)
def test_refused_while_it_is_built(hostile, case):
    change, message = AT_LOADING[case]
    path = hostile(change)
    read_weights_file(path)  # nothing to see from outside
    with pytest.raises(EvaluationError, match=message) as caught:
        load_classifier(path)
    assert "\n" not in str(caught.value)


def a_network(layers):
    """A member of an average, which is used twice: for the image and its mirror image."""
    return next(layer for layer in layers if layer["class_name"] == "Functional")


def used(times, where=a_network, **changes):
    def change(layers):
        found = where(layers)
        found["inbound_nodes"] = (found["inbound_nodes"] * times)[:times]
        found.update(changes)

    return config(change)


def named(name):
    return lambda layers: next(layer for layer in layers if layer["name"] == name)


def network_in_a_network(times):
    """Another one inside a member, which would be computed ``times`` times at each of its two uses."""

    def change(layers):
        inner = json.loads(json.dumps(a_network(layers)))
        inner |= {"name": "inner", "inbound_nodes": (inner["inbound_nodes"] * times)[:times]}
        a_network(layers)["config"]["layers"].append(inner)

    return config(change)


def lambda_in_a_network(layers):
    a_network(layers)["config"]["layers"][-1]["class_name"] = "Lambda"


def flip_along_the_batch(layers):
    flip = named("mirror")(layers)
    flip |= {"class_name": "Flip", "module": "keras.src.ops.numpy", "registered_name": "Flip"}
    flip["config"] = {"axis": 0, "name": "mirror"}


def columns(*order):
    return config(lambda layers: named("columns_last")(layers)["config"].update(dims=order))


def memory(value):
    def apply(file):
        found = [node for node in file["model_weights"]["member_1"].values() if "memory" in node.name]
        found[0]["kernel"][0, 0] = value

    return apply


def larger_memory(layers):
    named("memory")(a_network(layers)["config"]["layers"])["config"]["units"] += 1


WITH_OPTIONS_BEFORE_LOADING = {
    "three uses": (used(3), "uses a layer Functional more than twice"),
    "a thousand uses": (used(1_000), "uses a layer Functional more than twice"),
    "two uses deeper down": (network_in_a_network(2), "uses a layer Functional more than once"),
    "two uses of a layer": (used(2, named("mirror")), "uses a layer Dense more than once"),
    "two uses of a sequence": (used(2, class_name="Sequential"), "uses a layer Sequential more than once"),
    "a Lambda in a network": (config(lambda_in_a_network), "asks for keras.Lambda"),
    "a flip along the batch": (config(flip_along_the_batch), "asks for keras.src.ops.numpy.Flip"),
}
WITH_OPTIONS_AT_LOADING = {
    "columns and batch exchanged": (columns(3, 2, 0), "no Keras model"),
    "an axis twice": (columns(1, 1, 2), "no Keras model"),
    "a memory with NaN": (memory(np.nan), "weights that are not finite"),
    "a larger memory": (config(larger_memory), "which is not stored"),
}


@pytest.fixture(scope="module")
def with_options(tmp_path_factory):
    """A network with all options of the export, and its weights file."""
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    members = [build(16, 3, width=4, blocks=(1, 1)), build(16, 3, "plain", width=8, blocks=(1,))]
    members[0] = nearest_features(members[0], images, np.arange(6) % 3)
    model = average([with_temperature(member, 0.5) for member in members], mirrored=True)
    path = tmp_path_factory.mktemp("options") / "w.h5"
    save_classifier(model, evaluate.Description(["a", "b", "c"], 16, "pad"), path)
    return model, path


def test_a_network_with_all_options_is_accepted(with_options):
    model, path = with_options
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)
    loaded, _ = load_classifier(path)
    np.testing.assert_allclose(loaded.predict_on_batch(images), model.predict_on_batch(images), atol=1e-6)
    assert not any(layer.trainable_weights for layer in loaded.layers if layer.name == "mirror")


@pytest.mark.parametrize("case", WITH_OPTIONS_BEFORE_LOADING | WITH_OPTIONS_AT_LOADING)
def test_what_the_options_do_not_need_is_refused(with_options, tmp_path, case):
    change, message = (WITH_OPTIONS_BEFORE_LOADING | WITH_OPTIONS_AT_LOADING)[case]
    path = tmp_path / "w.h5"
    shutil.copy(with_options[1], path)
    with h5py.File(path, "a") as file:
        change(file)
    if case in WITH_OPTIONS_AT_LOADING:
        read_weights_file(path)
    with pytest.raises(EvaluationError, match=message) as caught:
        (load_classifier if case in WITH_OPTIONS_AT_LOADING else read_weights_file)(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_or_no_file_is_refused(colour_weights, tmp_path):
    path = tmp_path / "large.h5"
    shutil.copy(colour_weights, path)
    with open(path, "r+b") as file:
        file.truncate(300_000_000)
    with pytest.raises(EvaluationError, match="300,000,000 bytes, more than 200,000,000"):
        read_description(path)
    with pytest.raises(EvaluationError, match="no such weights file"):
        read_description(tmp_path)


def test_refused_fast_and_in_little_memory(hostile):
    """Beyond what importing Keras takes: under 2 s of processor time and 300 MB for each, as is promised."""
    files = [
        hostile(change, f"{number}.h5")
        for number, (change, _) in enumerate([*BEFORE_LOADING.values(), *AT_LOADING.values()])
    ]
    script = """if True:
        import resource, sys
        import evaluate
        evaluate.import_keras()
        evaluate.load_classifier(sys.argv[1])
        used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        seconds = lambda: sum(sum(resource.getrusage(who)[:2]) for who in both)
        before, slowest = used(), 0
        for path in sys.argv[2:]:
            start = seconds()
            try:
                evaluate.load_classifier(path)
                sys.exit(f"{path} was loaded")
            except evaluate.EvaluationError as error:
                slowest = max(slowest, seconds() - start)
        print(slowest, used() - before)
    """
    good = files[0].with_name("good.h5")
    save_colour_network(good)
    done = subprocess.run(
        [sys.executable, "-c", script, good, *files],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    slowest, megabytes = map(float, done.stdout.split())
    assert 0.01 < slowest < 2
    assert megabytes < 300


def test_outputs_that_are_not_finite_are_refused(hostile, class_folder_tree):
    path = hostile(lambda file: file[f"{DENSE}/kernel"].__setitem__(..., 3e38))
    with pytest.raises(EvaluationError, match="outputs are not finite"):
        evaluate.evaluate(class_folder_tree, path)


@pytest.mark.parametrize(
    "settings",
    [
        *({"block": name} for name in BLOCKS),
        *({"channels": name} for name in CHANNELS),
        *({"normalisation": name} for name in NORMALISATIONS),
        *({"pooling": name} for name in POOLINGS),
    ],
    ids=lambda settings: "-".join(settings.values()),
)
def test_every_network_of_this_project_is_accepted(colour_weights, tmp_path, settings):
    description = replace(read_description(colour_weights), input_size=16)
    model = build(16, 3, width=4, blocks=(1, 1), **settings)
    save_classifier(model, description, tmp_path / "w.h5")
    loaded, _ = load_classifier(tmp_path / "w.h5")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    assert np.allclose(loaded(images), model(images), atol=1e-6)


def test_an_average_of_networks_is_accepted(colour_weights, tmp_path):
    members = [build(16, 3, width=4, blocks=(1,)) for _ in range(3)]
    save_classifier(average(members), read_description(colour_weights), tmp_path / "w.h5")
    assert load_classifier(tmp_path / "w.h5")[0].name == "average"


def test_a_sequence_of_layers_is_accepted(colour_weights, tmp_path):
    import keras

    model = keras.Sequential(
        [
            keras.Input((16, 16, 3), dtype="uint8"),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.1),
            keras.layers.RandomZoom(0.1),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    images = np.zeros((2, 16, 16, 3), np.uint8)
    model.train_on_batch(images, np.zeros(2))
    save_classifier(model, read_description(colour_weights), tmp_path / "w.h5")
    loaded, _ = load_classifier(tmp_path / "w.h5")
    assert np.allclose(loaded(images), model(images), atol=1e-6)


def in_a_row(*steps):
    """A network of these calls between its convolution and its classes."""
    import keras

    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    for step in steps:
        x = step(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def across_the_batch():
    from keras import layers

    return {
        "softmax": in_a_row(layers.Softmax(axis=0)),
        "softmax, counted from the end": in_a_row(layers.Softmax(axis=-4)),
        "softmax of two axes": in_a_row(layers.Softmax(axis=(0, 3))),
        "unit norm": in_a_row(layers.UnitNormalization(axis=0)),
    }


def along_the_channels():
    from keras import layers

    return {
        "softmax": in_a_row(layers.Softmax(axis=3)),
        "softmax of two axes": in_a_row(layers.Softmax(axis=(1, 2))),
        "unit norm": in_a_row(layers.UnitNormalization(axis=-1)),
        "batch norm": in_a_row(lambda x: layers.BatchNormalization(axis=3)(x, training=False)),
        "concatenation": in_a_row(lambda x: layers.Concatenate()([x, x])),
        # Keras's predict overrides what a call asks for, as a random layer does by default
        "batch norm in training": in_a_row(lambda x: layers.BatchNormalization()(x, training=True)),
        "dropout in training": in_a_row(lambda x: layers.Dropout(0.5)(x, training=True)),
        "random layer": in_a_row(lambda x: layers.RandomFlip()(x)),
    }


@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_a_prediction_must_not_depend_on_the_other_images(colour_weights, tmp_path):
    description = replace(read_description(colour_weights), input_size=16)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    for model in along_the_channels().values():
        save_classifier(model, description, tmp_path / "w.h5")
        loaded, _ = load_classifier(tmp_path / "w.h5")
        alone = loaded.predict_on_batch(images[:1])
        assert np.allclose(loaded.predict_on_batch(images)[:1], alone, atol=1e-6)
    for name, model in across_the_batch().items():
        alone = model.predict_on_batch(images[:1])
        assert not np.allclose(model.predict_on_batch(images)[:1], alone, atol=1e-6), name
        with pytest.raises(EvaluationError, match="computes across the images of a batch"):  # reads it again
            save_classifier(model, description, tmp_path / "w.h5")


def test_every_allowed_class_is_one_of_keras():
    import keras

    for name in evaluate.LAYERS - {"Functional"}:
        assert issubclass(getattr(keras.layers, name, None) or getattr(keras, name), keras.Layer)
    parts = evaluate.PARTS - {"__keras_tensor__", "DTypePolicy"}
    assert all(hasattr(keras.initializers, name) or hasattr(keras.regularizers, name) for name in parts)


def test_large_maps_are_predicted_in_small_batches(colour_weights, class_folder_tree, monkeypatch):
    predict, calls = evaluate.predict_batch, []

    def record(model, images, batch_size):
        calls.append((len(images), batch_size))
        return predict(model, images, batch_size)

    monkeypatch.setattr(evaluate, "predict_batch", record)
    monkeypatch.setattr(evaluate, "MAX_BATCH_ACTIVATION", 2 * 5 * 16 * 16 * 3)  # two batches at once
    result, _, _ = evaluate.evaluate(class_folder_tree, colour_weights)
    assert (sorted(calls), result["macro_f1"]) == ([(3, 5), (5, 5), (5, 5), (5, 5)], 1)


def test_building_leaves_keras_as_it_was(hostile, colour_weights):
    import keras

    make = keras.Layer.add_weight
    with pytest.raises(EvaluationError):
        load_classifier(hostile(AT_LOADING["more units than stored"][0]))
    load_classifier(colour_weights)
    assert keras.Layer.add_weight is make


def test_a_network_that_cannot_predict_is_one_line(hostile, class_folder_tree):
    path = hostile(config(lambda layers: layers[0]["config"].update(dtype="string")))
    with pytest.raises(EvaluationError, match="the model cannot predict") as caught:
        evaluate.evaluate(class_folder_tree, path)
    assert "\n" not in str(caught.value)


# --- The child process that reads a file first -----------------------------------------------------


def describe(*arguments):
    """Run evaluate.py with these arguments."""
    return subprocess.run([sys.executable, evaluate.__file__, *arguments], capture_output=True, text=True)


def test_the_hidden_mode_prints_what_is_in_a_file(colour_weights):
    done = describe("--describe-weights", colour_weights)
    ready, answer = done.stdout.splitlines()
    assert (done.returncode, done.stderr, ready) == (0, "", "")
    assert json.loads(answer) == {
        "description": {
            "class_names": list(COLOURS),
            "input_size": 16,
            "fit": "pad",
            "training": {"note": "by construction"},
        },
        "shapes": [[3], [3, 3]],
    }


def test_the_hidden_mode_prints_why_a_file_is_refused(hostile):
    path = hostile(BEFORE_LOADING["Lambda"][0])
    done = describe("--describe-weights", path)
    ready, answer = done.stdout.splitlines()
    assert (done.returncode, done.stderr, ready) == (0, "", "")
    assert json.loads(answer) == {
        "error": f"{path}: the model asks for keras.Lambda, which is not an allowed class"
    }


def test_the_hidden_mode_is_hidden_and_takes_one_file(colour_weights):
    assert "describe" not in describe("--help").stdout
    done = describe("--describe-weights", colour_weights, "more")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_the_child_finds_what_reading_here_finds(colour_weights):
    assert inspect_weights(colour_weights) == read_weights_file(colour_weights)
    assert read_description(colour_weights) == read_weights_file(colour_weights)[0]


@pytest.mark.parametrize("case", ["a data set of 2 GB in 36 KB", "cycle", "function", "no JSON"])
def test_the_child_reports_why_a_file_is_refused(hostile, case):
    change, message = BEFORE_LOADING[case]
    with pytest.raises(EvaluationError, match=message):
        load_classifier(hostile(change))


def test_the_child_needs_little_memory(hostile):
    cases = [
        "a data set of 2 GB in 36 KB",
        "many objects",
        "long text",
        "many layers",
        "deep",
        "a long description",
    ]
    files = [hostile(BEFORE_LOADING[case][0], f"{number}.h5") for number, case in enumerate(cases)]
    script = """if True:
        import resource, subprocess, sys
        for path in sys.argv[2:]:
            command = [sys.executable, sys.argv[1], "--describe-weights", path]
            subprocess.run(command, stdout=subprocess.DEVNULL)
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
    """
    command = [sys.executable, "-c", script, evaluate.__file__, *files]
    megabytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert 10 < megabytes < 300


def test_a_file_is_opened_by_the_child_alone_before_it_is_accepted(hostile, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("this process has opened the file")

    path = hostile(BEFORE_LOADING["cycle"][0])
    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(EvaluationError, match="also has another name"):
        load_classifier(path)


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Let another program take the place of the child process."""

    def replace(program):
        path = tmp_path / "child.py"
        path.write_text(program)
        monkeypatch.setattr(evaluate, "__file__", str(path))

    return replace


def answers(answer):
    """A program that answers as a child does, with this text."""
    return f"print(flush=True)\nprint({answer!r})"


GOOD_ANSWER = {
    "description": {"class_names": ["a"], "input_size": 16, "fit": "pad", "training": {}},
    "shapes": [[3, 3], [3], []],
}


def test_an_answer_is_read(child, colour_weights):
    child(answers(json.dumps(GOOD_ANSWER)))
    description = evaluate.Description(["a"], 16, "pad", {})
    assert inspect_weights(colour_weights) == (description, [(3, 3), (3,), ()])


@pytest.mark.parametrize(
    "program",
    [
        "print(flush=True)\nwhile True: pass",
        "import os\nprint(flush=True)\nos.abort()",
        "",
        "print(flush=True)",
        "raise SystemExit(1)",
    ],
    ids=["hangs", "crashes", "is silent", "has no answer", "does not start"],
)
def test_a_file_on_which_the_child_fails_is_refused(
    child, colour_weights, class_folder_tree, monkeypatch, program
):
    child(program)
    monkeypatch.setattr(evaluate, "CHILD_SECONDS", 0.5)
    with pytest.raises(EvaluationError, match=r"damaged: .*: reading it crashes or takes too long"):
        evaluate.evaluate(class_folder_tree, colour_weights)


def test_an_answer_that_is_too_long_is_cut_off(child, colour_weights, monkeypatch):
    child("import time\nprint(flush=True)\nprint('[' * 30_000_000, flush=True)\ntime.sleep(60)")
    monkeypatch.setattr(evaluate, "CHILD_SECONDS", 60)
    start = time.perf_counter()
    with pytest.raises(EvaluationError, match="reading it crashes or takes too long"):
        inspect_weights(colour_weights)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("answer", [None, 3, "text", [], {}, {"shapes": []}], ids=repr)
def test_an_answer_of_another_form_is_refused(child, colour_weights, answer):
    child(answers(json.dumps(answer)))
    with pytest.raises(EvaluationError, match="reading it crashes or takes too long"):
        inspect_weights(colour_weights)


@pytest.mark.parametrize("description", [None, 3, {}, [], {"colour": 1}, {"class_names": ["a"]}], ids=repr)
def test_an_answer_without_a_description_is_refused(child, colour_weights, description):
    child(answers(json.dumps(GOOD_ANSWER | {"description": description})))
    with pytest.raises(EvaluationError, match="reading it crashes or takes too long"):
        inspect_weights(colour_weights)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["a", "a"]},
        {"class_names": []},
        {"class_names": ["\x1b[2J"]},
        {"class_names": "ab"},
        {"input_size": 10**6},
        {"input_size": True},
        {"fit": "squeeze"},
        {"training": []},
    ],
    ids=repr,
)
def test_a_description_is_checked_again(child, colour_weights, changes):
    child(answers(json.dumps(GOOD_ANSWER | {"description": GOOD_ANSWER["description"] | changes})))
    with pytest.raises(EvaluationError, match="the description is damaged"):
        inspect_weights(colour_weights)


# fmt: off
IMPOSSIBLE_SHAPES = [
    None, 3, [3], ["33"], [{"3": 3}], [[3.0]], [[True]], [[[3]]], [[-1, 3]], [["3"]], [[float("nan")]],
    [[60_000, 60_000]], [[150_000_000], [150_000_000]], [[10**300, 10**300]], [[10**400]], [[]] * 5_001]
# fmt: on


@pytest.mark.parametrize("shapes", IMPOSSIBLE_SHAPES, ids=lambda shapes: repr(shapes)[:20])
@pytest.mark.filterwarnings("error")
def test_shapes_that_no_file_can_have_are_refused(child, colour_weights, shapes):
    child(answers(json.dumps(GOOD_ANSWER | {"shapes": shapes})))
    with pytest.raises(EvaluationError, match="reading it crashes or takes too long"):
        inspect_weights(colour_weights)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{", "null null", "9" * 10_000, "\udcff"],
    ids=["deep", "cut", "two", "long number", "not UTF-8"],
)
def test_an_answer_that_is_no_json_is_refused(child, colour_weights, text):
    data = text.encode(errors="surrogateescape")
    child(f"import sys\nprint(flush=True)\nsys.stdout.buffer.write({data!r})")
    with pytest.raises(EvaluationError, match="reading it crashes or takes too long"):
        inspect_weights(colour_weights)


@pytest.mark.parametrize("error", ["two\nlines", "x" * 9_000, ["a list"], {"a": "b"}])
def test_a_reported_error_is_one_line_of_bounded_length(child, colour_weights, error):
    child(answers(json.dumps({"error": error})))
    with pytest.raises(EvaluationError) as caught:
        inspect_weights(colour_weights)
    assert str(caught.value) == str(error).splitlines()[0][:1_000]


def test_stored_shapes_that_are_a_lie_do_not_load(child, colour_weights):
    real, shapes = read_weights_file(colour_weights)
    child(answers(json.dumps({"description": asdict(real), "shapes": shapes[:1]})))
    with pytest.raises(EvaluationError, match=r"weight of shape \(3, 3\), which is not stored"):
        load_classifier(colour_weights)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system counts no seconds of a process")
@pytest.mark.parametrize(
    ("reading", "refused"),
    [("while True: pass", True), ("time.sleep(0.6)", False)],
    ids=["a loop", "a slow disk"],
)
def test_seconds_of_reading_are_those_of_the_processor(child, colour_weights, monkeypatch, reading, refused):
    child(f"""import json, sys, time
sys.path.insert(0, {str(Path(evaluate.__file__).parent)!r})
import evaluate

def read_weights_file(weights):
    {reading}
    return evaluate.Description(["a"], 16, "pad", {{}}), [(3,)]

evaluate.read_weights_file = read_weights_file
evaluate.CHILD_CPU_SECONDS = 0.3
evaluate.describe_weights(sys.argv[2])
""")
    monkeypatch.setattr(evaluate, "CHILD_SECONDS", 30)
    start = time.perf_counter()
    with pytest.raises(EvaluationError, match="reading it crashes") if refused else nullcontext():
        inspect_weights(colour_weights)
    assert time.perf_counter() - start < 20


def test_what_an_optimizer_left_behind_is_not_read(hostile):
    path = hostile(put("optimizer_weights/adam/momentum", np.zeros(7, "f4")))
    assert load_classifier(path)[0].count_params() == 12
