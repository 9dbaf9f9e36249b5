"""A second contamination, by which nothing was chosen: copies of drawings that emoji20's builder never makes.

In: emoji20's training folder with its truth. Out: a folder of class folders with its drawings (truth kind
*original*) and ``COPIES`` copies of drawings for each of ``TRANSFORMS``, and ``truth.csv`` beside it.

The duplicate finder's settings were swept on copies that ``illus/emoji20/contaminate.py`` makes. These are
others, in ranges that image tools have, drawn from another seed; ``benchmarks/duplicates.py`` measures on
them. A copy is saved as PNG or as JPEG of quality 90, which editors propose, unless it is about encoding.
"""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from evaluate import decode_image
from illus.emoji20.render import encode
from illus.parallel import write_table

COPIES, SEED = 100, 2026
QUALITY = 90
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def rotation(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """By 1-3 degrees: scanners' and phones' straightening; the corners take the colour of the ground."""
    angle = rng.choice([-1, 1]) * rng.uniform(1, 3)
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=image.getpixel((0, 0)))


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """5-10 % of width and of height go: a border cut off by hand."""
    cut = rng.uniform(0.05, 0.10, 2) * image.size
    left, top = rng.uniform(0, 1, 2) * cut
    right, bottom = np.array(image.size) - cut + (left, top)
    return image.crop((round(left), round(top), round(right), round(bottom)))


def saturation(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Times 0.5-0.8 or 1.2-1.6: the faded and the vivid filters of phones."""
    return ImageEnhance.Color(image).enhance(rng.choice([rng.uniform(0.5, 0.8), rng.uniform(1.2, 1.6)]))


def sharpening(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Unsharp mask, radius 1-2 px, 80-150 %: editors do so after a resize; Pillow's default is 150 %."""
    return image.filter(ImageFilter.UnsharpMask(rng.uniform(1, 2), int(rng.integers(80, 151)), threshold=2))


def watermark(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A gray word across the middle, 25-45 % opaque, 50-90 % of the width: as image banks do."""
    layer = Image.new("RGBA", image.size)
    draw, width = ImageDraw.Draw(layer), rng.uniform(0.5, 0.9) * image.width
    font = ImageFont.load_default(20)
    font = ImageFont.load_default(20 * width / draw.textlength("SAMPLE", font))
    place, opacity = (image.width / 2, image.height / 2), int(255 * rng.uniform(0.25, 0.45))
    draw.text(place, "SAMPLE", (128, 128, 128, opacity), font, anchor="mm")
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def gray(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Without colour, as printed or scanned."""
    return image.convert("L").convert("RGB")


def palette(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """64 colours, dithered: a GIF that was exported small."""
    colours = image.quantize(64)
    return image.quantize(64, palette=colours, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")


def blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A Gaussian of sd 0.6-1.5 px: about what enlarging a preview to one and a half to three times leaves."""
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.5)))


def double_jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """JPEG of quality 75-95, then of 50-75: posted, saved, posted again; kept as PNG, not a third time."""
    for low, high in ((75, 95), (50, 75)):
        image = Image.open(io.BytesIO(encode(image, "jpeg", int(rng.integers(low, high + 1))))).convert("RGB")
    return image


TRANSFORMS: dict[str, Change] = {
    function.__name__: function
    for function in (rotation, crop, saturation, sharpening, watermark, gray, palette, blur, double_jpeg)
}


def build(folder: Path, truth: pd.DataFrame, out: Path) -> Path:
    """Write ``out/training`` and ``out/truth.csv`` anew; returns the former."""
    shutil.rmtree(out, ignore_errors=True)
    rng, originals = np.random.default_rng(SEED), truth[truth.kind == "original"]
    chosen = rng.choice(len(originals), (len(TRANSFORMS), COPIES), replace=False)
    rows = []
    for path in originals.path:
        target = out / "training" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
    for (name, change), numbers in zip(TRANSFORMS.items(), chosen, strict=True):
        for file in originals.iloc[numbers].itertuples():
            image = change(Image.fromarray(decode_image((folder / file.path).read_bytes())), rng)
            container = (
                "png-rgb" if name in ("palette", "double_jpeg") else str(rng.choice(["png-rgb", "jpeg"]))
            )
            ending = {"png-rgb": "png", "jpeg": "jpg"}[container]
            path = f"{file.path.rsplit('.', 1)[0]}-{name}.{ending}"
            (out / "training" / path).write_bytes(encode(image, container, QUALITY))
            rows.append(file._asdict() | {"path": path, "kind": "duplicate", "transform": name,
                                          "source": f"training/{file.path}"})  # fmt: skip
    planted = pd.DataFrame(rows).drop(columns="Index")
    table = pd.concat([originals, planted], ignore_index=True)
    write_table(table.assign(path="training/" + table.path), out / "truth.csv")
    return out / "training"
