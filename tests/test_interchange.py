"""Networks in other formats: the same predictions, the same description, and clear errors."""

import sys

import numpy as np
import pytest

from evaluate import EvaluationError, load_classifier
from illus.learn.interchange import ENDINGS, export_to, read_exported


def test_a_keras_file_has_the_network_and_its_description(colour_weights, tmp_path):
    import keras

    model, description = load_classifier(colour_weights)
    assert export_to(colour_weights, tmp_path / "network.keras", "keras") == description
    assert read_exported(tmp_path / "network.keras") == description
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    found = keras.saving.load_model(tmp_path / "network.keras").predict_on_batch(images)
    np.testing.assert_array_equal(found, model.predict_on_batch(images))
    assert [path.name for path in tmp_path.iterdir()] == ["network.keras"]


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("network.h5", "keras", "ends with .keras"),
        ("network.keras", "onnx", "ends with .onnx"),
        ("network.pt", "torch", "choose one of keras, onnx, litert"),
    ],
)
def test_a_wrong_name_or_format_is_an_error(colour_weights, tmp_path, name, format, message):
    with pytest.raises(EvaluationError, match=message):
        export_to(colour_weights, tmp_path / name, format)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_and_nothing_is_written(colour_weights, tmp_path, monkeypatch):
    for package in ("onnx", "tf2onnx"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EvaluationError, match="format onnx needs onnx: pip install onnx"):
        export_to(colour_weights, tmp_path / "network.onnx", "onnx")
    assert not list(tmp_path.iterdir())


def test_a_format_that_the_backend_cannot_write_is_an_error(colour_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(EvaluationError, match="KERAS_BACKEND=tensorflow"):
        export_to(colour_weights, tmp_path / "network.tflite", "litert")


@pytest.mark.extras
def test_other_programs_predict_what_the_weights_predict(colour_weights, tmp_path):
    for package in ("onnx", "tf2onnx"):
        pytest.importorskip(package)
    onnxruntime = pytest.importorskip("onnxruntime")
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    images = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)
    model, description = load_classifier(colour_weights)
    paths = {format: tmp_path / f"network{ENDINGS[format]}" for format in ("onnx", "litert")}
    for format, path in paths.items():
        assert export_to(colour_weights, path, format) == read_exported(path) == description
    session = onnxruntime.InferenceSession(paths["onnx"], providers=["CPUExecutionProvider"])
    network = litert.Interpreter(str(paths["litert"]))
    (given,), (wanted,) = network.get_input_details(), network.get_output_details()
    network.resize_tensor_input(given["index"], images.shape)
    network.allocate_tensors()
    network.set_tensor(given["index"], images)
    network.invoke()
    for found in (
        session.run(None, {session.get_inputs()[0].name: images})[0],
        network.get_tensor(wanted["index"]),
    ):
        np.testing.assert_allclose(found, model.predict_on_batch(images), atol=1e-4)
