"""Drawings and photos -> image files that look collected, not generated.

In: SVG text or images, and a container (file format and mode). Out: the bytes of encoded files.
"""

import hashlib
import io
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

WHITE = (255, 255, 255)
CONTAINERS = {  # container -> (file ending, share among drawings)
    "jpeg": ("jpg", 0.36),
    "png-rgb": ("png", 0.26),
    "png-rgba": ("png", 0.14),
    "png-palette": ("png", 0.12),
    "webp": ("webp", 0.12),
    "png-gray": ("png", 0.0),  # for gray drawings only
    "bmp": ("bmp", 0.0),  # for planted changes of format only
}
COLOURED_SHARE = 0.10  # of drawings on a coloured background
GRAY_SHARE = 0.04  # of drawings in gray
SIDES = (72, 192)  # px, range of the longest side of an image
QUALITIES = (50, 95)  # range, of JPEG and WebP
IDENTITY_SIDE = 96  # px, of the rendering by which drawings are compared


def rng_for(seed: int, *key: str) -> np.random.Generator:
    """A generator that depends on the seed and the key alone, not on what was drawn before."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def draw(svg: str, side: int) -> Image.Image:
    """Render an SVG, its longest side ``side`` pixels; mode RGBA, transparent where nothing is drawn."""
    width, height = (float(svg.split(f'{name}="')[1].split('"')[0]) for name in ("width", "height"))
    scale = side / max(width, height)
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        skip_system_fonts=True,
    )
    return Image.open(io.BytesIO(png)).convert("RGBA")


def on_background(drawing: Image.Image, colour: tuple[int, int, int] = WHITE) -> Image.Image:
    """Composite an RGBA image on a colour; returns an RGB image."""
    background = Image.new("RGBA", drawing.size, (*colour, 255))
    return Image.alpha_composite(background, drawing).convert("RGB")


def drawing_hash(svg: str) -> str:
    """Identity of a drawing: a hash of its rendering on white, 16 hexadecimal digits."""
    canonical = on_background(draw(svg, IDENTITY_SIDE))
    return hashlib.sha256(f"{canonical.size}".encode() + canonical.tobytes()).hexdigest()[:16]


# Any: values of several types, which are passed on as keyword arguments.
def choose_look(rng: np.random.Generator) -> dict[str, Any]:
    """What all files of a drawing have in common: ``gray`` (bool) and ``background`` (RGB tuple)."""
    coloured = rng.random() < COLOURED_SHARE
    background = tuple(int(v) for v in rng.integers(150, 256, 3)) if coloured else WHITE
    return {"gray": bool(rng.random() < GRAY_SHARE), "background": background}


def choose_file(
    rng: np.random.Generator, gray: bool = False, background: tuple[int, int, int] | None = WHITE
) -> dict[str, Any]:
    """Size and encoding of one file: ``side`` (px), ``container``, ``quality`` (for JPEG and WebP).

    ``background`` is RGB, None for a photo; transparent files are for drawings on white only.
    """
    names = [n for n in CONTAINERS if n != "png-rgba" or background == WHITE]
    shares = np.array([CONTAINERS[n][1] for n in names])
    container = str(rng.choice(names, p=shares / shares.sum()))
    side, quality = (int(rng.integers(low, high + 1)) for low, high in (SIDES, QUALITIES))
    return {"side": side, "container": "png-gray" if gray else container, "quality": quality}


def render_file(svg: str, side: int, container: str, quality: int, background: tuple[int, int, int]) -> bytes:
    """Draw an icon and encode it; arguments as from :func:`choose_look` and :func:`choose_file`."""
    drawing = draw(svg, side)
    if container != "png-rgba":
        drawing = on_background(drawing, background)
    return encode(drawing, container, quality)


def encode(image: Image.Image, container: str, quality: int = 90) -> bytes:
    """Encode a PIL image, RGB or, for the container ``png-rgba``, RGBA; ``quality`` is for JPEG and WebP."""
    if container == "png-gray":
        image = image.convert("L")
    elif container == "png-palette":
        image = image.quantize(128, dither=Image.Dither.NONE)
    settings = {"jpeg": {"quality": quality}, "webp": {"quality": quality}}.get(container, {})
    buffer = io.BytesIO()
    image.save(buffer, container.split("-")[0], **settings)
    return buffer.getvalue()
