"""Drawings and photographs -> the bytes of image files that look collected, not generated.

In: SVG text or RGB arrays, and a container (file format and mode). Out: encoded files.
"""

import hashlib
import io

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
    "png-gray": ("png", 0.0),  # given to gray drawings only
    "bmp": ("bmp", 0.0),  # given to planted changes of format only
}
COLOURED_SHARE = 0.10
GRAY_SHARE = 0.04
SIDES = (72, 192)  # px, longest side of an image


def rng_for(seed, *key):
    """A generator that depends on the seed and the key alone, not on what was drawn before."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def draw(svg, side):
    """Render an SVG so that its longest side has ``side`` pixels.

    Returns
    -------
    PIL.Image.Image
        Mode RGBA, transparent where nothing is drawn.
    """
    width, height = (float(svg.split(f'{name}="')[1].split('"')[0]) for name in ("width", "height"))
    scale = side / max(width, height)
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        skip_system_fonts=True,
    )
    return Image.open(io.BytesIO(png)).convert("RGBA")


def on_background(drawing, colour=WHITE):
    """Composite an RGBA image on a colour; returns an RGB image."""
    background = Image.new("RGBA", drawing.size, (*colour, 255))
    return Image.alpha_composite(background, drawing).convert("RGB")


def drawing_hash(svg):
    """Identity of a drawing: hash of its 96-px rendering on white, 16 hex digits."""
    canonical = on_background(draw(svg, 96))
    return hashlib.sha256(f"{canonical.size}".encode() + canonical.tobytes()).hexdigest()[:16]


def choose_look(rng):
    """How a drawing looks in every copy of it: ``gray`` (bool) and ``background`` (RGB tuple)."""
    coloured = rng.random() < COLOURED_SHARE
    background = tuple(int(v) for v in rng.integers(150, 256, 3)) if coloured else WHITE
    return {"gray": bool(rng.random() < GRAY_SHARE), "background": background}


def choose_file(rng, gray=False, background=WHITE):
    """Size and encoding of one file: ``side`` (px), ``container``, ``quality`` (JPEG and WebP)."""
    names = [n for n in CONTAINERS if n != "png-rgba" or background == WHITE]
    shares = np.array([CONTAINERS[n][1] for n in names])
    container = str(rng.choice(names, p=shares / shares.sum()))
    side, quality = int(rng.integers(SIDES[0], SIDES[1] + 1)), int(rng.integers(50, 96))
    return {"side": side, "container": "png-gray" if gray else container, "quality": quality}


def render_file(svg, side, container, quality, background):
    """Draw an icon and encode it; returns bytes. Arguments as :func:`choose_file` gives them."""
    drawing = draw(svg, side)
    if container != "png-rgba":
        drawing = on_background(drawing, background)
    return encode(drawing, container, quality)


def encode(image, container, quality=90):
    """Encode a PIL image.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB, or RGBA for the container ``png-rgba``.
    container : str
        A key of ``CONTAINERS``.
    quality : int
        50 to 95, for JPEG and WebP only.

    Returns
    -------
    bytes
    """
    if container == "png-gray":
        image = image.convert("L")
    elif container == "png-palette":
        image = image.quantize(128, dither=Image.Dither.NONE)
    settings = {"jpeg": {"quality": quality}, "webp": {"quality": quality}}.get(container, {})
    buffer = io.BytesIO()
    image.save(buffer, container.split("-")[0], **settings)
    return buffer.getvalue()
