"""What goes wrong in a careless collection: duplicates, photographs, broken files.

In: the bytes of a collected file, or a photograph of the installed packages, and a seeded
generator. Out: the bytes of the contaminated file.
"""

from importlib.resources import files

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from evaluate import decode_image
from illus.emoji20.render import SIDES, encode

# Sharp ones only: crops of a blurred photograph look like copies of one another.
PHOTOGRAPHS = (
    *(
        ("skimage.data", name)
        for name in (
            "astronaut.png",
            "brick.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "coins.png",
            "grass.png",
            "gravel.png",
            "hubble_deep_field.jpg",
            "ihc.png",
            "moon.png",
            "motorcycle_left.png",
            "page.png",
            "retina.jpg",
            "rocket.jpg",
            "text.png",
        )
    ),
    ("sklearn.datasets", "images/china.jpg"),
    ("sklearn.datasets", "images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)
TRANSFORMS = ("byte-copy", "jpeg", "rescale", "padding", "shift", "brightness", "contrast", "format")
DAMAGES = ("empty", "truncated", "text", "html", "header only", "zeros", "noise")
FLAT = 12.0  # a crop whose gray standard deviation is below this shows nothing


def duplicate_container(transform, container, rng):
    """The container that a planted copy gets, given that of its original."""
    if transform in ("byte-copy", "rescale", "padding", "shift", "brightness", "contrast"):
        return container
    if transform == "jpeg":
        return "jpeg"
    return str(rng.choice([c for c in ("png-rgb", "webp", "bmp") if c != container]))


def duplicate(data, transform, container, rng):
    """Copy a file the way copies arise.

    Parameters
    ----------
    data : bytes
        The original file.
    transform : str
        One of ``TRANSFORMS``: byte copy, JPEG quality 40-90, rescale 0.4-0.9, padding up to 8 %,
        shift up to 3 %, brightness or contrast up to 10 %, change of format.
    container : str
        From :func:`duplicate_container`. A copy made by an image editor has no transparency.

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
    return encode(
        image, "png-rgb" if container == "png-rgba" else container
    ), f"{transform} {strength}".strip()


def _rescale(image, rng):
    scale = rng.uniform(0.4, 0.9)
    size = [max(1, round(side * scale)) for side in image.size]
    return image.resize(size, Image.Resampling.LANCZOS), f"{scale:.2f}"


def _pad(image, rng):
    border = max(1, round(rng.uniform(0.02, 0.08) * max(image.size)))
    return ImageOps.expand(image, border, fill=image.getpixel((0, 0))), f"{border}px"


def _shift(image, rng):
    limit = max(1, int(0.03 * max(image.size)))
    dx, dy = (int(v) for v in rng.choice([-1, 1], 2) * rng.integers(1, limit + 1, 2))
    moved = Image.new("RGB", image.size, image.getpixel((0, 0)))
    moved.paste(image, (dx, dy))
    return moved, f"{dx:+d},{dy:+d}px"


def _enhance(enhancer):
    def change(image, rng):
        factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.03, 0.10)
        return enhancer(image).enhance(factor), f"x{factor:.2f}"

    return change


_CHANGES = {
    "rescale": _rescale,
    "padding": _pad,
    "shift": _shift,
    "brightness": _enhance(ImageEnhance.Brightness),
    "contrast": _enhance(ImageEnhance.Contrast),
    "format": lambda image, rng: (image, ""),
}


def load_photograph(source):
    """A photograph that an installed package ships, as an RGB image."""
    package, name = source
    return Image.fromarray(decode_image(files(package).joinpath(name).read_bytes()))


def crop_photograph(photograph, side, rng):
    """A crop at a random place and scale, shown with its longest side at ``side`` pixels.

    Crops that are flat (an empty sky) are drawn again: nobody could call them photographs.
    """
    while True:
        aspect = rng.uniform(0.7, 1.4)
        largest = min(photograph.width / aspect, photograph.height)
        smallest = min(0.8 * min(SIDES), largest)
        height = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
        width = height * aspect
        left, top = rng.uniform(0, photograph.width - width), rng.uniform(0, photograph.height - height)
        scale = side / max(width, height)
        crop = photograph.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))),
            Image.Resampling.LANCZOS,
            (left, top, left + width, top + height),
        )
        if np.asarray(crop.convert("L")).std() >= FLAT:
            return crop


def broken(data, damage, rng):
    """The bytes of a file that no decoder can read; ``damage`` is one of ``DAMAGES``."""
    return {
        "empty": b"",
        "truncated": data[: int(len(data) * rng.uniform(0.2, 0.6))],
        "text": b"The image could not be downloaded.\n",
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
        "header only": data[:24],
        "zeros": bytes(int(rng.integers(500, 5000))),
        "noise": rng.bytes(int(rng.integers(500, 5000))),
    }[damage]
