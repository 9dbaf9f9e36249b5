"""The contamination of a carelessly collected data set: duplicates and broken files.

In: the bytes of a file, and a seeded generator. Out: the bytes of the contaminated file. How strong the
changes are follows from what image tools and websites do with a picture.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from evaluate import decode_image
from illus.emoji20.render import encode

TRANSFORMS = ("byte-copy", "jpeg", "rescale", "padding", "shift", "brightness", "contrast", "format")
RANGES: dict[str, tuple[float, float]] = {
    "jpeg": (40, 90),  # quality: messengers recompress at about 40, editors save at 90 by default
    "rescale": (0.4, 0.9),  # of the side: previews and thumbnails
    "padding": (0.02, 0.08),  # of the longest side, on each side: borders that page layouts add
    "shift": (0.0, 0.03),  # of the longest side: a screenshot that is cut by hand
    "light": (0.03, 0.10),  # of brightness or contrast: "improve automatically"
}
DAMAGES = ("empty", "truncated", "text", "html", "header only", "zeros", "noise")


def duplicate_container(transform: str, container: str, rng: np.random.Generator) -> str:
    """The container of a planted duplicate, given that of its original (see ``render.CONTAINERS``)."""
    if transform in ("byte-copy", "rescale", "padding", "shift", "brightness", "contrast"):
        return container
    if transform == "jpeg":
        return "jpeg"
    return str(rng.choice([c for c in ("png-rgb", "webp", "bmp") if c != container]))


def duplicate(data: bytes, transform: str, container: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """Make a near duplicate of a file, or an exact one; its bytes, and the transform with its strength.

    ``transform`` is one of ``TRANSFORMS``, see ``RANGES``; ``container`` is from
    :func:`duplicate_container`. Only byte copies keep transparency, as with image editors.
    """
    if transform == "byte-copy":
        return data, transform
    image = Image.fromarray(decode_image(data))
    if transform == "jpeg":
        lowest, highest = map(int, RANGES["jpeg"])
        quality = int(rng.integers(lowest, highest + 1))
        return encode(image, "jpeg", quality), f"jpeg q={quality}"
    image, strength = _CHANGES[transform](image, rng)
    container = "png-rgb" if container == "png-rgba" else container
    return encode(image, container), f"{transform} {strength}".strip()


Change = Callable[[Image.Image, np.random.Generator], tuple[Image.Image, str]]  # the image and the strength


def _rescale(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    scale = rng.uniform(*RANGES["rescale"])
    size = [max(1, round(side * scale)) for side in image.size]
    return image.resize(size, Image.Resampling.LANCZOS), f"{scale:.2f}"


def _pad(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    border = max(1, round(rng.uniform(*RANGES["padding"]) * max(image.size)))
    return ImageOps.expand(image, border, fill=_corner(image)), f"{border}px"


def _shift(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    limit = max(1, int(RANGES["shift"][1] * max(image.size)))
    dx, dy = (int(v) for v in rng.choice([-1, 1], 2) * rng.integers(1, limit + 1, 2))
    moved = Image.new("RGB", image.size, _corner(image))
    moved.paste(image, (dx, dy))
    return moved, f"{dx:+d},{dy:+d}px"


def _corner(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = np.asarray(image)[0, 0].tolist()
    return red, green, blue


def _enhance(enhancer: type[ImageEnhance.Brightness | ImageEnhance.Contrast]) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
        factor = 1 + rng.choice([-1, 1]) * rng.uniform(*RANGES["light"])
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
