"""Score a folder of class folders with a trained illustration classifier.

    python evaluate.py ./test ./weights/best.h5

Needs only the libraries of requirements.txt and a weights file, which also holds the class names, the input
size and how an image is fitted to it. Training imports the network, the reading of images and the class order
from here. What loads slowly is imported in functions: bad input is reported at once.
"""

import argparse
import contextlib
import csv
import faulthandler
import io
import json
import logging
import math
import os
import re
import shutil
import signal
import stat
import struct
import sys
import tempfile
import threading
import time
import unicodedata
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from subprocess import DEVNULL, PIPE, run
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

if __name__ == "__main__":  # Ctrl-C during the imports below, when main() cannot handle it yet
    signal.signal(signal.SIGINT, lambda *_: (os.write(2, b"evaluate.py: interrupted\n"), os._exit(130)))

import cv2
import h5py
import numpy as np
from PIL import Image, ImageOps
from PIL import TiffImagePlugin as tiff
from PIL.JpegImagePlugin import JpegImageFile

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor
    from matplotlib.axes import Axes

PathLike = Path | str
Colour = tuple[int, int, int]
Found = tuple["Description", dict[str, np.ndarray]]  # what a weights file says of its model, and its weights
Fitted = np.ndarray | str  # an image, or the reason why it is unreadable
Row = dict[str, str]
decoding_large_image, redirecting_stderr = threading.Lock(), threading.Lock()


class ImageDecodeError(ValueError):
    """A file cannot be read as an image; the message says why."""


class EvaluationError(ValueError):
    """The test folder or the weights file cannot be used; the message says why."""


# --- The network ---------------------------------------------------------------------------------
BLOCKS = ("plain", "residual", "squeeze-excite")
CHANNELS = ("rgb", "gray", "edges", "rgb+edges")
NORMALISATIONS = ("scale", "ink", "channel")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
MOST_SEEN = 4  # channels
OF_AVERAGES = ("members", "mirror")  # settings that no single network has
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32) / 8


def build_network(settings: Mapping, arrays: Mapping[str, np.ndarray] | None = None) -> "keras.Model":
    """The network of these settings: uint8 RGB (n, size, size, 3) to probabilities, float32 (n, n_classes).

    ``settings`` are ``input_size`` (px), ``n_classes``, ``block`` (of ``BLOCKS``), ``width`` (channels of the
    first stage; each later one has twice as many, on half the side), ``blocks`` (of each stage), ``dropout``,
    ``stem_stride``, ``channels`` (of ``CHANNELS``), ``normalisation`` (of ``NORMALISATIONS``) and, if
    calibrated, ``temperature``; for the mean of several networks ``members``, with the settings of each,
    and ``mirror``, if each sees the image and its mirror image.
    ``arrays`` holds all weights by name (:func:`named_weights`); without it, kernels are random. The result
    keeps the settings as its attribute ``settings``. Raises :class:`EvaluationError` where arrays do not fit.
    """
    keras, single = import_keras(), "members" not in settings
    names = ["network"] if single else [f"member_{n + 1}" for n in range(len(settings["members"]))]
    networks = [connect(keras, *part) for part in zip(members_of(settings), names, strict=True)]
    model = networks[0]
    if not single:
        rgb = keras.Input(model.input_shape[1:], dtype="uint8", name="rgb")
        views = [rgb, keras.ops.flip(rgb, 2)] if settings.get("mirror") else [rgb]
        seen = [network(view) for network in networks for view in views]
        mean = keras.layers.Average(name="probability")(seen)
        model = keras.Model(rgb, mean, name="average")
    if arrays is None:
        for network in networks:
            draw_kernels(network)
    else:
        set_weights(model, arrays)
    model.settings = dict(settings)
    return model


def members_of(settings: Mapping) -> list[dict[str, Any]]:
    """The settings of each network of an average, or of a single one."""
    shared = {name: value for name, value in settings.items() if name not in OF_AVERAGES}
    return [shared | member for member in settings.get("members", [{}])]


def connect(keras: ModuleType, settings: Mapping, name: str) -> "keras.Model":
    """A single network with zeros for kernels: a stem, stages of blocks, global pooling, a classifier.

    Blocks are pre-activation residual (He et al. 2016, arXiv:1603.05027), with squeeze-and-excitation (Hu et
    al. 2018, arXiv:1709.01507), or plain, without a shortcut (Simonyan and Zisserman 2015, arXiv:1409.1556).
    """
    layers, size, block, width = keras.layers, settings["input_size"], settings["block"], settings["width"]

    def convolve(x: "KerasTensor", name: str, channels: int, stride: int = 1, side: int = 3) -> "KerasTensor":
        options = {"padding": "same", "use_bias": False, "kernel_initializer": "zeros"}
        return layers.Conv2D(channels, side, stride, **options, name=name)(x)

    def activate(x: "KerasTensor", name: str) -> "KerasTensor":
        return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))

    rgb = keras.Input((size, size, 3), dtype="uint8", name="rgb")
    x = convolve(see(layers, rgb, settings), "stem", width, settings["stem_stride"])
    for stage, n_blocks in enumerate(settings["blocks"], 1):
        for number in range(1, n_blocks + 1):
            place, channels = f"stage{stage}_block{number}", width * 2 ** (stage - 1)
            stride = 2 if stage > 1 and number == 1 else 1
            y = activate(x, f"{place}_1")
            if stride > 1 and block != "plain":
                x = layers.AveragePooling2D(stride, padding="same", name=f"{place}_shrink")(y)
                x = convolve(x, f"{place}_shortcut", channels, side=1)
            y = convolve(y, f"{place}_conv1", channels, stride)
            y = convolve(activate(y, f"{place}_2"), f"{place}_conv2", channels)
            if block == "squeeze-excite":
                mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{place}_mean")(y)
                mean = layers.Conv2D(channels // 4, 1, activation="relu", name=f"{place}_squeeze")(mean)
                mean = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{place}_excite")(mean)
                y = layers.Multiply(name=f"{place}_weighted")([y, mean])
            x = y if block == "plain" else layers.Add(name=f"{place}_sum")([x, y])
    x = layers.GlobalAveragePooling2D(name="pooled")(activate(x, "last"))
    x = layers.Dropout(settings["dropout"], name="dropout")(x)
    x = layers.Dense(settings["n_classes"], dtype="float32", name="score")(x)
    if temperature := settings.get("temperature"):
        x = layers.Rescaling(1 / temperature, dtype="float32", name="temperature")(x)
    return keras.Model(rgb, layers.Softmax(dtype="float32", name="probability")(x), name=name)


def see(layers: ModuleType, rgb: "KerasTensor", settings: Mapping) -> "KerasTensor":
    """What the first convolution sees: ink, 0 for white to 1 for black, or what is computed from it."""

    def fixed(x: "KerasTensor", name: str, kernel: np.ndarray) -> "KerasTensor":
        options = {"padding": "same", "use_bias": False, "trainable": False}
        layer = layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **options, name=name)
        y = layer(x)
        layer.set_weights([kernel])
        return y

    channels, normalisation = settings["channels"], settings["normalisation"]
    x = layers.Rescaling(-1 / 255, offset=1.0, name="ink")(rgb)  # white is 0, like zero padding
    if channels != "rgb":
        y = fixed(x, "gray", np.reshape(LUMA, (1, 1, 3, 1)))
        if channels != "gray":  # edges: the sum of the gradient's absolute horizontal and vertical parts
            kernels = np.stack([SOBEL, -SOBEL, SOBEL.T, -SOBEL.T], -1)[:, :, None]
            sides = layers.ReLU(name="sides")(fixed(y, "sobel", kernels))
            y = fixed(sides, "edges", np.ones((1, 1, 4, 1)))
        x = layers.Concatenate(name="seen")([x, y]) if channels == "rgb+edges" else y
    if normalisation == "scale":  # white is 1, black -1
        return layers.Rescaling(-2.0, offset=1.0, name="scale")(x)
    if normalisation == "channel":
        return layers.BatchNormalization(center=False, scale=False, name="scale")(x)
    return x


def draw_kernels(model: "keras.Model") -> None:
    """Random kernels instead of zeros (He et al. 2015, arXiv:1502.01852), from NumPy's global seed."""
    for layer in model.layers:  # JAX would compile Keras's initializers once for each shape
        if type(getattr(layer, "kernel_initializer", None)).__name__ == "Zeros":
            shape = layer.kernel.shape
            layer.kernel.assign(np.random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))


def named_weights(model: "keras.Model") -> dict[str, "keras.Variable"]:
    """The weights of a network by their names in a weights file, such as ``member_1/stem/kernel``."""
    return {f"{layer.name}/{weight.path}": weight for layer in model.layers for weight in layer.weights}


def set_weights(model: "keras.Model", arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network the arrays of these names: all of its weights and no others, of its shapes, finite."""
    weights = named_weights(model)
    for name in sorted(weights.keys() | arrays.keys()):
        wanted, found = (tuple(part[name].shape) if name in part else "none" for part in (weights, arrays))
        if wanted != found:
            raise EvaluationError(f"weight {name}: the network has {wanted}, the file {found}")
        if not np.isfinite(arrays[name]).all():
            raise EvaluationError("weights that are not finite numbers")
        weights[name].assign(arrays[name])


def import_keras() -> ModuleType:
    """Import Keras, set up as this project needs it, without the notices that TensorFlow prints meanwhile."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with without_stderr():
            import keras
    except Exception as error:  # the backend that the user's environment or keras.json names
        hint = "set KERAS_BACKEND=tensorflow"
        raise EvaluationError(f"Keras cannot import its backend ({first_line(error)}): {hint}") from None
    keras.config.set_image_data_format("channels_last")  # whatever the user's keras.json says
    keras.config.set_floatx("float32")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns when many models are in use
    return keras


# --- Reading an image ----------------------------------------------------------------------------
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
FITS = ("pad", "stretch", "crop")
WHITE = (255, 255, 255)
MAX_FILE_BYTES, MAX_PIXELS = 100_000_000, 50_000_000
MAX_SCANNED_PIXELS = 1_000_000_000  # pixels times scans: a progressive JPEG is decoded once for each scan
MAX_STRIPS = 100_000  # or other numbers in a tag of a TIFF: Pillow makes a Python object of each
LARGE_PIXELS = 4_000_000  # larger images are decoded one at a time, which bounds the memory of all threads
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")  # optional chunks that change what is seen
JPEG_SCAN, JPEG_END = b"\xff\xda", b"\xff\xd9"
TIFF_STARTS = (b"II*\0", b"MM\0*")  # no BigTIFF: it is for files larger than any that is read
TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg")


def decode_image(data: bytes, least_side: int | None = None, ground: Colour = WHITE) -> np.ndarray:
    """Decode the bytes of a file to uint8 RGB (height, width, 3): :func:`open_image`, then :func:`to_rgb`.

    EXIF orientation is applied, transparency is composited on ``ground``, other modes are converted, and of
    an animation the first visible frame counts, of pages the first. With ``least_side``, a JPEG may be
    decoded at 1/2, 1/4 or 1/8 of its size, as long as no side gets shorter than so many pixels. Raises
    :class:`ImageDecodeError` for what cannot be read as an image, and for lack of memory.
    """
    return to_rgb(open_image(data), least_side, ground)


@contextlib.contextmanager
def reasons_given() -> Iterator[None]:
    """Inside it, whatever goes wrong becomes an :class:`ImageDecodeError` with the reason."""
    try:
        yield
    except ImageDecodeError:
        raise
    except (Image.UnidentifiedImageError, struct.error):
        reason = f"not a {', '.join(FORMATS)} image, or its start is damaged"
    except Image.DecompressionBombError:
        reason = f"more than {MAX_PIXELS:,} pixels"
    except Exception as error:
        no_memory = isinstance(error, MemoryError) or "out of memory" in str(error)
        reason = "not enough memory" if no_memory else f"damaged: {error}"
    else:
        return
    raise ImageDecodeError(reason)


@reasons_given()
def open_image(data: bytes) -> Image.Image:
    """Check the bytes of a file and open them as an image, without decoding the pixels.

    The format is decided by the content; ``format``, ``mode`` and ``size`` of the result are those of the
    file. Raises as :func:`decode_image`, but for damage that only decoding shows.
    """
    if not data:
        raise ImageDecodeError("empty file")
    if data[:4] in TIFF_STARTS:
        check_tiff_tags(data)
    image = Image.open(io.BytesIO(without_metadata(data)), formats=FORMATS)
    n_pixels = image.width * image.height
    if n_pixels > MAX_PIXELS:
        raise Image.DecompressionBombError
    if isinstance(image, tiff.TiffImageFile):
        check_tiff(image, len(data))
    jpeg = isinstance(image, JpegImageFile) or image.info.get("compression") == "jpeg"
    if jpeg and n_pixels * data.count(JPEG_SCAN) > MAX_SCANNED_PIXELS:
        raise ImageDecodeError("too many scans for its size")
    if image.format == "PNG":
        scale_transparency(image, data[24])
    return image


def without_metadata(data: bytes) -> bytes:
    """A PNG without optional chunks that say nothing of its pixels, or are damaged, which is none of them."""
    if not data.startswith(PNG_START):
        return data
    parts, at = [PNG_START], len(PNG_START)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind, checksum = data[at + 4 : at + 8], zlib.crc32(data[at + 4 : end - 4])
        optional = kind[0] & 32  # a small letter
        if not optional or (kind in PNG_PIXELS and data[end - 4 : end] == checksum.to_bytes(4, "big")):
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])


def scale_transparency(image: Image.Image, bits: int) -> None:
    """Give the transparent level of a PNG the scale of its decoded pixels, with which Pillow compares it."""
    key = image.info.get("transparency")
    if isinstance(key, int) and image.mode == "L":
        image.info["transparency"] = key * 255 // (2**bits - 1)
    if isinstance(key, tuple) and bits == 16:
        image.info["transparency"] = tuple(level >> 8 for level in key)


def check_tiff_tags(data: bytes) -> None:
    """Refuse a TIFF with more than ``MAX_STRIPS`` numbers in a tag of its first page; texts may be longer."""
    order = "<" if data[0] == TIFF_STARTS[0][0] else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    tags = struct.iter_unpack(f"{order}HHI4x", data[start + 2 : start + 2 + 12 * count])
    if any(n > MAX_STRIPS and kind not in (1, 2, 7) for _, kind, n in tags):
        raise ImageDecodeError(f"a TIFF with more than {MAX_STRIPS:,} strips")


def check_tiff(image: tiff.TiffImageFile, n_bytes: int) -> None:
    """Refuse a TIFF whose white is unknown, or which could take more time or memory than its pixels do."""
    tags, compression = image.tag_v2, image.info["compression"]
    if compression not in TIFF_COMPRESSIONS:
        raise ImageDecodeError(f"a TIFF with {compression} compression, which is not read")
    bits, white = tags.get(tiff.BITSPERSAMPLE), tags.get(tiff.PHOTOMETRIC_INTERPRETATION)
    if image.mode[0] in "IF" and (image.mode[:4], bits, white) != ("I;16", (16,), 1):
        raise ImageDecodeError("a TIFF of numbers whose white is unknown: save it with 8 bits")
    tile = tags.get(tiff.TILEWIDTH, 0) * tags.get(tiff.TILELENGTH, 0)
    stored = tags.get(tiff.TILEBYTECOUNTS) or tags.get(tiff.STRIPBYTECOUNTS) or (0,)
    if tile > LARGE_PIXELS or tile * len(stored) > 4 * MAX_PIXELS or sum(stored) > n_bytes:
        raise ImageDecodeError("a TIFF whose tiles or strips hold more than it can have")


@reasons_given()
def to_rgb(image: Image.Image, least_side: int | None = None, ground: Colour = WHITE) -> np.ndarray:
    """Decode an image from :func:`open_image`, as :func:`decode_image` says."""
    if least_side:
        image.draft(None, (least_side, least_side))
    with without_stderr() if image.format == "TIFF" else contextlib.nullcontext():
        image = load(image)
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
        levels = np.asarray(image).astype(np.int64)
        alpha = np.where(levels == image.info.get("transparency", -1), 0, 255)
        image = Image.fromarray(np.dstack([levels >> 8, alpha]).astype(np.uint8), "LA")
    if image.has_transparency_data:
        image = on_ground(image, ground)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def load(image: Image.Image) -> Image.Image:
    """Decode the pixels; also those of a JPEG that lacks nothing but its end marker."""
    file, size = getattr(image, "fp", None), image.size
    try:
        image.load()
        return image
    except OSError:
        if not (isinstance(image, JpegImageFile) and isinstance(file, io.BytesIO)):
            raise
        # What follows the last pixel changes nothing; where pixels are missing, it would be taken for them.
        ends = (JPEG_END, b"\x5a\xa3" * 500 + JPEG_END)
        ended, filled = (Image.open(io.BytesIO(file.getvalue() + end)) for end in ends)
        for other in (ended, filled):
            other.draft(None, size)
        if ended.tobytes() != filled.tobytes():
            raise
        return ended


def on_ground(image: Image.Image, ground: Colour) -> Image.Image:
    """The first visible frame of an image with transparency, composited on a colour."""
    frame = image.convert("RGBA")
    if not frame.getchannel("A").getbbox():  # nothing is seen
        if image.format == "BMP":  # its fourth byte often means nothing
            return frame.convert("RGB")
        n_frames = 1 if image.format == "TIFF" else getattr(image, "n_frames", 1)
        for number in range(1, min(n_frames, MAX_SCANNED_PIXELS // math.prod(image.size))):
            image.seek(number)
            frame = image.convert("RGBA")
            if frame.getchannel("A").getbbox():
                break
    return Image.alpha_composite(Image.new("RGBA", frame.size, (*ground, 255)), frame)


@contextlib.contextmanager
def without_stderr() -> Iterator[None]:
    """Inside it, what libraries in C print on stderr is lost: notices, and errors that are raised, too."""
    with redirecting_stderr, open(os.devnull, "w") as nowhere:
        stderr = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@reasons_given()
def read_file(path: PathLike) -> bytes:
    """Read a regular file of at most ``MAX_FILE_BYTES``; :class:`ImageDecodeError` for anything else."""
    reasons = {stat.S_IFLNK: "a link: links are not followed", stat.S_IFDIR: "a folder that cannot be read"}
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ImageDecodeError(reasons.get(stat.S_IFMT(status.st_mode), "not a regular file"))
        if status.st_size > MAX_FILE_BYTES:
            raise ImageDecodeError(f"{status.st_size:,} bytes, more than {MAX_FILE_BYTES:,}")
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageDecodeError(f"cannot be opened: {error.strerror}: {path}") from None


def fit_image(image: np.ndarray, size: int, fit: str) -> np.ndarray:
    """Resize an image to the square input of a network.

    ``image`` is uint8, shape (height, width, 3), and the result uint8, shape (``size``, ``size``, 3). ``pad``
    keeps the whole image, on white; ``stretch`` changes its proportions; ``crop`` keeps its central square.
    Areas are averaged where the image shrinks, and pixels interpolated bilinearly where it grows.
    """
    if fit == "crop":
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        image = image[top : top + side, left : left + side]
    height, width = image.shape[:2]
    longest = max(height, width)
    method = cv2.INTER_AREA if longest > size else cv2.INTER_LINEAR
    if fit != "pad":
        return cv2.resize(image, (size, size), interpolation=method)
    width, height = (max(1, round(side * (size / longest))) for side in (width, height))
    top, left = (size - height) // 2, (size - width) // 2
    canvas = np.full((size, size, 3), WHITE, np.uint8)
    canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=method)
    return canvas


# --- Class folders -------------------------------------------------------------------------------
JUNK_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini", "icon\r"})
# fmt: off
SYSTEM_FOLDERS = frozenset({  # in lower case; hidden ones are left out, too
    "__macosx", "__pycache__", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "lost+found",
    "system volume information"})
IMAGE_ENDINGS = (  # those of the second line are not read, but reported
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".heic", ".heif", ".avif", ".jp2", ".svg", ".ico", ".psd")
# fmt: on
IMAGE_START = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|II\*\0|MM\0\*|BM....\0{4}", re.DOTALL)


def natural_key(name: str) -> tuple[list[int | str], str]:
    """Sort key for natural order, in which ``L2_2`` comes before ``L2_10``."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def class_folders(folder: PathLike) -> dict[str, Path]:
    """Class names (Unicode NFC) to folders, in the class order of the project: :func:`sort_folders`."""
    classes, others = sort_folders(folder)
    if others:
        warnings.warn(f"no classes, as they hold no images: {shorten_list(others)}", stacklevel=2)
    return classes


def sort_folders(folder: PathLike) -> tuple[dict[str, Path], list[str]]:
    """The class folders of a data set in natural order of their names, and the names of the other folders.

    A class folder holds a file that could be an image; hidden folders and those of systems are neither.
    Raises :class:`EvaluationError` where there is none, one is a link, or two have one name in Unicode.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EvaluationError(f"{'not a' if folder.exists() else 'no such'} folder: {folder}")
    try:
        paths = [path for path in folder.iterdir() if path.is_dir() and not is_system_folder(path.name)]
    except OSError as error:
        raise EvaluationError(f"cannot read {folder}: {error.strerror}") from None
    if links := [path.name for path in paths if path.is_symlink()]:
        raise EvaluationError(f"in {folder}, links are not followed: {shorten_list(links)}")
    classes, others = dict[str, Path](), list[str]()
    names = {path: unicodedata.normalize("NFC", path.name) for path in paths}
    for path in sorted(paths, key=lambda path: natural_key(names[path])):
        if not any(map(could_be_image, list_files(path))):
            others.append(path.name)
        elif names[path] in classes:
            raise EvaluationError(f"two class folders of {folder} have one name in different Unicode forms")
        else:
            classes[names[path]] = path
    if not classes:
        found = f": {shorten_list(others)}" if others else ""
        raise EvaluationError(f"no class folders in {folder} with files that could be images{found}")
    return classes, others


def is_system_folder(name: str) -> bool:
    """Whether a folder is hidden, or one that a system leaves: neither a class nor part of one."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def could_be_image(path: Path) -> bool:
    """Whether a file has the name or the first bytes of an image; also if it cannot be looked into."""
    if path.suffix.lower() in IMAGE_ENDINGS or path.is_symlink() or not path.is_file():
        return True
    try:
        with open(path, "rb") as file:
            return bool(IMAGE_START.match(file.read(16)))
    except OSError:
        return True


def list_files(folder: PathLike) -> list[Path]:
    """List every file below a class folder, in natural order, without what operating systems leave there."""
    paths: list[Path] = []
    errors: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not is_system_folder(name)]
        links = [name for name in folders if Path(parent, name).is_symlink()]  # listed, not followed
        names = [name for name in names if name.casefold() not in JUNK_NAMES and not name.startswith("._")]
        paths += [Path(parent, name) for name in names + links]
    paths += [Path(error.filename) for error in errors]  # so that they are reported
    return sorted(paths, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


# --- The weights file ----------------------------------------------------------------------------
# A stranger's file can ask for more time or memory than there is, and HDF5's library can hang or crash on it.
MAX_WEIGHTS_BYTES, MAX_DESCRIPTION_CHARS = 200_000_000, 1_000_000
MAX_TEXT_BYTES = 8_000_000  # everything but the weights: the description, Keras's own, the tables of HDF5
MAX_OBJECTS, MAX_NAME_CHARS = 5_000, 500  # groups and arrays; the name of a group with all that it is in
MAX_BLOCKS, MAX_WIDTH, MAX_INPUT_SIZE = 100, 4096, 1024  # blocks of all members together, or members
MAX_ACTIVATION = 16_000_000  # numbers in the output of a layer for one image
CHILD_CPU_SECONDS, CHILD_SECONDS = 1.2, 4  # processor time (not on Windows) and wall time, without imports
CHILD_MODE = "--find-arrays"  # the hidden argument that makes this file the process that reads HDF5

Checks = dict[str, Callable[[Any], bool]]
SETTINGS: Checks = {  # of a network, and which values are accepted
    "block": lambda value: value in BLOCKS,
    "width": lambda value: is_whole(value, MAX_WIDTH),
    "blocks": lambda value: len(value) < 10 and all(is_whole(n, MAX_WIDTH) for n in value),
    "dropout": lambda value: 0 <= value < 1,
    "stem_stride": lambda value: is_whole(value, 9),
    "channels": lambda value: value in CHANNELS,
    "normalisation": lambda value: value in NORMALISATIONS,
}
ALL_SETTINGS: Checks = SETTINGS | {"temperature": lambda value: 1e-3 < value < 1e3}
FIELDS: Checks = {  # of a description
    "class_names": lambda value: type(value) is list and 0 < len(set(value)) == len(value),
    "input_size": lambda value: is_whole(value, MAX_INPUT_SIZE),
    "fit": lambda value: value in FITS,
    "training": lambda value: isinstance(value, dict),
    "network": lambda value: isinstance(value, dict),
}


def is_whole(value: object, most: int) -> bool:
    """Whether a value is a whole number from 1 to ``most``."""
    return type(value) is int and 1 <= value <= most


def wrong_in(values: Mapping[str, Any], checks: Checks) -> list[str]:
    """Names of values that are missing, unknown or not accepted."""
    right = {name for name, accepts in checks.items() if name in values and accepts(values[name])}
    return sorted((values.keys() | checks.keys()) - right)


@dataclass(frozen=True)
class Description:
    """What the HDF5 attribute ``classifier`` of a weights file says, as JSON, about its model."""

    class_names: list[str]  # in the order of the network's outputs
    input_size: int  # side of the square input, px
    fit: str  # one of FITS
    training: dict = field(default_factory=dict)  # how it was trained, any JSON object
    network: dict = field(default_factory=dict)  # other settings of build_network

    def __post_init__(self) -> None:
        """Refuse fields that cannot be used: they may come from a stranger's file."""
        wrong = wrong_in(vars(self), FIELDS)
        if wrong or not all(map(str.isprintable, self.class_names)):
            raise EvaluationError(f"the description is damaged: {', '.join(wrong) or 'class_names'}")

    @property
    def settings(self) -> dict:
        """All settings of :func:`build_network`."""
        return self.network | {"input_size": self.input_size, "n_classes": len(self.class_names)}


def load_classifier(weights: PathLike) -> tuple["keras.Model", Description]:
    """Build the network of a weights file, which may come from a stranger, and its description.

    Nothing in the file is deserialised: the network is made from settings, and arrays taken by name and
    shape. Raises :class:`EvaluationError` where the file is missing, damaged or not by this project.
    """
    description, arrays = inspect_weights(weights)
    return build_model(weights, description, arrays), description


def read_description(weights: PathLike) -> Description:
    """The description in a weights file, with the checks and errors of :func:`inspect_weights`."""
    return inspect_weights(weights)[0]


def build_model(weights: PathLike, description: Description, arrays: Mapping) -> "keras.Model":
    """The network of what :func:`inspect_weights` found; raises :class:`EvaluationError`."""
    import_keras()  # whose faults are not those of the file
    try:
        return build_network(description.settings, arrays)
    except EvaluationError as error:
        raise EvaluationError(f"{weights}: {error}") from None


def inspect_weights(weights: PathLike) -> Found:
    """The description and the arrays (by name) of a weights file; raises :class:`EvaluationError`.

    Another process says where in the file the arrays are (:func:`find_arrays`); they are read as plain bytes.
    """
    if not Path(weights).is_file():
        raise EvaluationError(f"{'not a' if Path(weights).exists() else 'no such'} weights file: {weights}")
    command = [sys.executable, "-P", __file__, CHILD_MODE, str(weights)]
    answer = run(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL).stdout
    try:
        found = json.loads(answer or '{"error": "damaged: reading it crashes or takes too long"}')
        if "error" in found:
            raise EvaluationError(found["error"])
        description, places = Description(**json.loads(found["description"])), found["arrays"]
        check_settings(description, sum(math.prod(shape) for _, shape in places.values()))
        return description, {
            name: np.fromfile(weights, "<f4", math.prod(shape), offset=offset).reshape(shape)
            for name, (offset, shape) in places.items()
        }
    except EvaluationError as error:
        raise EvaluationError(f"{weights}: {error}") from None
    except Exception as error:  # a description can hold anything
        raise EvaluationError(f"{weights}: the description is damaged: {first_line(error)}") from None


def check_settings(description: Description, n_numbers: int) -> None:
    """Refuse settings of no network of this project, or of one with more weights than ``n_numbers``."""
    if not description.network:
        raise EvaluationError("not exported by this project, or by an early version: no network settings")
    members = members_of(description.network)
    wrong = {name for member in members for name in wrong_in({"temperature": 1} | member, ALL_SETTINGS)}
    if type(mirror := description.network.get("mirror", False)) is not bool or (
        mirror and "members" not in description.network
    ):
        wrong.add("mirror")
    if wrong or not members:
        raise EvaluationError(f"the network's settings are damaged: {', '.join(sorted(wrong)) or 'members'}")
    stages = [(n, member["width"] * 2**i) for member in members for i, n in enumerate(member["blocks"])]
    needed = sum(13 * n * width**2 for n, width in stages)  # two kernels of 3 x 3; the first may be half
    if needed > n_numbers or max(len(members), sum(n for n, _ in stages)) > MAX_BLOCKS:
        raise EvaluationError("the network's settings ask for more weights than are stored")
    if largest_activation(description.settings) > MAX_ACTIVATION:
        raise EvaluationError(f"a layer gives more than {MAX_ACTIVATION:,} numbers for one image")


def largest_activation(settings: Mapping) -> int:
    """How many numbers the largest output of a layer has for one image: of the stem, or what it sees."""
    stems = [member["width"] / member["stem_stride"] ** 2 for member in members_of(settings)]
    return math.ceil(max(MOST_SEEN, *stems) * settings["input_size"] ** 2)


def answer_with_arrays(weights: str) -> int:
    """What the process that reads HDF5 does, in limited time: print what it finds, or the error, as JSON."""
    faulthandler.dump_traceback_later(CHILD_SECONDS, exit=True)  # ends it in C code, too
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, CHILD_CPU_SECONDS)
    try:
        answer = json.dumps(find_arrays(weights))
    except EvaluationError as error:
        answer = json.dumps({"error": str(error)})
    except Exception as error:  # h5py raises many kinds for damaged files
        answer = json.dumps({"error": f"not an HDF5 file, or damaged: {first_line(error)}"})
    print(answer, flush=True)
    return 0


def find_arrays(weights: PathLike) -> dict[str, Any]:
    """The text that describes a weights file, and where its arrays are: offset in bytes and shape by name."""
    size = Path(weights).stat().st_size
    if size > MAX_WEIGHTS_BYTES:
        raise EvaluationError(f"{size:,} bytes, more than {MAX_WEIGHTS_BYTES:,}")
    with h5py.File(weights, "r", locking=False) as file:
        if "classifier" not in file.attrs:
            raise EvaluationError("no class names: it was not exported by this project")
        text = file.attrs["classifier"]
        arrays = {name.removeprefix("model_weights/"): place for name, place in list_arrays(file)}
    if len(text) > MAX_DESCRIPTION_CHARS:
        raise EvaluationError(f"a description of more than {MAX_DESCRIPTION_CHARS:,} characters")
    if not 0 <= size - sum(4 * math.prod(shape) for _, shape in arrays.values()) <= MAX_TEXT_BYTES:
        raise EvaluationError("its arrays overlap, or do not fill it")
    return {"description": text, "arrays": arrays}


def list_arrays(file: h5py.File) -> Iterator[tuple[str, tuple[int, tuple[int, ...]]]]:
    """Name, offset and shape of every array in an HDF5 file; refuses what no export of this project holds."""
    n_objects, groups = 0, [("", file)]
    while groups:
        path, group = groups.pop()
        n_objects += len(group)
        if n_objects > MAX_OBJECTS or len(path) > MAX_NAME_CHARS:  # as of a group that contains itself
            raise EvaluationError(f"more than {MAX_OBJECTS:,} objects, or one in too many groups")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise EvaluationError(f"{path}{name} is a link to elsewhere")
            found = group[name]
            if isinstance(found, h5py.Group):
                groups.append((f"{path}{name}/", found))
                continue
            plain = isinstance(found, h5py.Dataset) and found.dtype == "<f4"
            offset = found.id.get_offset() if plain else None
            if offset is None or found.id.get_storage_size() != found.nbytes:
                raise EvaluationError(f"{path}{name} is not an array of plain numbers in one piece")
            yield f"{path}{name}", (offset, found.shape)


# --- Predicting ----------------------------------------------------------------------------------
READ_AHEAD_BYTES, READ_AHEAD_FILES = 64_000_000, 8192  # decoded images that wait for the network
BATCH_SIZE, MAX_BATCH_SIZE = 64, 4096  # what the layers give for 64 images may stay in the processor's cache
MAX_BATCH_ACTIVATION = 64_000_000  # for a batch, which becomes smaller where it is exceeded


def read_fitted(path: PathLike, size: int, fit: str) -> Fitted:
    """Read, decode and fit a file; returns uint8 (size, size, 3), or the reason why it is unreadable."""
    try:
        image = open_image(read_file(path))
        large = image.width * image.height > LARGE_PIXELS
        with decoding_large_image if large else contextlib.nullcontext():
            return fit_image(to_rgb(image, 2 * size), size, fit)
    except ImageDecodeError as error:
        return str(error)


@contextlib.contextmanager
def read_ahead(paths: Iterable[Path], size: int, fit: str) -> Iterator[Iterator[Fitted]]:
    """Inside it, threads call :func:`read_fitted` as far ahead as memory allows; gives what it returned."""
    window = max(1, min(READ_AHEAD_FILES, READ_AHEAD_BYTES // (3 * size**2)))
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    calls = (pool.submit(read_fitted, path, size, fit) for path in paths)

    def answers() -> Iterator[Fitted]:
        while pending:
            pending.extend(islice(calls, 1))
            yield pending.popleft().result()

    try:
        pending = deque(islice(calls, window))
        yield answers()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def predict_files(
    weights: PathLike, found: Found, paths: list[Path], batch_size: int = BATCH_SIZE
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Predict the classes of image files; threads decode ahead while Keras is imported and the network works.

    ``found`` is from :func:`inspect_weights`, ``batch_size`` the images per step of the network (fewer where
    they would need too much memory). Gives the probabilities of readable files, float32 (n_readable,
    n_classes); which files are readable, bool (n_paths,); and why the others, by position, are not. Raises
    :class:`EvaluationError` where the model cannot be built or predict. A terminal sees a progress bar.
    """
    from tqdm import tqdm

    description, arrays = found
    reasons = dict[int, str]()

    def readable_images() -> Iterator[np.ndarray]:
        for i, image in enumerate(tqdm(decoded, "scoring", len(paths), unit=" files", disable=None)):
            if isinstance(image, str):
                reasons[i] = image
            else:
                yield image

    with read_ahead(paths, description.input_size, description.fit) as decoded:
        model = build_model(weights, description, arrays)
        size = max(1, min(batch_size, MAX_BATCH_ACTIVATION // largest_activation(description.settings)))
        images, parts = readable_images(), [np.zeros((0, len(description.class_names)), np.float32)]
        while batch := list(islice(images, size)):
            parts.append(predict_batch(model, batch, size))
    return np.concatenate(parts), np.array([i not in reasons for i in range(len(paths))], bool), reasons


def predict_batch(model: "keras.Model", images: list[np.ndarray], batch_size: int) -> np.ndarray:
    """Class probabilities, float32 (n_images, n_classes), of at most ``batch_size`` fitted images."""
    # The last batch is filled up, because another shape would be compiled as another graph.
    batch = np.zeros((batch_size, *images[0].shape), np.uint8)
    batch[: len(images)] = images
    try:
        probabilities = np.asarray(model.predict_on_batch(batch))[: len(images)]
    except Exception as error:
        raise EvaluationError(f"the model cannot predict: {first_line(error)}") from None
    if not np.isfinite(probabilities).all():
        raise EvaluationError("the model's outputs are not finite numbers")
    return probabilities


# --- Scoring -------------------------------------------------------------------------------------
class Scores(TypedDict):
    macro_f1: float  # mean F1 of the classes that have images
    micro_f1: float  # over all images; equals accuracy, since each has one label and one prediction
    n_images: int
    per_class: dict[str, dict[str, float]]  # precision, recall, f1, support of each class with images


class Result(Scores):
    unreadable: list[dict[str, str]]  # path and reason of each file that was not scored
    no_classes: list[str]  # folders that hold nothing which could be an image
    weights: str
    test_folder: str
    seconds: float  # wall time, loading included


def score(y_true: np.ndarray, y_pred: np.ndarray, class_names: Sequence[str]) -> Scores:
    """F1 scores of predictions; both arrays are int, shape (n,), positions in ``class_names``."""
    from sklearn.metrics import f1_score, precision_recall_fscore_support

    present = np.unique(y_true)
    columns = precision_recall_fscore_support(y_true, y_pred, labels=present, zero_division=0)
    per_class: dict[str, dict[str, float]] = {
        class_names[label]: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for label, p, r, f, s in zip(present, *columns, strict=True)
    }
    micro = float(f1_score(y_true, y_pred, average="micro"))
    macro = float(f1_score(y_true, y_pred, average="macro", labels=present))
    return {"macro_f1": macro, "micro_f1": micro, "n_images": len(y_true), "per_class": per_class}


def evaluate(
    test_folder: PathLike, weights: PathLike, batch_size: int = BATCH_SIZE
) -> tuple[Result, list[Row], Description]:
    """Score a test folder; the names of its class folders are the labels of the images in them.

    Both paths may come from strangers; ``batch_size`` is as for :func:`predict_files`.
    Gives the scores, the model's description, and a row for each file: ``path``, ``class_name``,
    ``predicted``, ``probability``, ``error``, which is the reason why a file is unreadable. Raises
    :class:`EvaluationError` where the folder or the weights cannot be used, or do not fit.
    """
    start = time.perf_counter()
    folders, others = sort_folders(test_folder)
    description, _ = found = inspect_weights(weights)
    class_names = description.class_names
    if unknown := [name for name in folders if name not in class_names]:
        known = f"the model knows {len(class_names)} classes; {test_folder} has {shorten_list(unknown)}"
        raise EvaluationError(f"{known}, which it does not know. Folders: {shorten_list(folders)}")
    labelled = [(path, name) for name, folder in folders.items() for path in list_files(folder)]
    paths, labels = [path for path, _ in labelled], [name for _, name in labelled]
    probabilities, readable, reasons = predict_files(weights, found, paths, batch_size)
    names = [path.relative_to(test_folder).as_posix() for path in paths]
    if not readable.any():
        raise EvaluationError(f"no readable image in {test_folder}; the first file, {names[0]}: {reasons[0]}")
    y_true, y_pred = np.array([class_names.index(label) for label in labels]), probabilities.argmax(axis=1)
    result: Result = {
        **score(y_true[readable], y_pred, class_names),
        "unreadable": [{"path": names[i], "reason": reason} for i, reason in reasons.items()],
        "no_classes": others,
        "weights": str(weights),
        "test_folder": str(test_folder),
        "seconds": round(time.perf_counter() - start, 2),
    }
    rows = [
        {"path": name, "class_name": label, "predicted": "", "probability": "", "error": reasons.get(i, "")}
        for i, (name, label) in enumerate(zip(names, labels, strict=True))
    ]
    for i, guess, p in zip(np.flatnonzero(readable), y_pred, probabilities.max(axis=1), strict=True):
        rows[i] |= {"predicted": class_names[guess], "probability": f"{p:.4f}"}
    return result, rows, description


# --- Report --------------------------------------------------------------------------------------
FIGURE_ENDINGS = (".png", ".pdf", ".svg")
# Of Linux, Windows and macOS. Of a collection of fonts matplotlib knows the first one only, here the JP one.
HANGUL_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic", "AppleGothic")


def shorten_list(names: Iterable[str], limit: int = 30) -> str:
    """The names with commas between them; those after ``limit`` names are only counted."""
    names = list(names)
    more = f", and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def on_one_line(text: object) -> str:
    """Escape everything in a text that would break its line or control the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def first_line(error: object) -> str:
    """The first line of an error's message, or the error's type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def trained_on(training: dict) -> str:
    """One line on a model's training data: their name and hash, as far as its description has them."""
    found = [training.get(key) or "" for key in ("data_name", "data_hash")]  # of an average a list
    texts = [", ".join(dict.fromkeys(map(str, v))) if isinstance(v, list) else v for v in found]
    name, data = (on_one_line(text)[:80] for text in texts)
    known = f"data {data}" if data else "unknown data"
    return f"trained on {name} ({known})" if name else f"trained on {known}"


def format_result(result: Result, rows: list[Row], class_names: Sequence[str]) -> str:
    """The report that graders read: per-class scores, macro F1, micro F1, and the unreadable files."""
    from sklearn.metrics import classification_report

    scored = [row for row in rows if row["predicted"]]
    y_true, y_pred = [row["class_name"] for row in scored], [row["predicted"] for row in scored]
    labels, n_images, seconds = list(result["per_class"]), result["n_images"], result["seconds"]
    report = classification_report(y_true, y_pred, labels=labels, digits=4, zero_division=0)
    # Where classes are missing, scikit-learn prints a micro average over the others instead of accuracy.
    report = "\n".join(line for line in report.rstrip().splitlines() if "micro avg" not in line)
    lines = [f"{n_images:,} images scored, {len(result['unreadable']):,} files not readable"]
    unreadable = [(file["path"], on_one_line(file["reason"])) for file in result["unreadable"]]
    lines += [f"  not readable: {path!r}: {reason}" for path, reason in unreadable]
    if others := result.get("no_classes"):
        lines.append(f"no classes, as they hold no images: {', '.join(map(repr, others))}")
    if missing := [name for name in class_names if name not in labels]:
        lines.append(f"no images of {len(missing)} known classes: {', '.join(missing)}")
    lines += ["", report, ""]
    lines.append(f"macro F1  {result['macro_f1']:.4f}  (mean over {len(labels)} classes)")
    lines.append(f"micro F1  {result['micro_f1']:.4f}  (equals accuracy: one label, one prediction each)")
    lines.append(f"{seconds:.1f} s, {n_images / seconds:.0f} images/s, loading included")
    return "\n".join(lines)


def font_families() -> list[str]:
    """What figures are drawn with: matplotlib's default, and for Hangul the first font that is installed."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["sans-serif", *[name for name in HANGUL_FONTS if name in installed][:1]]


def draw_confusion_matrix(axes: "Axes", rows: list[Row], class_names: Sequence[str]) -> None:
    """Draw the confusion matrix of the scored ``rows`` of :func:`evaluate`, as shares of each true class."""
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    pairs = [(row["class_name"], row["predicted"]) for row in rows if row["predicted"]]
    labels = [name for name in class_names if any(name in pair for pair in pairs)]
    shares = confusion_matrix(*zip(*pairs, strict=True), labels=labels, normalize="true")
    display = ConfusionMatrixDisplay(shares, display_labels=labels)
    style = {"cmap": "Blues", "values_format": ".2f", "xticks_rotation": "vertical", "colorbar": False}
    display.plot(ax=axes, text_kw={"fontsize": 6}, im_kw={"vmin": 0, "vmax": 1}, **style)
    for text in (*display.text_.ravel(), *axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set(visible=text.get_text() != "0.00", parse_math=False)  # a class may be called $_$
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title("Share of each true class (row) predicted as each class")


def format_csv(rows: list[Row]) -> bytes:
    """The prediction for every file as a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def format_figure(rows: list[Row], class_names: Sequence[str], path: PathLike) -> bytes:
    """The confusion matrix as a file of the kind that the ending of ``path`` names: png, pdf or svg."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    data = io.BytesIO()
    with rc_context({"font.family": font_families()}):
        figure = Figure(figsize=(9, 9), layout="constrained")
        draw_confusion_matrix(figure.subplots(), rows, class_names)
        figure.savefig(data, format=Path(path).suffix[1:].lower(), dpi=150)
    return data.getvalue()


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """A path to write to, which replaces ``path`` when the block ends without an error.

    A link is written through and the mode of an old file kept; to a device or a pipe the bytes are written.
    """
    special = is_special(path)
    target = Path(tempfile.gettempdir(), Path(path).name) if special else Path(os.path.realpath(path))
    stem = target.stem[:50]  # a name may have 255 bytes, with what is added to it
    partial = target.with_name(f".{stem}.{os.getpid()}.partial{target.suffix}")
    try:
        yield partial
        if special:
            with open(path, "ab") as out:  # "wb" would cut off what a shell has already written there
                out.write(partial.read_bytes())
            return
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def is_special(path: PathLike) -> bool:
    """Whether a path is no place for a file: a device, a pipe, an open file of the shell."""
    path = Path(path)
    of_shell = str(path).startswith(("/dev/fd/", "/dev/std", "/proc/"))
    return path.exists() and (of_shell or not (path.is_file() or path.is_dir()))


def check_outputs(outputs: Iterable[PathLike], *inputs: PathLike) -> None:
    """Refuse, before the work, outputs that cannot be written, are one file, or would replace an input.

    Inputs are files, and folders with all in their sub-folders and the images beside these.
    """
    files = [Path(path) for path in outputs if not is_special(path)]
    if len({path.resolve() for path in files}) < len(files):
        raise EvaluationError("two outputs are one file")
    for path in files:
        if path.is_dir():
            raise EvaluationError(f"{path} is a folder: name a file")
        if not path.parent.is_dir():
            raise EvaluationError(f"no such folder: {path.parent}: make it, or name another file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise EvaluationError(f"{path} is not writable: name another file")
        if path.exists():
            for given in (Path(name).resolve() for name in inputs if Path(name).exists()):
                target, folders = path.resolve(), path.resolve().parents
                inside = given in folders[1:] or (given in folders and could_be_image(target))
                if inside or target.samefile(given):
                    raise EvaluationError(f"{path} is an input, which would be lost: name another file")


# --- Command line --------------------------------------------------------------------------------
class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"evaluate.py: error: {on_one_line(message)}; see python evaluate.py --help\n")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python evaluate.py", description="Score a classifier on a folder of class folders.")
    parser.add_argument("test_folder", help="folder with one sub-folder per class")
    parser.add_argument("weights", help="HDF5 file that this project exported")
    parser.add_argument("--json", metavar="FILE", help="write the scores")
    parser.add_argument("--csv", metavar="FILE", help="write the prediction for every file")
    parser.add_argument("--figure", metavar="FILE", help="draw the confusion matrix (PNG, PDF, SVG)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=BATCH_SIZE, help="images per step")
    options = parser.parse_args(arguments)
    if not all((options.test_folder, options.weights)):
        parser.error("an empty name, as of a variable that is not set")
    if not 1 <= options.batch_size <= MAX_BATCH_SIZE:
        parser.error(f"--batch-size must be from 1 to {MAX_BATCH_SIZE}")
    if options.figure and Path(options.figure).suffix.lower() not in FIGURE_ENDINGS:
        parser.error(f"--figure must end in one of {', '.join(FIGURE_ENDINGS)}")
    return options


def write_outputs(
    options: argparse.Namespace, result: Result, rows: list[Row], class_names: Sequence[str]
) -> None:
    """Write the files that the command line asks for."""
    scores = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    for path, content in (
        (options.json, lambda: scores.encode("utf-8", "backslashreplace")),
        (options.csv, lambda: format_csv(rows)),
        (options.figure, lambda: format_figure(rows, class_names, options.figure)),
    ):
        if path:
            with atomic_write(path) as partial:
                partial.write_bytes(content())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0, or after one line on stderr 2, or 128 and a signal's number."""
    options = parse_arguments(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # about oddities of files that it reads all the same
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names that the terminal cannot show
    try:
        outputs = [path for path in (options.json, options.csv, options.figure) if path is not None]
        check_outputs(outputs, options.test_folder, options.weights)
        result, rows, description = evaluate(options.test_folder, options.weights, options.batch_size)
        try:
            print(trained_on(description.training))
            print(format_result(result, rows, description.class_names), flush=True)
        finally:  # also where what reads the scores has stopped reading
            write_outputs(options, result, rows, description.class_names)
        return 0
    except (EvaluationError, OSError) as error:
        code, line = 2, f"evaluate.py: error: {on_one_line(error)}"
    except KeyboardInterrupt as stopped:
        code, line = (stopped.args or (130,))[0], "\nevaluate.py: interrupted"
    with redirecting_stderr:  # a thread that still decodes may be inside without_stderr
        print(line, file=sys.stderr, flush=True)
    return code


def stop(number: int, _: object) -> NoReturn:
    """A signal's handler that lets blocks clean up, as Ctrl-C does."""
    raise KeyboardInterrupt(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    # At once: threads may still decode a large image, and the end of TensorFlow takes a second.
    os._exit(answer_with_arrays(sys.argv[2]) if sys.argv[1:-1] == [CHILD_MODE] else main())
