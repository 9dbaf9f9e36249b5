"""Networks in other formats: the same predictions, the same description, and clear errors."""

import sys

import numpy as np
import pytest

from benchmarks.interchange import compare
from evaluate import EvaluationError, load_classifier
from illus.learn.interchange import export_to, read_exported


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
def test_every_format_predicts_what_the_weights_predict(colour_weights, tmp_path):
    for package in ("onnx", "tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(package)
    images = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)
    table = compare(colour_weights, images, tmp_path)
    assert table.format.tolist() == ["keras", "onnx", "litert"]
    assert (table.same_class == 150).all()
    assert table.same_description.all()
    assert (table.largest_difference <= 1e-4).all()
