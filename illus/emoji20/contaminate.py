"""The contamination of a carelessly collected data set: duplicates, photos, broken files.

In: the bytes of a file, or a photo from an installed package, and a seeded generator. Out: the bytes of
the contaminated file.
"""

from collections.abc import Callable
from importlib.resources import files

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from evaluate import decode_image
from illus.emoji20.render import SIDES, encode

# fmt: off
# Package and file. Sharp ones only: crops of a blurred photo look like duplicates of each other.
PHOTOS = (
    *(("skimage.data", name) for name in (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
        "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
        "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png")),
    ("sklearn.datasets", "images/china.jpg"),
    ("sklearn.datasets", "images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)
# fmt: on
TRANSFORMS = ("byte-copy", "jpeg", "rescale", "padding", "shift", "brightness", "contrast", "format")
DAMAGES = ("empty", "truncated", "text", "html", "header only", "zeros", "noise")
FLAT = 12.0  # levels: a crop with a smaller standard deviation of gray shows nothing


def duplicate_container(transform: str, container: str, rng: np.random.Generator) -> str:
    """The container of a planted duplicate, given that of its original (see ``render.CONTAINERS``)."""
    if transform in ("byte-copy", "rescale", "padding", "shift", "brightness", "contrast"):
        return container
    if transform == "jpeg":
        return "jpeg"
    return str(rng.choice([c for c in ("png-rgb", "webp", "bmp") if c != container]))


def duplicate(data: bytes, transform: str, container: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """Make a near duplicate of a file, or an exact one.

    Parameters
    ----------
    data : bytes
        The original file.
    transform : str
        One of ``TRANSFORMS``: byte copy, JPEG quality 40-90, rescale 0.4-0.9, padding up to 8 %,
        shift up to 3 %, brightness or contrast up to 10 %, change of format.
    container : str
        From :func:`duplicate_container`. Only byte copies keep transparency, as with image editors.
    rng : numpy.random.Generator

    Returns
    -------
    data : bytes
    transform : str
        The transform with its strength, as ``truth.csv`` records it.
    """
    if transform == "byte-copy":
        return data, transform
    image = Image.fromarray(decode_image(data))
    if transform == "jpeg":
        quality = int(rng.integers(40, 91))
        return encode(image, "jpeg", quality), f"jpeg q={quality}"
    image, strength = _CHANGES[transform](image, rng)
    container = "png-rgb" if container == "png-rgba" else container
    return encode(image, container), f"{transform} {strength}".strip()


Change = Callable[[Image.Image, np.random.Generator], tuple[Image.Image, str]]  # the image and the strength


def _rescale(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    scale = rng.uniform(0.4, 0.9)
    size = [max(1, round(side * scale)) for side in image.size]
    return image.resize(size, Image.Resampling.LANCZOS), f"{scale:.2f}"


def _pad(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    border = max(1, round(rng.uniform(0.02, 0.08) * max(image.size)))
    return ImageOps.expand(image, border, fill=_corner(image)), f"{border}px"


def _shift(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    limit = max(1, int(0.03 * max(image.size)))
    dx, dy = (int(v) for v in rng.choice([-1, 1], 2) * rng.integers(1, limit + 1, 2))
    moved = Image.new("RGB", image.size, _corner(image))
    moved.paste(image, (dx, dy))
    return moved, f"{dx:+d},{dy:+d}px"


def _corner(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = np.asarray(image)[0, 0].tolist()
    return red, green, blue


def _enhance(enhancer: type[ImageEnhance.Brightness | ImageEnhance.Contrast]) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
        factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.03, 0.10)
        return enhancer(image).enhance(factor), f"x{factor:.2f}"

    return change


_CHANGES: dict[str, Change] = {
    "rescale": _rescale,
    "padding": _pad,
    "shift": _shift,
    "brightness": _enhance(ImageEnhance.Brightness),
    "contrast": _enhance(ImageEnhance.Contrast),
    "format": lambda image, rng: (image, ""),
}


def load_photo(source: tuple[str, str]) -> Image.Image:
    """One of ``PHOTOS``, from the installed package that ships it, as an RGB image."""
    package, name = source
    return Image.fromarray(decode_image(files(package).joinpath(name).read_bytes()))


def crop_photo(photo: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    """A crop at a random place and scale, resized so that its longest side has ``side`` pixels.

    Crops that are flat, such as an empty sky, are drawn again: they would not look like photos.
    """
    while True:
        aspect = rng.uniform(0.7, 1.4)
        largest = min(photo.width / aspect, photo.height)
        smallest = min(0.8 * min(SIDES), largest)
        height = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
        width = height * aspect
        left, top = rng.uniform(0, photo.width - width), rng.uniform(0, photo.height - height)
        scale = side / max(width, height)
        crop = photo.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))),
            Image.Resampling.LANCZOS,
            (left, top, left + width, top + height),
        )
        if np.asarray(crop.convert("L")).std() >= FLAT:
            return crop


def broken(data: bytes, damage: str, rng: np.random.Generator) -> bytes:
    """A file that cannot be decoded, from the bytes of one that can; ``damage`` is one of ``DAMAGES``."""
    return {  # all are made, whichever is asked for, so that the generator is always used alike
        "empty": b"",
        "truncated": data[: int(len(data) * rng.uniform(0.2, 0.6))],
        "text": b"The image could not be downloaded.\n",
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
        "header only": data[:24],
        "zeros": bytes(int(rng.integers(500, 5000))),
        "noise": rng.bytes(int(rng.integers(500, 5000))),
    }[damage]
