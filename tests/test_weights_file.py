"""Weights files that would do harm, which are refused, and those of this project, which load."""

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import COLOURS, build, run_python

import evaluate
from evaluate import BLOCKS, CHANNELS, NORMALISATIONS, EvaluationError, inspect_weights, load_classifier
from illus.learn.export import save_classifier

SCORE = "model_weights/score/score"
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


def replaced(name, **how):
    """An array stored in another way."""

    def apply(file):
        values = file[name][:]
        del file[name]
        file.create_dataset(name, **({"data": values} | how))

    return apply


def compact(file):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(file["model_weights"].id, b"compact", h5py.h5t.IEEE_F32LE, space, settings)


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (3,))
    del file[f"{SCORE}/bias"]
    file.create_virtual_dataset(f"{SCORE}/bias", layout)


def put(name, value):
    return lambda file: file.__setitem__(name, value)


def described(**changes):
    """Another description; changes of the network by name."""

    def apply(file):
        facts = json.loads(file.attrs["classifier"])
        network = facts["network"] | changes.get("network", {})
        file.attrs["classifier"] = json.dumps(facts | changes | {"network": network})

    return apply


def attribute(value):
    return lambda file: file.attrs.__setitem__("classifier", value)


EXTERNAL = {"data": None, "shape": (3,), "dtype": "f4", "external": [("/etc/hostname", 0, 12)]}
BOMB = {"data": None, "shape": (2**29,), "dtype": "f4", "chunks": (2**20,), "compression": "gzip"}
PLAIN = "not an array of plain numbers"
DAMAGED = "settings are damaged: "
HOSTILE = {
    "2 GB in 36 KB": (replaced(f"{SCORE}/kernel", **BOMB), PLAIN),
    "chunks": (replaced(f"{SCORE}/bias", chunks=(1,)), PLAIN),
    "compact": (compact, PLAIN),
    "virtual": (virtual, PLAIN),
    "external storage": (replaced(f"{SCORE}/bias", **EXTERNAL), PLAIN),
    "never written": (replaced(f"{SCORE}/bias", data=None, shape=(10**9,), dtype="f4"), PLAIN),
    "text": (put("model_weights/text", "hello"), PLAIN),
    "whole numbers": (put("model_weights/n", np.arange(3)), PLAIN),
    "a named type": (put("type", np.dtype("f8")), PLAIN),
    "a soft link": (put("soft", h5py.SoftLink("/model_weights")), "soft is a link to elsewhere"),
    "an external link": (put("out", h5py.ExternalLink("/etc/hostname", "/")), "out is a link to elsewhere"),
    "a cycle": (lambda f: f["model_weights"].__setitem__("again", f["model_weights"]), "too many groups"),
    "an array with two names": (lambda f: f.__setitem__("bias", f[f"{SCORE}/bias"]), "the network has none"),
    "many objects": (lambda f: [f.create_group(f"many/{i}") for i in range(5_001)], "more than 5,000"),
    "long text": (lambda f: f.attrs.__setitem__("long", "x" * 9_000_000), "overlap, or do not fill it"),
    "a long description": (described(training={"x": "y" * 1_000_000}), "more than 1,000,000 characters"),
    "deep": (attribute("[" * 100_000), "damaged"),
    "no JSON": (attribute("hello"), "description is damaged: Expecting"),
    "an empty text": (attribute(""), "description is damaged: Expecting"),
    "a list for a description": (attribute("[]"), "description is damaged"),
    "a number for a description": (attribute(5), "damaged"),
    "an unknown field": (described(colour=1), "damaged: .*unexpected"),
    "no class names": (described(class_names=[]), "damaged: class_names"),
    "a letter for each name": (described(class_names="abc"), "damaged: class_names"),
    "a huge input": (described(input_size=10**6), "damaged: input_size"),
    "an odd fit": (described(fit="squeeze"), "damaged: fit"),
    "a list for training": (described(training=[]), "damaged: training"),
    "names that steer a terminal": (described(class_names=["\x1b[2J"]), "damaged: class_names"),
    "a class name twice": (described(class_names=["a", "a", "b"]), "damaged: class_names"),
    "too few class names": (described(class_names=["a", "b"]), "bias: the network has .2,., the file .3,."),
    "no settings": (attribute('{"class_names": ["a"], "input_size": 9, "fit": "pad"}'), "not exported"),
    "units": (described(network={"width": 60_000_000}), f"{DAMAGED}width"),
    "not a number": (described(network={"width": float("nan")}), f"{DAMAGED}width"),
    "a text for a number": (described(network={"dropout": "0"}), "description is damaged"),
    "more weights than stored": (described(network={"blocks": [1] * 9, "width": 4096}), "more weights"),
    "many blocks": (described(network={"blocks": [1_000], "width": 1}), "more weights"),
    "no members": (described(network={"members": []}), f"{DAMAGED}members"),
    "many members": (described(network={"members": [{}] * 101}), "more weights"),
    "a text for mirror": (described(network={"members": [{}], "mirror": "yes"}), f"{DAMAGED}mirror"),
    "mirror without members": (described(network={"mirror": True}), f"{DAMAGED}mirror"),
    "a text for a member": (described(network={"members": ["x"]}), "description is damaged"),
    "an unknown block": (described(network={"block": "Lambda"}), f"{DAMAGED}block"),
    "an unknown setting": (described(network={"activation": "eval"}), f"{DAMAGED}activation"),
    "a temperature of zero": (described(network={"temperature": 0}), f"{DAMAGED}temperature"),
    "another width": (described(network={"width": 5}), "weight last_norm/last_norm/beta: the network has"),
    "a block without weights": (described(network={"block": "plain", "width": 1, "blocks": [1]}), "none|has"),
    "too few weights": (lambda f: f.__delitem__(f"{SCORE}/bias"), "score/score/bias: .* the file none"),
    "a weight of no layer": (put("model_weights/more", np.zeros(3, "f4")), "more: the network has none"),
    "not finite": (lambda f: f[f"{SCORE}/bias"].__setitem__(0, np.nan), "weights that are not finite"),
    "a huge map": (described(input_size=1024, network={"width": 17}), "numbers for one image"),
}


@pytest.fixture
def changed(colour_weights, tmp_path):
    def build(change, name="changed.h5"):
        path = tmp_path / name
        shutil.copy(colour_weights, path)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return build


def test_files_that_no_export_could_be_are_refused_in_one_line_fast_and_in_little_memory(changed):
    """Beyond what importing Keras takes: under 2 s of processor time and 300 MB for each, as is promised."""
    files = [changed(change, f"{number}.h5") for number, (change, _) in enumerate(HOSTILE.values())]
    script = """if True:
        import json, resource, sys
        import evaluate
        evaluate.import_keras()
        used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        seconds = lambda: sum(sum(resource.getrusage(who)[:2]) for who in both)
        before, slowest, said = used(), 0, []
        for path in sys.argv[1:]:
            start = seconds()
            try:
                evaluate.load_classifier(path)
                said.append(f"{path} was loaded")
            except evaluate.EvaluationError as error:
                slowest = max(slowest, seconds() - start)
                said.append(str(error))
        print(json.dumps([slowest, used() - before, said]))
    """
    done = run_python("-c", script, *files)
    assert done.returncode == 0, done.stderr
    slowest, megabytes, said = json.loads(done.stdout)
    for path, line, (_, message) in zip(files, said, HOSTILE.values(), strict=True):
        assert re.search(message, line)
        assert str(path) in line
        assert "\n" not in line
    assert 0.01 < slowest < 2
    assert megabytes < 300


@pytest.mark.parametrize(
    "settings",
    [
        *({"block": name} for name in BLOCKS),
        *({"channels": name} for name in CHANNELS),
        *({"normalisation": name} for name in NORMALISATIONS),
        {"stem_stride": 2, "blocks": (1, 2)},
    ],
    ids=str,
)
def test_every_network_gives_probabilities_and_gives_the_same_after_loading(tmp_path, settings):
    """For images whose side is halved to an odd number, and that once more."""
    import keras

    keras.utils.set_random_seed(0)
    model = build(18, 3, **{"width": 4, "blocks": (1, 1, 1)} | settings)
    images = np.random.default_rng(0).integers(0, 256, (5, 18, 18, 3), np.uint8)
    assert model.inputs[0].dtype == "uint8"
    expected = model.predict_on_batch(images)
    assert expected.dtype == np.float32
    assert expected.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-4, "the output is the same for every image"
    save_classifier(model, evaluate.Description(list("abc"), 18, "pad"), tmp_path / "w.h5")
    loaded, description = load_classifier(tmp_path / "w.h5")
    np.testing.assert_array_equal(loaded.predict_on_batch(images), expected)
    assert evaluate.build_network(description.settings).count_params() == model.count_params()
    by_keras = keras.models.load_model(tmp_path / "w.h5", compile=False)
    np.testing.assert_array_equal(by_keras.predict_on_batch(images), expected)


def test_what_a_file_says_to_keras_is_never_read(changed, colour_weights):
    def harm(file):
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1] |= {"class_name": "Lambda", "module": "os"}
        file.attrs["model_config"] = json.dumps(config)

    expected = load_classifier(colour_weights)[0].predict_on_batch(IMAGES)
    np.testing.assert_array_equal(load_classifier(changed(harm))[0].predict_on_batch(IMAGES), expected)


def test_an_ordinary_keras_file_is_called_not_of_this_project(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "theirs.h5")
    with pytest.raises(EvaluationError, match="not exported by this project"):
        load_classifier(tmp_path / "theirs.h5")


def test_a_file_that_another_program_has_locked_is_read(colour_weights, tmp_path):
    path = shutil.copy(colour_weights, tmp_path / "w.h5")
    with h5py.File(path, "a"):
        assert load_classifier(path)[1].class_names == list(COLOURS)


def test_a_file_that_is_too_large_or_none_is_refused(colour_weights, tmp_path):
    path = shutil.copy(colour_weights, tmp_path / "large.h5")
    with open(path, "r+b") as file:
        file.truncate(300_000_000)
    (tmp_path / "text.h5").write_text("x")
    for name, message in (
        ("large.h5", "more than 200,000,000"),
        ("text.h5", "not an HDF5 file, or damaged"),
        (".", "not a weights file"),
        ("x.h5", "no such weights file"),
    ):
        with pytest.raises(EvaluationError, match=message):
            inspect_weights(tmp_path / name)


def test_outputs_that_are_not_finite_are_refused(changed, class_folder_tree):
    def harm(file):
        file["model_weights/stem/stem/kernel"][...] = 1e10
        file[f"{SCORE}/kernel"][...] = 3e38

    path = changed(harm)
    with pytest.raises(EvaluationError, match="outputs are not finite"):
        evaluate.evaluate(class_folder_tree, path)


def test_large_maps_are_predicted_in_small_batches(colour_weights, class_folder_tree, monkeypatch):
    predict, calls = evaluate.predict_batch, []

    def record(model, images, batch_size):
        calls.append((len(images), batch_size))
        return predict(model, images, batch_size)

    monkeypatch.setattr(evaluate, "predict_batch", record)
    monkeypatch.setattr(evaluate, "MAX_BATCH_ACTIVATION", 5 * 16 * 16 * 4)  # of what the first layer sees
    result, _, _ = evaluate.evaluate(class_folder_tree, colour_weights)
    assert (sorted(calls), result["macro_f1"]) == ([(3, 5), (5, 5), (5, 5), (5, 5)], 1)


@pytest.mark.parametrize(
    "instead",
    ["re.match('(a+)+$', 'a' * 40 + 'b')", "time.sleep(60)", "os.abort()"],
    ids=["computes for ever", "waits for ever", "crashes"],
)
def test_a_file_on_which_hdf5_hangs_or_crashes_is_refused(colour_weights, tmp_path, monkeypatch, instead):
    (tmp_path / "child.py").write_text(f"""if True:
        import os, re, sys, time
        sys.path.insert(0, {str(Path(evaluate.__file__).parent)!r})
        import evaluate
        evaluate.h5py.File = lambda *_, **__: {instead}
        evaluate.answer_with_arrays(sys.argv[2])
    """)
    monkeypatch.setattr(evaluate, "__file__", str(tmp_path / "child.py"))
    with pytest.raises(EvaluationError, match="damaged: reading it crashes or takes too long"):
        inspect_weights(colour_weights)


def test_hdf5_is_opened_in_another_process_alone(colour_weights, monkeypatch):
    monkeypatch.setattr(h5py, "File", None)
    assert load_classifier(colour_weights)[1].class_names == list(COLOURS)
