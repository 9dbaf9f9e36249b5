"""A weights file -> the same network for other programs: Keras, ONNX Runtime, LiteRT.

In: a weights file. Out: a ``.keras``, ``.onnx`` or ``.tflite`` file that maps uint8 RGB images, shape
(n, size, size, 3), to probabilities, and carries the description of the weights file: class names in the
order of the outputs, input size, fit, training. Nothing is sent anywhere.
"""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import keras

from evaluate import Description, EvaluationError, atomic_write, load_classifier

ENDINGS = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite"}
NAME = "classifier"  # of the description: an entry of ONNX's metadata, or a file NAME.json inside the others


def export_to(weights: str | Path, out: str | Path, format: str) -> Description:
    """Write the network of a weights file in another format, with its description, which is returned.

    ``format`` is ``keras``, ``onnx`` (which needs the packages tf2onnx and onnx) or ``litert``; ``out`` ends
    as ``ENDINGS`` says, and an old file stays until the new one is complete. evaluate.EvaluationError if the
    weights cannot be used, the format is unknown or not that of the file's name, a package is missing, or
    Keras runs on a backend that cannot write the format.
    """
    if format not in ENDINGS:
        raise EvaluationError(f"format {format}: choose one of {', '.join(ENDINGS)}")
    out = Path(out)
    if out.suffix != ENDINGS[format]:
        raise EvaluationError(f"{out}: the name of a file of format {format} ends with {ENDINGS[format]}")
    if format != "keras" and keras.backend.backend() != "tensorflow":
        raise EvaluationError(f"format {format} is written with KERAS_BACKEND=tensorflow only")
    model, description = load_classifier(weights)
    with atomic_write(out) as partial:
        if format == "keras":
            model.save(partial)
        else:
            _export(model, partial, format)
        _attach(json.dumps(asdict(description), ensure_ascii=False), partial)
    return description


def _export(model: keras.Model, path: Path, format: str) -> None:
    try:
        if format == "onnx":
            import onnx  # noqa: F401
            import tf2onnx  # noqa: F401
        # Keras exports what was called.
        model(keras.ops.zeros((1, *model.input_shape[1:]), model.input.dtype))
        model.export(path, format=format, verbose=False)
    except ImportError as error:
        package = error.name or "another package"
        raise EvaluationError(f"format {format} needs {package}: pip install {package}") from None


def _attach(text: str, path: Path) -> None:
    """Add the description. A .keras file is a zip archive; LiteRT keeps files in one after the network."""
    if path.suffix != ENDINGS["onnx"]:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{NAME}.json", text)
        return
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {NAME: text})
    onnx.save(model, path)


def read_exported(path: str | Path) -> Description:
    """The description that a file of :func:`export_to` carries."""
    if Path(path).suffix != ENDINGS["onnx"]:
        with zipfile.ZipFile(path) as archive:
            return Description(**json.loads(archive.read(f"{NAME}.json")))
    import onnx

    properties = onnx.load(path, load_external_data=False).metadata_props
    return Description(**json.loads({entry.key: entry.value for entry in properties}[NAME]))
