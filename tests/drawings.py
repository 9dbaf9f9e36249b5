"""Detailed drawings on white, with parts that can be changed one at a time."""

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

YELLOW, BROWN, LINE = (250, 205, 70), (176, 112, 60), (70, 45, 20)


def canvas():
    """A white canvas, larger than the drawing will be, so that its edges get smooth."""
    image = Image.new("RGB", (480, 480), "white")
    return image, ImageDraw.Draw(image)


def reduce(image, side=120):
    """A finished canvas at the size of the drawing."""
    return image.resize((side, side), Image.Resampling.BOX)


def face(skin=YELLOW, smiles=True, eyes=2, side=120):
    image, pen = canvas()
    pen.ellipse((40, 40, 440, 440), fill=skin, outline=LINE, width=10)
    pen.chord((60, 40, 420, 260), 200, 340, fill=(110, 60, 30))
    for x in (165, 315, 240)[:eyes]:
        pen.ellipse((x - 32, 190, x + 32, 260), fill="white", outline=LINE, width=6)
        pen.ellipse((x - 14, 212, x + 14, 244), fill=LINE)
    pen.ellipse((95, 280, 145, 315), fill=(240, 130, 120))
    pen.ellipse((335, 280, 385, 315), fill=(240, 130, 120))
    if smiles:
        pen.chord((150, 250, 330, 390), 0, 180, fill=(170, 40, 40), outline=LINE, width=8)
    else:
        pen.chord((150, 320, 330, 460), 180, 360, fill=(170, 40, 40), outline=LINE, width=8)
    return reduce(image, side)


def house(wall=(225, 190, 150), side=120):
    image, pen = canvas()
    pen.rectangle((90, 220, 390, 440), fill=wall, outline=LINE, width=8)
    pen.polygon([(60, 225), (240, 60), (420, 225)], fill=(190, 60, 50), outline=LINE, width=8)
    pen.rectangle((330, 70, 370, 170), fill=(130, 80, 70))
    pen.rectangle((120, 320, 190, 440), fill=(110, 70, 40), outline=LINE, width=6)
    for x, y in ((240, 270), (310, 270), (240, 350), (310, 350)):
        pen.rectangle((x, y, x + 50, y + 55), fill=(150, 205, 240), outline=LINE, width=6)
        pen.line((x + 25, y, x + 25, y + 55), fill=LINE, width=5)
    return reduce(image, side)


def clock(hour=2.0, minute=45, side=120):
    image, pen = canvas()
    pen.ellipse((30, 30, 450, 450), fill=(235, 235, 245), outline=(60, 70, 130), width=28)
    for mark in range(12):
        x, y = 240 + 165 * np.sin(mark * np.pi / 6), 240 - 165 * np.cos(mark * np.pi / 6)
        pen.ellipse((x - 11, y - 11, x + 11, y + 11), fill=(60, 70, 130))
    for turn, length, width in ((hour / 12, 95, 24), (minute / 60, 150, 16)):
        end = (240 + length * np.sin(2 * np.pi * turn), 240 - length * np.cos(2 * np.pi * turn))
        pen.line((240, 240, *end), fill=(200, 50, 40), width=width)
    pen.ellipse((222, 222, 258, 258), fill=LINE)
    return reduce(image, side)


def fish(side=120):
    """Looks left, and is not symmetrical."""
    image, pen = canvas()
    pen.polygon([(330, 240), (455, 120), (425, 250), (460, 370)], fill=(235, 120, 40), outline=LINE, width=8)
    pen.ellipse((30, 110, 380, 370), fill=(245, 150, 60), outline=LINE, width=8)
    for x in (180, 255):
        pen.rectangle((x, 130, x + 28, 350), fill="white", outline=LINE, width=4)
    pen.polygon([(170, 115), (300, 40), (280, 125)], fill=(235, 120, 40), outline=LINE, width=6)
    pen.ellipse((85, 175, 135, 225), fill="white", outline=LINE, width=6)
    pen.ellipse((98, 188, 120, 212), fill=LINE)
    pen.arc((40, 240, 140, 310), 20, 120, fill=LINE, width=8)
    return reduce(image, side)


def plant(pot=(190, 90, 60), side=120):
    image, pen = canvas()
    pen.polygon([(150, 310), (330, 310), (300, 455), (180, 455)], fill=pot, outline=LINE, width=8)
    pen.rectangle((135, 290, 345, 330), fill=pot, outline=LINE, width=8)
    pen.line((240, 290, 240, 120), fill=(60, 120, 50), width=16)
    pen.ellipse((90, 180, 240, 250), fill=(80, 160, 70), outline=LINE, width=6)
    pen.ellipse((240, 130, 400, 200), fill=(80, 160, 70), outline=LINE, width=6)
    for turn in range(6):
        x, y = 240 + 50 * np.sin(turn * np.pi / 3), 95 - 50 * np.cos(turn * np.pi / 3)
        pen.ellipse((x - 30, y - 30, x + 30, y + 30), fill=(225, 90, 150), outline=LINE, width=4)
    pen.ellipse((212, 67, 268, 123), fill=(250, 210, 60), outline=LINE, width=4)
    return reduce(image, side)


DRAWINGS = {"face": face, "house": house, "clock": clock, "fish": fish, "plant": plant}


def padded(image, share):
    """With a white border, as wide as this share of the side, on all sides."""
    return ImageOps.expand(image, round(share * image.width), "white")


def rescaled(image, factor):
    size = [round(factor * n) for n in image.size]
    return image.resize(size, Image.Resampling.LANCZOS)


def brighter(image, factor):
    return ImageEnhance.Brightness(image).enhance(factor)


def rehued(image, turn):
    """Every hue rotated by this share of the colour circle."""
    hue, *others = image.convert("HSV").split()
    hue = hue.point(lambda h: (h + round(256 * turn)) % 256)
    return Image.merge("HSV", (hue, *others)).convert("RGB")


def flat_drawing(seed, side=96):
    """Two to four outlined shapes of one colour each, on white."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (4 * side, 4 * side), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(0.3, 0.7, 2) * 4 * side
        radius = rng.uniform(0.08, 0.24) * 4 * side
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        shape = (pen.ellipse, pen.rectangle)[rng.integers(2)]
        across, down = radius * rng.uniform(0.5, 1, 2)
        shape((x - across, y - down, x + across, y + down), fill=colour, outline=LINE, width=8)
    return reduce(image, side)


def noisy_image(seed, side=96):
    """A smooth random field of muted colours with noise in every pixel, as in a photo."""
    rng = np.random.default_rng(seed)
    field = Image.fromarray(rng.integers(70, 190, (5, 5, 3), np.uint8))
    field = np.asarray(field.resize((side, side), Image.Resampling.BICUBIC), float)
    return Image.fromarray((field + rng.normal(0, 15, field.shape)).clip(0, 255).astype(np.uint8))
