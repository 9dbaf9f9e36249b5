"""The decoder, with a file of each kind and the answer known."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from conftest import draw, encoded
from PIL import Image

import evaluate
from evaluate import MAX_PIXELS, ImageDecodeError, decode_image, fit_image, read_file

RED, HALF, WHITE = (255, 0, 0), (255, 127, 127), (255, 255, 255)
DEEP = Image.fromarray(np.full((3, 4), 0x8042, np.uint16))


def solid(mode, colour, size=(4, 3)):
    return Image.new(mode, size, colour)


def chunk(kind, body, checksum=None):
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(depth, colour, row, *chunks, size=(2, 1)):
    """A PNG of one row of bytes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def tiff(image, compression="raw", **tags):
    """A TIFF with tags (numbers by name) that Pillow would not write; they must fit into four bytes."""
    data = bytearray(encoded(image, "TIFF", compression=compression))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    parts = [bytes(data[start + 2 + 12 * i : start + 14 + 12 * i]) for i in range(count)]
    entries = {struct.unpack_from("<H", part)[0]: part for part in parts}
    for name, (kind, number, value) in tags.items():
        entries[TAGS[name]] = struct.pack("<HHII", TAGS[name], kind, number, value)
    data[4:8] = struct.pack("<I", len(data))
    parts = [part for _, part in sorted(entries.items())]
    return bytes(data) + struct.pack("<H", len(parts)) + b"".join(parts) + bytes(4)


TAGS = {"width": 256, "height": 257, "white": 262, "counts": 279, "tile_width": 322, "tile_height": 323}


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        *((format, {}) for format in ("PNG", "BMP", "GIF", "TIFF")),
        ("WEBP", {"lossless": True}),
        *(
            ("TIFF", {"compression": name})
            for name in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")
        ),
        ("PNG", {"exif": b"Exif\0\0 not a TIFF header"}),
        ("TIFF", {"icc_profile": bytes(200_000)}),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_lossless_formats_give_their_pixels(format, settings, mode):
    image = draw((10, 20, 30)).quantize(8).convert(mode)
    decoded = decode_image(encoded(image, format, **settings))
    assert np.array_equal(decoded, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(solid("RGB", (200, 60, 20), (32, 32)), "JPEG", quality=95), (200, 60, 20)),
        (encoded(solid("RGB", (200, 60, 20), (32, 32)), "WEBP", quality=95), (200, 60, 20)),
        (encoded(solid("CMYK", (0, 255, 255, 0), (16, 16)), "JPEG", quality=95), RED),
        (encoded(solid("CMYK", (0, 255, 255, 0)), "TIFF"), RED),
        (encoded(solid("LAB", (255, 128, 128)), "TIFF"), WHITE),
        (encoded(solid("RGBA", (255, 0, 0, 128))), HALF),
        (encoded(solid("RGBA", (255, 0, 0, 128)), "TIFF"), HALF),
        (encoded(solid("RGBA", (255, 0, 0, 0)), "WEBP"), WHITE),
        (encoded(solid("LA", (0, 0))), WHITE),
        (encoded(DEEP), (0x80, 0x80, 0x80)),
        (encoded(DEEP, "TIFF"), (0x80, 0x80, 0x80)),
        (png(16, 2, struct.pack(">6H", *(0xC0DE, 0x4000, 0x0001) * 2)), (0xC0, 0x40, 0x00)),
        (
            cv2.imencode(".tiff", np.full((3, 4, 3), (0x0001, 0x4000, 0xC0DE), np.uint16))[1].tobytes(),
            (0xC0, 0x40, 0x00),  # OpenCV's order: blue, green, red
        ),
    ],
    ids=[
        *("jpeg", "webp", "jpeg cmyk", "tiff cmyk", "tiff lab", "half transparent", "tiff alpha"),
        *("webp alpha", "gray alpha", "16 bit", "tiff 16 bit", "16 bit rgb", "tiff 16 bit rgb"),
    ],
)
def test_modes(data, expected):
    decoded = decode_image(data)
    assert (decoded.dtype, decoded.ndim) == (np.uint8, 3)
    assert np.abs(decoded.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_exif_orientation_is_applied(orientation, corner, format):
    image = solid("RGB", "white", (32, 16))
    image.paste((0, 0, 0), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encoded(image, format, exif=exif, quality=95))
    assert decoded.shape == ((32, 16, 3) if orientation in (6, 8) else (16, 32, 3))
    dark = [c for c in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if decoded[c].max() < 50]
    assert dark == [corner]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "seen"),
    [
        (1, 0, b"\x40", (1,), [0] * 3),
        (2, 0, b"\x60", (2,), [85] * 3),
        (4, 0, b"\x3a", (10,), [51] * 3),
        (8, 0, b"\x10\x77", (0x77,), [0x10] * 3),
        (16, 0, b"\x10\x00\x80\x42", (0x8042,), [0x10] * 3),
        (8, 2, b"\0\x09\0\xff\0\0", RED, [0, 9, 0]),
        (16, 2, struct.pack(">6H", 0x2000, 0x4000, 0x1000, 0xC0DE, 0x4000, 0x1000), (0xC0DE, 0x4000, 0x1000),
         [0x20, 0x40, 0x10]),
    ],
)  # fmt: skip
def test_the_transparent_level_of_a_png_is_the_ground_at_any_depth(depth, colour, row, key, seen):
    """The second pixel has the level."""
    data = png(depth, colour, row, chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)))
    assert decode_image(data, ground=(1, 2, 3))[0].tolist() == [seen, [1, 2, 3]]
    opaque = decode_image(png(depth, colour, row))[0].tolist()
    assert opaque[0] == seen
    assert opaque[1] not in (seen, [1, 2, 3])


def test_the_transparent_colour_of_a_palette_is_the_ground():
    image = Image.new("P", (4, 3), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    data = encoded(image, transparency=1)
    assert decode_image(data)[0, :2].tolist() == [list(RED), [255] * 3]
    assert decode_image(data, ground=(0, 128, 0))[0, :2].tolist() == [list(RED), [0, 128, 0]]


@pytest.mark.parametrize(("alpha", "expected"), [(0, RED), (255, RED), (1, (255, 254, 254))])
def test_an_alpha_of_a_bmp_that_is_zero_everywhere_means_nothing(alpha, expected):
    info = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 2835, 2835, 0, 0)
    info += struct.pack("<IIIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, 0x73524742) + bytes(48)
    data = struct.pack("<2sIHHI", b"BM", 130, 0, 0, 122) + info + bytes([0, 0, 255, alpha]) * 2
    assert decode_image(data)[0, 0].tolist() == list(expected)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_visible_frame_of_an_animation_counts_and_the_first_page(format):
    clear = solid("RGBA", (0, 0, 0, 0), (16, 16))
    red, blue = (solid("RGBA", (*colour, 255), (16, 16)) for colour in (RED, (0, 0, 255)))
    settings = {"save_all": True, "duration": 10, "disposal": 2, "lossless": True}
    shown = decode_image(encoded(red, format, append_images=[blue], **settings))
    assert shown[8, 8].tolist() == list(RED)
    shown = decode_image(encoded(clear, format, append_images=[red, blue], **settings))
    assert shown[8, 8].tolist() == list(WHITE if format == "TIFF" else RED)
    assert decode_image(encoded(clear, format))[8, 8].tolist() == list(WHITE)


STRIPS, FILE = "hold more than it can have", "not a PNG, JPEG"


def bomb(*size):
    return png(8, 2, b"", size=size)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello", FILE),
        (bytes(5000), FILE),
        (encoded(draw(RED), "JPEG2000"), FILE),
        (encoded(draw(RED))[:30], FILE),
        (encoded(draw(RED), "TIFF")[:6], FILE),
        (bomb(30_000, 30_000), f"more than {MAX_PIXELS:,} pixels"),
        (bomb(10_000, 5_001), f"more than {MAX_PIXELS:,} pixels"),
        (bomb(50_000_001, 1), f"more than {MAX_PIXELS:,} pixels"),
        (tiff(draw(RED), width=(4, 1, 30_000), height=(4, 1, 30_000)), f"more than {MAX_PIXELS:,} pixels"),
        (encoded(solid("F", 0.5), "TIFF"), "whose white is unknown"),
        (encoded(solid("I", 70_000), "TIFF"), "whose white is unknown"),
        (tiff(DEEP, white=(3, 1, 0)), "whose white is unknown"),
        (cv2.imencode(".tiff", np.zeros((3, 4, 3), np.float32))[1].tobytes(), FILE),
        (encoded(solid("1", 1), "TIFF", compression="group4"), "group4 compression, which is not read"),
        (encoded(draw(RED), "TIFF", compression="lzma"), "lzma compression, which is not read"),
        (tiff(draw(RED), counts=(4, 5_000_000, 8)), "more than 100,000 strips"),
        (tiff(draw(RED), "tiff_lzw", counts=(4, 1, 5_000_000)), STRIPS),
        (tiff(draw(RED), "tiff_lzw", tile_width=(4, 1, 60_000), tile_height=(4, 1, 60_000)), STRIPS),
    ],
    ids=[
        *("empty", "text", "zeros", "JPEG 2000", "header only", "start of a TIFF", "pixels", "one row more"),
        *("a line", "pixels of a TIFF", "float", "32 bit", "white is zero", "float RGB", "fax", "lzma"),
        *("strips", "strips that overlap", "tiles"),
    ],
)
def test_what_cannot_be_read_well_is_refused_before_it_is_decoded(data, reason, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(ImageDecodeError, match=reason):
        decode_image(data)


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("JPEG", {}),
        ("MPO", {"save_all": True, "append_images": [draw(RED)]}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_a_jpeg_may_not_have_too_many_scans_under_whatever_name(format, settings):
    data = encoded(Image.new("RGB", (2_000, 2_000), "white"), format, **settings)
    assert decode_image(data + b"\xff\xda" * 100).shape == (2_000, 2_000, 3)
    with pytest.raises(ImageDecodeError, match="too many scans"):
        decode_image(data + b"\xff\xda" * 250)


@pytest.mark.parametrize(("format", "cut"), [("PNG", 40), ("JPEG", 200), ("WEBP", 60), ("TIFF", 40)])
def test_a_file_that_is_cut_off_is_damaged(format, cut):
    with pytest.raises(ImageDecodeError, match="damaged"):
        decode_image(encoded(draw(RED), format)[:-cut])


MEGABYTES = zlib.compress(bytes(2_000_000))


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"zTXt", b"history\0\0" + MEGABYTES),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MEGABYTES),
        chunk(b"iCCP", b"printer\0\0" + MEGABYTES),
        chunk(b"iCCP", b"x\0\1" + MEGABYTES),
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), 1),
        chunk(b"tRNS", b"\0\0\0\0\0\0", 1),
    ],
    ids=["large text", "large UTF-8", "large profile", "profile of no method", "checksum", "tRNS checksum"],
)
@pytest.mark.parametrize("at", [33, -12], ids=["before", "after"])
def test_a_fault_of_metadata_is_none_of_the_pixels(metadata, at):
    image = draw((0, 0, 0))
    data = encoded(image)
    assert np.array_equal(decode_image(data[:at] + metadata + data[at:]), np.asarray(image))


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_an_image_that_lacks_its_end_marker_alone_is_read(settings):
    image = draw(RED, side=100)
    assert np.array_equal(decode_image(encoded(image)[:-12]), np.asarray(image))
    data = encoded(image, "JPEG", **settings)
    for least_side in (None, 40):
        assert np.array_equal(decode_image(data[:-2], least_side), decode_image(data, least_side))
    for cut in (8, 40, len(data) // 2):
        with pytest.raises(ImageDecodeError, match="damaged"):
            decode_image(data[:-cut])


def test_lack_of_memory_and_a_vanished_file_are_said(tmp_path, monkeypatch):
    with pytest.raises(ImageDecodeError, match=r"cannot be opened: .*gone\.png"):
        read_file(tmp_path / "gone.png")

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(evaluate, "load", fail)
    with pytest.raises(ImageDecodeError, match="not enough memory"):
        decode_image(encoded(draw(RED)))


@pytest.mark.parametrize(("least_side", "side"), [(None, 400), (201, 400), (200, 200), (100, 100), (30, 50)])
def test_a_jpeg_is_reduced_as_far_as_its_shorter_side_allows(least_side, side):
    image = draw(RED, side=400).resize((600, 400))
    data = encoded(image, "JPEG", quality=95)
    reduced, whole = decode_image(data, least_side), decode_image(data)
    assert reduced.shape == (side, side * 3 // 2, 3)
    difference = fit_image(reduced, 24, "pad").astype(int) - fit_image(whole, 24, "pad")
    assert np.abs(difference).mean() < 3
    assert decode_image(encoded(image), least_side).shape == (400, 600, 3)


@pytest.mark.parametrize(
    ("fit", "corner", "left"),
    [("pad", WHITE, (0, 0, 255)), ("stretch", (0, 0, 255), (0, 0, 255)), ("crop", RED, RED)],
)
def test_fit(fit, corner, left):
    """An image three times as wide as high: blue, red, blue; and lines."""
    image = np.zeros((30, 90, 3), np.uint8)
    image[..., 2] = 255
    image[:, 30:60] = RED
    fitted = fit_image(image, 24, fit)
    assert fitted.shape == (24, 24, 3)
    for place, colour in (((0, 0), corner), ((12, 0), left), ((12, 12), RED)):
        assert fitted[place].tolist() == list(colour)
    fine = 255 * (np.indices((48, 48)).sum(0) // 2 % 2).astype(np.uint8)
    averaged = fit_image(np.dstack([fine] * 3), 6, fit)
    assert abs(averaged.astype(int) - 127).max() < 3, "what is seen does not depend on where pixels are taken"
    for shape in ((1, 1), (1, 5000), (5000, 1)):
        assert (fit_image(np.zeros((*shape, 3), np.uint8), 48, fit) == 0).any()


def test_the_middle_of_a_high_image_is_kept_and_margins_are_equal():
    image = np.zeros((90, 30, 3), np.uint8)
    image[30:60] = RED
    assert (fit_image(image, 24, "crop") == RED).all()
    assert (fit_image(np.zeros((30, 91, 3), np.uint8), 24, "pad")[:, 0, 0] == 0).sum() == 8, "7.9, rounded"
    step = np.repeat(np.uint8([0, 255]), 2)[None, :, None].repeat(4, 0).repeat(3, 2)
    assert len(np.unique(fit_image(step, 16, "stretch"))) > 3, "between two pixels are levels between theirs"
