"""The decoder, with a file of each kind and the answer known."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from conftest import draw, encoded
from PIL import Image

import evaluate
from evaluate import (
    MAX_PIXELS,
    ImageDecodeError,
    TransientError,
    decode_image,
    fit_image,
    open_image,
    read_file,
    to_rgb,
)

RED, HALF = (255, 0, 0), (255, 127, 127)


def solid(mode, colour, size=(4, 3)):
    return Image.new(mode, size, colour)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF"])
def test_lossless_formats_give_their_pixels(format):
    image = draw((10, 20, 30)).quantize(8).convert("RGB")
    assert np.array_equal(decode_image(encoded(image, format)), np.asarray(image))


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_their_pixels(format):
    image = solid("RGB", (200, 60, 20), (32, 32))
    decoded = decode_image(encoded(image, format, quality=95)).astype(int)
    assert decoded.shape == (32, 32, 3)
    assert np.abs(decoded - (200, 60, 20)).max() <= 4


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (solid("RGBA", (255, 0, 0, 128)), "PNG", HALF),
        (solid("RGBA", (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (solid("LA", (0, 0)), "PNG", (255, 255, 255)),
        (solid("L", 77), "PNG", (77, 77, 77)),
        (solid("1", 1), "PNG", (255, 255, 255)),
        (Image.fromarray(np.full((3, 4), 0x8042, np.uint16)), "PNG", (0x80, 0x80, 0x80)),
        (solid("RGBA", (255, 0, 0, 0)), "WEBP", (255, 255, 255)),
        (Image.fromarray(np.full((3, 4), 0x8042, np.uint16)), "TIFF", (0x80, 0x80, 0x80)),
        (solid("RGBA", (255, 0, 0, 128)), "TIFF", HALF),
        (solid("CMYK", (0, 255, 255, 0)), "TIFF", RED),
        (solid("1", 1), "TIFF", (255, 255, 255)),
        (solid("LAB", (255, 128, 128)), "TIFF", (255, 255, 255)),
    ],
    ids=[
        *("half transparent", "transparent", "gray alpha", "gray", "1 bit", "16 bit", "webp alpha"),
        *("tiff 16 bit", "tiff alpha", "tiff cmyk", "tiff 1 bit", "tiff lab"),
    ],
)
def test_modes(image, format, expected):
    decoded = decode_image(encoded(image, format))
    assert decoded.dtype == np.uint8
    assert decoded.shape == (3, 4, 3)
    assert np.abs(decoded.astype(int) - expected).max() <= 1


def test_palette_transparency_is_white():
    image = Image.new("P", (4, 3), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    decoded = decode_image(encoded(image, "PNG", transparency=1))
    assert decoded[0, 0].tolist() == list(RED)
    assert decoded[2, 3].tolist() == [255, 255, 255]


def test_transparent_colour_of_an_rgb_png_is_white():
    image = solid("RGB", RED)
    image.putpixel((0, 0), (0, 9, 0))
    decoded = decode_image(encoded(image, "PNG", transparency=RED))
    assert decoded[0, 0].tolist() == [0, 9, 0]
    assert decoded[2, 3].tolist() == [255, 255, 255]


def test_16_bit_rgb_png():
    rows = b"".join(b"\0" + struct.pack(">6H", *(0xC0DE, 0x4000, 0x0001) * 2) for _ in range(2))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    assert decode_image(data)[0, 0].tolist() == [0xC0, 0x40, 0x00]


def test_cmyk_jpeg():
    data = encoded(solid("CMYK", (0, 255, 255, 0), (16, 16)), "JPEG", quality=95)
    assert np.abs(decode_image(data)[8, 8].astype(int) - RED).max() <= 6


@pytest.mark.parametrize("compression", ["packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_compressed_tiffs_give_their_pixels(compression, mode):
    image = draw((10, 20, 30)).convert(mode)
    decoded = decode_image(encoded(image, "TIFF", compression=compression))
    assert np.array_equal(decoded, np.asarray(image.convert("RGB")))


def test_16_bit_rgb_tiff():
    levels = np.full((3, 4, 3), (0x0001, 0x4000, 0xC0DE), np.uint16)  # OpenCV's order: blue, green, red
    assert decode_image(cv2.imencode(".tiff", levels)[1].tobytes())[0, 0].tolist() == [0xC0, 0x40, 0x00]


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
GRAY = Image.fromarray(np.full((3, 4), 0x8042, np.uint16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded(solid("F", 0.5), "TIFF"), "whose white is unknown"),
        (encoded(solid("I", 70_000), "TIFF"), "whose white is unknown"),
        (tiff(GRAY, white=(3, 1, 0)), "whose white is unknown"),
        (cv2.imencode(".tiff", np.zeros((3, 4, 3), np.float32))[1].tobytes(), "a kind that is not read"),
        (encoded(solid("1", 1), "TIFF", compression="group4"), "group4 compression, which is not read"),
        (encoded(draw(RED), "TIFF", compression="lzma"), "lzma compression, which is not read"),
        (tiff(draw(RED), width=(4, 1, 30_000), height=(4, 1, 30_000)), "more than 50,000,000 pixels"),
        (tiff(draw(RED), counts=(4, 5_000_000, 8)), "more than 100,000 strips"),
        (tiff(draw(RED), "tiff_lzw", counts=(4, 1, 5_000_000)), "more than it can have"),
        (
            tiff(draw(RED), "tiff_lzw", tile_width=(4, 1, 60_000), tile_height=(4, 1, 60_000)),
            "more than it can have",
        ),
    ],
    ids=[
        *("float", "32 bit", "white is zero", "float RGB", "fax", "lzma"),
        *("pixels", "strips", "strips that overlap", "tiles"),
    ],
)
def test_a_tiff_that_cannot_be_read_well_is_refused_before_it_is_decoded(data, reason, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(ImageDecodeError, match=reason):
        decode_image(data)


def test_a_tiff_of_many_scans_is_refused():
    data = encoded(Image.new("RGB", (2_000, 2_000), RED), "TIFF", compression="jpeg")
    with pytest.raises(ImageDecodeError, match="too many scans"):
        decode_image(data + b"\xff\xda" * 250)


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


def test_an_image_with_a_damaged_exif_block_is_read_as_stored():
    image = draw(RED)
    decoded = decode_image(encoded(image, "PNG", exif=b"Exif\0\0 not a TIFF header"))
    assert np.array_equal(decoded, np.asarray(image))


def test_the_transparent_gray_of_a_16_bit_png_is_white():
    gray = np.full((3, 4), 0x8042, np.uint16)
    gray[0, 0] = 0x1000
    decoded = decode_image(encoded(Image.fromarray(gray), "PNG", transparency=0x8042))
    assert decoded[0, 0].tolist() == [0x10] * 3
    assert decoded[2, 3].tolist() == [255] * 3


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(format):
    frames = [solid("RGB", c, (16, 16)) for c in (RED, (0, 0, 255))]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=10)
    assert np.abs(decode_image(data)[8, 8].astype(int) - RED).max() <= 6


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not a PNG, JPEG"),
        (bytes(5000), "not a PNG, JPEG"),
        (encoded(draw(RED))[:-40], "damaged"),
        (encoded(draw(RED), "JPEG")[:-200], "damaged"),
        (encoded(draw(RED), "WEBP")[:-60], "damaged"),
        (encoded(draw(RED))[:30], "damaged|not a PNG"),
        (encoded(draw(RED), "TIFF")[:-40], "damaged"),
        (encoded(draw(RED), "TIFF")[:6], "or damaged"),
        (encoded(draw(RED), "JPEG2000"), "not a PNG, JPEG"),
    ],
    ids=[
        *("empty", "text", "zeros", "cut PNG", "cut JPEG", "cut WebP", "header only"),
        *("cut TIFF", "start of a TIFF", "JPEG 2000"),
    ],
)
def test_a_bad_file_is_an_error_with_its_reason(data, reason):
    with pytest.raises(ImageDecodeError, match=reason):
        decode_image(data)


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 5_001), (50_000_001, 1)])
def test_a_pixel_bomb_is_refused_before_it_is_decoded(size):
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    data = bytearray(encoded(draw(RED)))
    data[16:29] = header
    data[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ImageDecodeError, match=f"more than {MAX_PIXELS:,} pixels"):
        decode_image(bytes(data))


def test_the_name_does_not_decide_the_format(tmp_path):
    path = tmp_path / "사진 1.jpg"
    path.write_bytes(encoded(solid("RGB", RED)))
    assert decode_image(path.read_bytes())[0, 0].tolist() == list(RED)
    assert Image.open(io.BytesIO(path.read_bytes())).format == "PNG"


@pytest.mark.parametrize(
    ("fit", "corner", "left", "centre"),
    [
        ("pad", (255, 255, 255), (0, 0, 255), (255, 0, 0)),
        ("stretch", (0, 0, 255), (0, 0, 255), (255, 0, 0)),
        ("crop", (255, 0, 0), (255, 0, 0), (255, 0, 0)),
    ],
)
def test_fit(fit, corner, left, centre):
    """An image three times as wide as high: blue, red, blue."""
    image = np.zeros((30, 90, 3), np.uint8)
    image[..., 2] = 255
    image[:, 30:60] = RED
    fitted = fit_image(image, 24, fit)
    assert fitted.shape == (24, 24, 3)
    assert fitted[0, 0].tolist() == list(corner)
    assert fitted[12, 0].tolist() == list(left)
    assert fitted[12, 12].tolist() == list(centre)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
def test_extreme_shapes_fit(shape, fit):
    assert (fit_image(np.zeros((*shape, 3), np.uint8), 48, fit) == 0).any()


# --- What is seen, whatever else a file holds -------------------------------------------------------


def chunk(kind, body, checksum=None):
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(depth, colour, rows, *chunks):
    """A PNG of these rows of bytes, two pixels wide."""
    header = struct.pack(">IIBBBBB", 2, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


MEGABYTES = zlib.compress(bytes(2_000_000))
METADATA = {
    "a large text": chunk(b"zTXt", b"history\0\0" + MEGABYTES),
    "a large international text": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MEGABYTES),
    "a large profile": chunk(b"iCCP", b"printer\0\0" + MEGABYTES),
    "a profile of no method": chunk(b"iCCP", b"x\0\1" + MEGABYTES),
    "a wrong checksum": chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), 1),
    "a wrong checksum of transparency": chunk(b"tRNS", b"\0\0\0\0\0\0", 1),
}


@pytest.mark.parametrize("case", METADATA)
@pytest.mark.parametrize("at", [33, -12], ids=["before", "after"])
def test_a_fault_of_metadata_is_none_of_the_pixels(case, at):
    image = draw((0, 0, 0))
    data = encoded(image)
    decoded = decode_image(data[:at] + METADATA[case] + data[at:])
    assert np.array_equal(decoded, np.asarray(image))


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_an_image_that_lacks_its_end_marker_alone_is_read(settings):
    image = draw(RED, side=100)
    assert np.array_equal(decode_image(encoded(image)[:-12]), np.asarray(image))
    data = encoded(image, "JPEG", **settings)
    assert np.array_equal(decode_image(data[:-2]), decode_image(data))
    for cut in (8, 40, len(data) // 2):
        with pytest.raises(ImageDecodeError, match="damaged"):
            decode_image(data[:-cut])


@pytest.mark.parametrize(
    ("depth", "row", "levels"), [(1, 0x40, (0, 255)), (2, 0x60, (85, 170)), (4, 0x3A, (51, 170))]
)
def test_a_transparent_gray_of_few_bits_is_honoured(depth, row, levels):
    key = (row >> (8 - 2 * depth)) & (2**depth - 1)  # the second pixel
    plain, clear = (
        png(depth, 0, [bytes([row])], *part) for part in ([], [chunk(b"tRNS", struct.pack(">H", key))])
    )
    assert decode_image(plain)[0, :, 0].tolist() == list(levels)
    assert decode_image(clear, ground=(1, 2, 3))[0].tolist() == [[levels[0]] * 3, [1, 2, 3]]


def test_a_transparent_colour_of_16_bits_is_honoured():
    pixels = struct.pack(">6H", 0xC0DE, 0x4000, 0x1000, 0x2000, 0x4000, 0x1000)
    data = png(16, 2, [pixels], chunk(b"tRNS", struct.pack(">3H", 0xC0DE, 0x4000, 0x1000)))
    assert decode_image(data)[0].tolist() == [[255] * 3, [0x20, 0x40, 0x10]]


@pytest.mark.parametrize(("alpha", "expected"), [(0, RED), (255, RED), (1, (255, 254, 254))])
def test_an_alpha_of_a_bmp_that_is_zero_everywhere_means_nothing(alpha, expected):
    info = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 2835, 2835, 0, 0)
    info += struct.pack("<IIIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, 0x73524742) + bytes(48)
    data = struct.pack("<2sIHHI", b"BM", 130, 0, 0, 122) + info + bytes([0, 0, 255, alpha]) * 2
    assert decode_image(data)[0, 0].tolist() == list(expected)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_the_first_visible_frame_of_an_animation_counts(format):
    clear, seen = (
        solid("RGBA", (0, 0, 0, 0), (16, 16)),
        [solid("RGBA", (*c, 255), (16, 16)) for c in (RED, (0, 0, 255))],
    )
    data = encoded(clear, format, save_all=True, append_images=seen, duration=10, disposal=2, lossless=True)
    assert decode_image(data)[8, 8].tolist() == list(RED)
    assert decode_image(encoded(clear, format))[8, 8].tolist() == [255] * 3


def test_transparency_is_composited_on_the_ground_that_is_asked_for():
    image = solid("RGBA", (255, 255, 255, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    data = encoded(image)
    assert decode_image(data).min() == 255
    assert decode_image(data, ground=(0, 128, 0))[0, :2].tolist() == [[0, 128, 0], [255] * 3]


@pytest.mark.parametrize(("least_side", "side"), [(None, 400), (201, 400), (200, 200), (100, 100), (30, 50)])
def test_a_jpeg_is_reduced_as_far_as_its_shorter_side_allows(least_side, side):
    image = draw(RED, side=400).resize((600, 400))
    reduced = decode_image(encoded(image, "JPEG", quality=95), least_side)
    assert reduced.shape == (side, side * 3 // 2, 3)
    whole = fit_image(decode_image(encoded(image, "JPEG", quality=95)), 24, "pad").astype(int)
    assert np.abs(fit_image(reduced, 24, "pad") - whole).mean() < 3
    assert decode_image(encoded(image), least_side).shape == (400, 600, 3)


def test_an_mpo_is_a_jpeg_in_its_limits():
    large = Image.new("RGB", (2_000, 2_000), "white")
    data = encoded(large, "MPO", save_all=True, append_images=[draw(RED)])
    assert decode_image(data).shape == (2_000, 2_000, 3)
    with pytest.raises(ImageDecodeError, match="too many scans"):
        open_image(data + b"\xff\xda" * 250)


def test_lack_of_memory_and_a_failing_disk_are_passing_states(tmp_path, monkeypatch):
    with pytest.raises(TransientError, match=r"cannot be opened: .*gone\.png"):
        read_file(tmp_path / "gone.png")
    image = open_image(encoded(draw(RED)))

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(evaluate, "load", fail)
    with pytest.raises(TransientError, match="not enough memory"):
        to_rgb(image)
