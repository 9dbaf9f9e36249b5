"""Score a folder of class folders with a trained illustration classifier.

    python evaluate.py ./test ./weights/best.h5

Needs the libraries of requirements.txt and nothing else of this repository: the weights file holds
the class names, the input size and how a picture is fitted to it. The two rules that training must
share with scoring, reading a picture and ordering classes, live here; training imports them.

Keras, scikit-learn and matplotlib are imported where they are first needed, so that bad input is
told at once and the first picture does not wait for the report's libraries.
"""

import argparse
import contextlib
import csv
import io
import json
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
import unicodedata
import warnings
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C before main() can tell it
    signal.signal(signal.SIGINT, lambda *_: (os.write(2, b"evaluate.py: interrupted\n"), os._exit(130)))

import cv2
import h5py
import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 50_000_000
TOO_LARGE = f"more than {MAX_PIXELS:,} pixels"
LARGE_PIXELS = 4_000_000  # pictures above it are decoded one at a time, so that memory stays bounded
MAX_SCANNED_PIXELS = 1_000_000_000  # of a progressive JPEG, which is decoded once for each of its scans
MAX_FILE_BYTES = 100_000_000
READ_AHEAD_BYTES = 64_000_000  # of decoded pictures that wait for the network
MAX_INPUT_SIZE = 1024
MAX_BATCH_SIZE = 4096
MAX_WEIGHTS_BYTES = 200_000_000
MAX_TEXT_BYTES = 8_000_000  # of a weights file that are not weights: its configuration and HDF5's tables
MAX_OBJECTS = 5_000  # groups and data sets of a weights file
MAX_LAYERS = 1_000
MAX_NUMBER = 65_536  # in a configuration: units, channels, sizes, ...
MAX_DILATION = 64  # of a convolution, which may pad its input by as much
MAX_ACTIVATION = 16_000_000  # numbers that a layer gives for one picture
MAX_BATCH_ACTIVATION = 128_000_000  # and for a batch, which is smaller where they are many
FIGURE_ENDINGS = (".png", ".pdf", ".svg")
JUNK_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
FITS = ("pad", "stretch", "crop")
WHITE = (255, 255, 255)
ONE_LARGE_PICTURE = threading.Lock()

# What a weights file may be made of: built-in Keras classes that compute and do nothing else.
LAYERS = frozenset((
    "Functional", "Sequential", "InputLayer", "Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization",
    "LayerNormalization", "GroupNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax",
    "MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D", "Add", "Subtract",
    "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Flatten", "Reshape", "Permute",
    "ZeroPadding2D", "Cropping2D", "UpSampling2D", "Rescaling", "Resizing", "Dropout", "SpatialDropout2D",
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
    "RandomBrightness"))
PARTS = frozenset((
    "__keras_tensor__", "DTypePolicy", "Zeros", "Ones", "Constant", "GlorotNormal", "GlorotUniform",
    "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal", "RandomNormal", "RandomUniform",
    "TruncatedNormal", "VarianceScaling", "L1", "L2", "L1L2"))
CHECK_CPU_SECONDS = 1.2  # where the system counts them, so that a busy machine or a slow disk is no fault
CHECK_SECONDS = 4
CHECK = """
import importlib, signal, sys
sys.path.insert(0, sys.argv[1])
module = importlib.import_module(sys.argv[2])
print(flush=True)
if hasattr(signal, "setitimer"):
    signal.setitimer(signal.ITIMER_PROF, float(sys.argv[4]))
module.read_weights_file(sys.argv[3])
"""
MODULES = (None, "keras", "keras.layers", "keras.initializers", "keras.regularizers", "keras.models",
           "keras.src.models.functional", "keras.src.models.sequential")


class ImageDecodeError(ValueError):
    """A file is not a picture that can be read; the message says why."""


class EvaluationError(ValueError):
    """The test folder or the weights cannot be used; the message says what to do."""


# --- Reading a picture ---------------------------------------------------------------------------


def open_image(data):
    """Check the bytes of a file and open it as a picture, without decoding it yet.

    Parameters
    ----------
    data : bytes
        The whole file. Its content decides the format, not its name.

    Returns
    -------
    PIL.Image.Image
        Not loaded; ``format``, ``mode`` and ``size`` are those of the file.

    Raises
    ------
    ImageDecodeError
        Empty, not one of ``FORMATS``, more than ``MAX_PIXELS`` pixels, or a JPEG of very many scans.
    """
    if not data:
        raise ImageDecodeError("empty file")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ImageDecodeError(f"not a {', '.join(FORMATS)} image") from None
    except Image.DecompressionBombError:
        raise ImageDecodeError(TOO_LARGE) from None
    except Exception as error:
        raise ImageDecodeError(f"damaged: {error}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageDecodeError(TOO_LARGE)
    if image.format == "JPEG" and image.width * image.height * data.count(b"\xff\xda") > MAX_SCANNED_PIXELS:
        raise ImageDecodeError("too many scans for its size")
    return image


def to_rgb(image):
    """Decode an opened picture: first frame, upright, on white, 8 bits a channel.

    Parameters
    ----------
    image : PIL.Image.Image
        From :func:`open_image`.

    Returns
    -------
    numpy.ndarray
        uint8, shape (height, width, 3), RGB.

    Raises
    ------
    ImageDecodeError
        The picture's data are truncated or damaged.
    """
    try:
        image.load()
        image = _upright(image)
        if image.mode.startswith("I"):
            image = _gray_of_8_bits(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image)
        return np.asarray(image.convert("RGB"))
    except Exception as error:
        raise ImageDecodeError(f"damaged: {error}") from None


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the picture is whole, only what its EXIF block says is not
        return image


def _gray_of_8_bits(image):
    gray = np.asarray(image)
    alpha = np.where(gray == image.info.get("transparency", -1), 0, 255)
    return Image.fromarray(np.stack([gray >> 8, alpha], axis=2).astype(np.uint8), "LA")


def decode_image(data):
    """Turn the bytes of an image file into an RGB array: the one decoder of this project.

    EXIF orientation is applied, transparency is composited on white, CMYK, palette, gray and
    16-bit pictures are converted, and an animation gives its first frame.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    numpy.ndarray
        uint8, shape (height, width, 3), RGB.

    Raises
    ------
    ImageDecodeError
        With the reason.
    """
    return to_rgb(open_image(data))


def read_file(path):
    """The bytes of a regular file; raises :class:`ImageDecodeError` where there are none to read."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            raise ImageDecodeError("a link: links are not followed")
        if stat.S_ISDIR(status.st_mode):
            raise ImageDecodeError("a folder that cannot be read")
        if not stat.S_ISREG(status.st_mode):
            raise ImageDecodeError("not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ImageDecodeError(f"{status.st_size:,} bytes, more than {MAX_FILE_BYTES:,}")
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageDecodeError(f"cannot be opened: {error.strerror}") from None


def fit_image(image, size, fit):
    """Bring a picture to the square input of a network.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape (height, width, 3).
    size : int
        Side of the result in pixels.
    fit : {"pad", "stretch", "crop"}
        ``pad`` keeps the whole picture on white, ``stretch`` changes its proportions, ``crop``
        keeps the centre square.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size, 3). Resampled by area when it shrinks, bilinear when it grows.
    """
    height, width = image.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    scale = size / max(image.shape[:2])
    shape = (size, size) if fit != "pad" else tuple(max(1, round(s * scale)) for s in (width, height))
    method = cv2.INTER_AREA if max(image.shape[:2]) > size else cv2.INTER_LINEAR
    resized = cv2.resize(image, shape, interpolation=method)
    if fit != "pad":
        return resized
    left, top = (size - shape[0]) // 2, (size - shape[1]) // 2
    return cv2.copyMakeBorder(resized, top, size - shape[1] - top, left, size - shape[0] - left,
                              cv2.BORDER_CONSTANT, value=WHITE)


# --- Class folders -------------------------------------------------------------------------------


def natural_key(name):
    """Sort key of natural order: ``L2_2`` before ``L2_10``."""
    parts = re.split(r"(\d+)", name)
    return [int(p) if i % 2 else p.casefold() for i, p in enumerate(parts)], name


def class_folders(folder):
    """The class folders of a data set, in class order.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict of str to Path
        Class name (Unicode NFC) to its folder, in natural order of names. Hidden folders and
        ``__MACOSX`` are left out.

    Raises
    ------
    EvaluationError
        No such folder, not a folder, no class folder in it, one that is a link, or two with the
        same name.
    """
    folder = Path(folder)
    if not folder.exists():
        raise EvaluationError(f"no such folder: {folder}")
    if not folder.is_dir():
        raise EvaluationError(f"not a folder: {folder}")
    try:
        found = [(unicodedata.normalize("NFC", p.name), p) for p in folder.iterdir()
                 if p.is_dir() and p.name[0] != "." and p.name != "__MACOSX"]
    except OSError as error:
        raise EvaluationError(f"cannot read {folder}: {error.strerror}") from None
    if not found:
        raise EvaluationError(f"no class folders in {folder}: expected one sub-folder per class")
    if links := [name for name, path in found if path.is_symlink()]:
        raise EvaluationError(f"in {folder}, links are not followed: {', '.join(links)}")
    classes = dict(sorted(found, key=lambda item: natural_key(item[0])))
    if len(classes) < len(found):
        raise EvaluationError(f"two class folders of {folder} have one name in different Unicode forms")
    return classes


def list_files(folder):
    """Every file below a class folder, in natural order, system droppings left out.

    Links are listed, so that they are reported, but never followed; so are folders without permission.
    """
    paths, errors = [], []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__MACOSX"]
        links = [f for f in folders if Path(parent, f).is_symlink()]
        names = [n for n in names if n.casefold() not in JUNK_NAMES and not n.startswith("._")]
        paths += [Path(parent, name) for name in names + links]
    paths += [Path(error.filename) for error in errors]
    return sorted(paths, key=lambda p: natural_key(p.relative_to(folder).as_posix()))


# --- The weights file ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Description:
    """What a weights file says of itself, as JSON in the HDF5 attribute ``classifier``."""

    class_names: list  # of str, in the order of the network's outputs
    input_size: int  # side of the square input in pixels
    fit: str  # one of FITS
    training: dict = field(default_factory=dict)  # how it was trained


def read_description(weights):
    """Read the :class:`Description` in a weights file; raises :class:`EvaluationError`."""
    return read_weights_file(weights)[0]


def read_weights_file(weights):
    """Read all of a weights file but the weights, after checks that make reading it harmless.

    Nothing in it is executed or deserialised, and no more is read than a small part of the file's size.

    Parameters
    ----------
    weights : str or Path

    Returns
    -------
    description : Description
    shapes : list of tuple of int
        Of the stored weights.

    Raises
    ------
    EvaluationError
        No such file, not HDF5, not by this project, or made of something it is not made of.
    """
    file_path = Path(weights)
    if not file_path.is_file():
        raise EvaluationError(f"no such weights file: {weights}")
    if file_path.suffix not in (".h5", ".hdf5"):
        raise EvaluationError(f"{weights} is not called .h5, as Keras calls HDF5 files")
    size = file_path.stat().st_size
    if size > MAX_WEIGHTS_BYTES:
        raise EvaluationError(f"{weights} has {size:,} bytes, more than {MAX_WEIGHTS_BYTES:,}")
    try:
        with h5py.File(weights, "r") as file:
            objects = list_objects(file)
            check_objects(objects, size)
            if "classifier" not in file.attrs:
                raise EvaluationError("no class names: it was not exported by this project")
            description = parse_description(file.attrs["classifier"])
            if "model_config" not in file.attrs:
                raise EvaluationError("no Keras model")
            check_config(parse_json(file.attrs["model_config"]))
            shapes = [found.shape for path, found in objects.items()
                      if isinstance(found, h5py.Dataset) and path.startswith("/model_weights/")]
    except EvaluationError as error:
        raise EvaluationError(f"{weights}: {error}") from None
    except Exception as error:  # whatever h5py makes of a damaged file
        raise EvaluationError(f"not an HDF5 file, or damaged: {weights}: {first_line(error)}") from None
    return description, shapes


def try_in_own_process(weights):
    """Refuse a file on which HDF5's library itself hangs or crashes: another process reads it first."""
    command = [sys.executable, "-P", "-c", CHECK, Path(__file__).parent, Path(__file__).stem, weights,
               str(CHECK_CPU_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()  # it has its libraries, and begins to read
        try:
            code = process.wait(CHECK_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
    if code not in (0, 1):  # 1 is an error that has a reason, which reading it here will tell
        raise EvaluationError(f"not an HDF5 file, or damaged: {weights}: HDF5's library fails on it")


def first_line(error):
    """Of an error's message, or its type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def list_objects(file):
    """Path to object of everything in an open HDF5 file; hard links alone are followed, each once."""
    objects, addresses, groups = {"": file}, {h5py.h5o.get_info(file.id).addr}, [("", file)]
    while groups:
        path, group = groups.pop()
        if len(objects) + len(group) > MAX_OBJECTS:
            raise EvaluationError(f"more than {MAX_OBJECTS:,} objects")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise EvaluationError(f"{path}/{name} is a link to elsewhere")
            found = objects[f"{path}/{name}"] = group[name]
            if isinstance(found, h5py.Group):
                groups.append((f"{path}/{name}", found))
            addresses.add(h5py.h5o.get_info(found.id).addr)
            if len(addresses) < len(objects):
                raise EvaluationError(f"{path}/{name} is there under another name too")
    return objects


def check_objects(objects, size):
    """Refuse what reading would blow up: stored otherwise than plainly, once, and within the file."""
    stored = 0
    for path, found in objects.items():
        if isinstance(found, h5py.Dataset):
            stored += check_dataset(path, found)
        elif not isinstance(found, h5py.Group):
            raise EvaluationError(f"{path} is neither a group nor a data set")
    if not 0 <= size - stored <= MAX_TEXT_BYTES:
        raise EvaluationError(f"{stored:,} bytes of weights in a file of {size:,}")
    for path, found in objects.items():
        check_attributes(path, found, objects)


def check_dataset(path, dataset):
    """Bytes that a data set takes in the file, which are those that it takes in memory."""
    settings = dataset.id.get_create_plist()
    plain = (settings.get_layout() == h5py.h5d.CONTIGUOUS and not settings.get_nfilters()
             and not settings.get_external_count() and dataset.dtype.kind in "fiu")
    if not plain or dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise EvaluationError(f"{path} is not plain numbers, stored in one piece as they are")
    return dataset.id.get_storage_size()


def check_attributes(path, found, objects):
    """Refuse attributes but single texts, numbers, and lists of names of what lies below, each once."""
    for name in found.attrs:
        attribute = found.attrs.get_id(name)
        if np.prod(attribute.shape, dtype=float) * attribute.dtype.itemsize > MAX_TEXT_BYTES:
            raise EvaluationError(f"attribute {name} of {path or '/'} is too large")
        if attribute.shape == () and h5py.check_string_dtype(attribute.dtype):
            continue
        if attribute.dtype.kind not in "Sfiu":
            raise EvaluationError(f"attribute {name} of {path or '/'} is neither text nor numbers")
        if attribute.dtype.kind == "S":
            names = [f"{path}/{text.decode()}" for text in np.ravel(found.attrs[name])]
            if len(set(names)) < len(names) or not set(names) <= objects.keys():
                raise EvaluationError(f"attribute {name} of {path or '/'} names what is not there, or twice")


def parse_json(text):
    """What a JSON text says; raises :class:`EvaluationError`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"damaged JSON: {error}") from None


def parse_description(text):
    """The :class:`Description` in a JSON text; raises :class:`EvaluationError`."""
    try:
        description = Description(**parse_json(text))
        names, size = description.class_names, description.input_size
        if not names or not all(isinstance(name, str) and name.isprintable() for name in names):
            raise ValueError("class_names")
        if len(set(names)) < len(names):
            raise ValueError("a class name twice")
        if not (isinstance(size, int) and 0 < size <= MAX_INPUT_SIZE):
            raise ValueError("input_size")
        if description.fit not in FITS:
            raise ValueError("fit")
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"the description is damaged: {error}") from None
    return description


def check_config(config):
    """Refuse a model's configuration that asks for more than built-in layers of bounded size."""
    left, layers = [config], 0
    while left:
        node = left.pop()
        if isinstance(node, dict):
            left += node.values()
            if "class_name" in node:
                check_class(node)
                layers += node["class_name"] in LAYERS
        elif isinstance(node, list):
            left += node
        elif isinstance(node, int | float) and not abs(node) <= MAX_NUMBER:
            raise EvaluationError(f"the model's configuration has a number beyond {MAX_NUMBER:,}")
    if layers > MAX_LAYERS:
        raise EvaluationError(f"the model has {layers:,} layers, more than {MAX_LAYERS:,}")


def check_class(node):
    """Refuse a serialised object whose class is not on the list, or a layer that is used twice."""
    name, module = node["class_name"], node.get("module")
    if name not in LAYERS | PARTS or module not in MODULES or node.get("registered_name") not in (None, name):
        raise EvaluationError(f"the model asks for {module or 'keras'}.{name}, which is not on the list of "
                              "built-in layers")
    if len(node.get("inbound_nodes") or []) > 1:
        raise EvaluationError(f"the model uses a layer {name} more than once")
    if np.max(node["config"].get("dilation_rate", 1)) > MAX_DILATION:
        raise EvaluationError(f"a dilation of more than {MAX_DILATION}")


def load_classifier(weights):
    """Load a weights file.

    Parameters
    ----------
    weights : str or Path
        A complete Keras model in HDF5 with a :class:`Description`.

    Returns
    -------
    model : keras.Model
        Maps uint8 (n, size, size, 3) to class probabilities (n, n_classes).
    description : Description

    Raises
    ------
    EvaluationError
        The file is missing, is not HDF5, has no class names, does not fit its description, or could do
        more than compute.
    """
    description, shapes = read_weights_file(weights)
    keras = import_keras()
    try:
        with only_stored_weights(keras.Layer, shapes):
            model = keras.models.load_model(weights, compile=False, safe_mode=True)
        check_model(model, description)
    except EvaluationError as error:
        raise EvaluationError(f"{weights}: {first_line(error)}") from None
    except Exception as error:
        raise EvaluationError(f"no Keras model in {weights}: {first_line(error)}") from None
    return model, description


@contextlib.contextmanager
def only_stored_weights(layer_class, shapes):
    """Let layers make weights of the stored shapes, all of them, and no others.

    A configuration of bounded numbers can still ask for more memory than there is; this refuses each
    weight before it is made.
    """
    left, make = Counter(shapes), layer_class.add_weight

    def add_weight(self, shape=None, *arguments, **settings):
        shape = tuple(shape or ())
        if not left[shape]:
            raise EvaluationError(f"the model declares a weight of shape {shape}, which is not stored")
        left[shape] -= 1
        return make(self, shape, *arguments, **settings)

    layer_class.add_weight = add_weight
    try:
        yield
    finally:
        layer_class.add_weight = make
    if extra := +left:
        raise EvaluationError(f"{extra.total()} stored weights belong to no layer")


def largest_activation(model):
    """How many numbers the largest output of a layer has for one picture; infinite where that is open."""
    largest, left = 0, [model]
    while left:
        layer = left.pop()
        if hasattr(layer, "layers"):
            left += layer.layers
        else:
            shape = [np.inf if side is None else side for side in layer.output.shape[1:]]
            largest = max(largest, np.prod(shape, dtype=float))
    return largest


def check_model(model, description):
    """Refuse a model that does not fit its description, would not fit in memory, or has lost its numbers."""
    size, n_classes = description.input_size, len(description.class_names)
    if model.input_shape != (None, size, size, 3):
        raise EvaluationError(f"it takes {model.input_shape}, not {size} x {size} RGB")
    if model.output_shape != (None, n_classes):
        raise EvaluationError(f"it names {n_classes} classes, but the model gives "
                              f"{model.output_shape[-1]} outputs")
    if largest_activation(model) > MAX_ACTIVATION:
        raise EvaluationError(f"a layer gives more than {MAX_ACTIVATION:,} numbers for one picture")
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise EvaluationError("weights that are not finite numbers")


def import_keras():
    """Import Keras without the notices that TensorFlow's C++ code prints while it loads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import keras
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it counts models and advises to have fewer
    return keras


# --- Predicting ----------------------------------------------------------------------------------


def read_fitted(path, size, fit):
    """Read, decode and fit one file; gives the array, or the reason why not."""
    try:
        image = open_image(read_file(path))
        large = image.width * image.height > LARGE_PIXELS
        with ONE_LARGE_PICTURE if large else contextlib.nullcontext():
            return fit_image(to_rgb(image), size, fit)
    except ImageDecodeError as error:
        return str(error)


def read_ahead(paths, size, fit, workers=None):
    """Yield ``read_fitted`` of each path in order; threads, one a core by default, work ahead."""
    workers = workers or os.cpu_count()
    window = max(workers, min(1024, READ_AHEAD_BYTES // (3 * size**2)))
    pool, pending = ThreadPoolExecutor(workers), deque()
    try:
        for path in paths:
            pending.append(pool.submit(read_fitted, path, size, fit))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def predict_files(model, description, paths, batch_size=256, progress=lambda done, total: None,
                  workers=None):
    """Class probabilities of image files; decoding and inference overlap.

    Parameters
    ----------
    model, description
        From :func:`load_classifier`.
    paths : list of Path
    batch_size : int, default 256
        Smaller where a batch would need too much memory.
    progress : callable, optional
        Called after every batch with the number of files done and in all.
    workers : int, optional
        Threads that decode; one a core by default.

    Returns
    -------
    probabilities : numpy.ndarray
        float32, shape (n_readable, n_classes), in the order of ``paths``.
    readable : numpy.ndarray
        bool, shape (n_paths,).
    reasons : dict of int to str
        Position in ``paths`` to the reason why that file could not be read.

    Raises
    ------
    EvaluationError
        The network cannot predict, or its outputs are not finite.
    """
    size, fit = description.input_size, description.fit
    batch_size = max(1, min(batch_size, int(MAX_BATCH_ACTIVATION // largest_activation(model))))
    arrays, probabilities, reasons = [], [], {}

    def flush(done):
        batch = np.zeros((batch_size, size, size, 3), np.uint8)  # one shape: one compiled graph
        batch[: len(arrays)] = arrays
        try:
            probabilities.append(np.asarray(model.predict_on_batch(batch))[: len(arrays)])
        except Exception as error:
            raise EvaluationError(f"the model cannot predict: {first_line(error)}") from None
        if not np.isfinite(probabilities[-1]).all():
            raise EvaluationError("the model's outputs are not finite numbers")
        arrays.clear()
        progress(done, len(paths))

    for index, result in enumerate(read_ahead(paths, size, fit, workers)):
        if isinstance(result, str):
            reasons[index] = result
        else:
            arrays.append(result)
        if len(arrays) == batch_size:
            flush(index + 1)
    if arrays:
        flush(len(paths))
    elif probabilities:
        progress(len(paths), len(paths))
    readable = np.ones(len(paths), bool)
    readable[list(reasons)] = False
    empty = np.zeros((0, len(description.class_names)), np.float32)
    return np.concatenate([empty, *probabilities]), readable, reasons


# --- Scoring -------------------------------------------------------------------------------------


def score(true, predicted, class_names):
    """Per-class and average F1.

    Parameters
    ----------
    true, predicted : numpy.ndarray
        int, shape (n,), positions in ``class_names``.
    class_names : list of str

    Returns
    -------
    dict
        ``macro_f1``: mean F1 of the classes that occur in ``true``; ``micro_f1``: over all
        pictures, equal to accuracy since each has one label and one prediction; ``n_images``;
        ``per_class``: class name to precision, recall, f1, support, for classes in ``true``.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    present = np.unique(true)
    columns = precision_recall_fscore_support(true, predicted, labels=present, zero_division=0)
    keys = ("precision", "recall", "f1", "support")
    per_class = {
        class_names[label]: dict(zip(keys, (float(p), float(r), float(f), int(s)), strict=True))
        for label, p, r, f, s in zip(present, *columns, strict=True)
    }
    return {"macro_f1": float(np.mean(columns[2])), "micro_f1": float(accuracy_score(true, predicted)),
            "n_images": len(true), "per_class": per_class}


def evaluate(test_folder, weights, batch_size=256, progress=lambda done, total: None):
    """Score a test folder; the labels are the names of its class folders.

    Parameters
    ----------
    test_folder, weights : str or Path
    batch_size : int, default 256
    progress : callable, optional
        Called with the number of files done and in all.

    Returns
    -------
    result : dict
        As :func:`score` gives it, and ``unreadable`` (list of path, reason), ``weights``,
        ``test_folder``, ``seconds`` (wall time, loading included).
    rows : list of dict
        One per file: ``path``, ``class_name``, ``predicted``, ``probability``, ``error``.
    description : Description

    Raises
    ------
    EvaluationError
        Bad folder or weights, a class folder the model does not know, or no readable image.
    """
    start = time.perf_counter()
    folders = class_folders(test_folder)
    try_in_own_process(weights)
    class_names = read_description(weights).class_names
    if unknown := [name for name in folders if name not in class_names]:
        raise EvaluationError(
            f"the model knows {len(class_names)} classes; {test_folder} has {some(unknown)}, "
            f"which it does not know. Folders: {some(folders)}")
    labelled = [(path, name) for name, folder in folders.items() for path in list_files(folder)]
    if not labelled:
        raise EvaluationError(f"no files in the class folders of {test_folder}")
    model, description = load_classifier(weights)
    paths = [path for path, _ in labelled]
    probabilities, readable, reasons = predict_files(model, description, paths, batch_size, progress)
    names = [path.relative_to(test_folder).as_posix() for path in paths]
    unreadable = [{"path": names[i], "reason": reason} for i, reason in reasons.items()]
    if not readable.any():
        raise EvaluationError(f"no readable image in {test_folder}; the first file, "
                              f"{names[0]}: {reasons[0]}")
    labels = np.array([class_names.index(label) for _, label in labelled])
    predicted = probabilities.argmax(axis=1)
    result = {**score(labels[readable], predicted, class_names), "unreadable": unreadable,
              "weights": str(weights), "test_folder": str(test_folder),
              "seconds": round(time.perf_counter() - start, 2)}
    best = iter(zip(predicted, probabilities.max(axis=1), strict=True))
    rows = []
    for i, (name, (_, label)) in enumerate(zip(names, labelled, strict=True)):
        guess, p = next(best) if readable[i] else (None, None)
        rows.append({"path": name, "class_name": label,
                     "predicted": "" if guess is None else class_names[guess],
                     "probability": "" if p is None else f"{p:.4f}", "error": reasons.get(i, "")})
    return result, rows, description


# --- Showing -------------------------------------------------------------------------------------


def some(names, limit=30):
    """The names in one line, cut short where there are very many."""
    names = list(names)
    more = f", and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def on_one_line(text):
    """A text as a terminal may show it: what would break the line or steer the terminal is spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
                   for c in str(text))


def format_result(result, rows, class_names):
    """The text that graders read."""
    from sklearn.metrics import classification_report

    scored = [row for row in rows if row["predicted"]]
    labels = list(result["per_class"])
    report = classification_report(
        [row["class_name"] for row in scored], [row["predicted"] for row in scored],
        labels=labels, digits=4, zero_division=0)
    # Where classes are missing, scikit-learn puts a micro average over the others for the accuracy.
    report = "\n".join(line for line in report.splitlines() if "micro avg" not in line)
    lines = [f"{result['n_images']:,} images scored, {len(result['unreadable']):,} files not readable"]
    lines += [f"  not readable: {u['path']!r}: {u['reason']}" for u in result["unreadable"]]
    if missing := [name for name in class_names if name not in result["per_class"]]:
        lines.append(f"no images of {len(missing)} known classes: {', '.join(missing)}")
    lines += ["", report.rstrip(), "",
              f"macro F1  {result['macro_f1']:.4f}  (mean over {len(labels)} classes)",
              f"micro F1  {result['micro_f1']:.4f}  (equals accuracy: one label and one prediction "
              "per image)",
              f"{result['seconds']:.1f} s, {result['n_images'] / result['seconds']:.0f} images/s, "
              "loading included"]
    return "\n".join(lines)


def draw_confusion_matrix(axes, rows, class_names):
    """Draw the row-normalised confusion matrix of the scored ``rows`` on matplotlib ``axes``."""
    from sklearn.metrics import ConfusionMatrixDisplay

    scored = [row for row in rows if row["predicted"]]
    true, predicted = ([row[key] for row in scored] for key in ("class_name", "predicted"))
    labels = [name for name in class_names if name in {*true, *predicted}]
    display = ConfusionMatrixDisplay.from_predictions(
        true, predicted, labels=labels, normalize="true", values_format=".2f", cmap="Blues",
        xticks_rotation="vertical", ax=axes, colorbar=False, text_kw={"fontsize": 6},
        im_kw={"vmin": 0, "vmax": 1})
    for text in display.text_.ravel():
        text.set_visible(text.get_text() != "0.00")
    axes.set(xlabel="predicted class", ylabel="true class",
             title="Share of each true class (row) predicted as each class")


def format_json(result):
    """The scores as the bytes of a JSON file."""
    return (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def format_csv(rows):
    """The prediction for every file as the bytes of a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def format_figure(rows, class_names, kind):
    """The confusion matrix as the bytes of a file of a kind that matplotlib writes: png, pdf, svg."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9), layout="constrained")
    draw_confusion_matrix(figure.subplots(), rows, class_names)
    data = io.BytesIO()
    figure.savefig(data, format=kind, dpi=150)
    return data.getvalue()


def write_file(path, data):
    """Write bytes to a file that is the old one or the whole new one at any moment."""
    partial = Path(f"{path}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class ProgressLine:
    """A plain progress line on stderr: rewritten on a terminal, one line a tenth in a log."""

    def __init__(self):
        self.tenths = 0

    def __call__(self, done, total):
        text, before = f"scoring {done:,} of {total:,} files", self.tenths
        self.tenths = 10 * done // total
        if sys.stderr.isatty():
            print(f"\r{text}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif self.tenths > before:
            print(text, file=sys.stderr, flush=True)


# --- Command line --------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"evaluate.py: error: {on_one_line(message)}; see python evaluate.py --help\n")


def parse_arguments(arguments):
    parser = Parser(
        usage="python evaluate.py ./test ./weights/best.h5 [--json FILE] [--csv FILE] [--figure FILE] "
              "[--batch-size N]",
        description="Print per-class and average F1 of a classifier on a folder of class folders.")
    parser.add_argument("test_folder", help="folder with one sub-folder per class")
    parser.add_argument("weights", help="HDF5 file that notebook 04 exports")
    parser.add_argument("--json", metavar="FILE", help="write the scores")
    parser.add_argument("--csv", metavar="FILE", help="write the prediction for every file")
    parser.add_argument("--figure", metavar="FILE", help="draw the confusion matrix (PNG, PDF, SVG)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=256,
                        help="images per inference step (default 256)")
    options = parser.parse_args(arguments)
    if not 1 <= options.batch_size <= MAX_BATCH_SIZE:
        parser.error(f"--batch-size must be from 1 to {MAX_BATCH_SIZE}")
    if options.figure and Path(options.figure).suffix.lower() not in FIGURE_ENDINGS:
        parser.error(f"--figure must end in one of {', '.join(FIGURE_ENDINGS)}")
    return options


def main(arguments=None):
    """Run the command line; returns the exit code: 0, or 2 (130 for Ctrl-C) after one line on stderr."""
    options = parse_arguments(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # oddities of files that can be read all the same
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal cannot show
    try:
        result, rows, description = evaluate(options.test_folder, options.weights,
                                             options.batch_size, ProgressLine())
        class_names = description.class_names
        print(format_result(result, rows, class_names))
        if options.json:
            write_file(options.json, format_json(result))
        if options.csv:
            write_file(options.csv, format_csv(rows))
        if options.figure:
            kind = Path(options.figure).suffix[1:].lower()
            write_file(options.figure, format_figure(rows, class_names, kind))
    except (EvaluationError, OSError) as error:
        print(f"evaluate.py: error: {on_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nevaluate.py: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
