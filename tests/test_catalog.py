"""The catalog: a row for every file, and its reason where it cannot be read."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, draw, encoded, write_class_folders, write_files
from joblib import parallel_config
from PIL import Image, ImageDraw, ImageOps

import evaluate
from illus.copies.duplicates import find_duplicates
from illus.files.catalog import COLUMNS, scan
from illus.files.decoded import LEAST_SIDE, decode
from illus.files.reading import kept_descriptors


def test_every_file_has_a_row_with_its_facts(class_folder_tree):
    data = encoded(draw(COLOURS["L2_2"], side=30).resize((30, 20)), "JPEG")
    (class_folder_tree / "L2_2" / "사진.png").write_bytes(data)
    (class_folder_tree / "L2_10" / "7.jpg").write_bytes(b"no image")
    catalog = scan(class_folder_tree)
    assert list(catalog.columns) == COLUMNS
    assert len(catalog) == 20
    assert catalog.class_name.unique().tolist() == ["L2_2", "L2_10", "L2_33"]
    good = catalog.set_index("path").loc["L2_2/사진.png"]
    assert good.drop("class_name").to_dict() == {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": "JPEG",
        "mode": "RGB",
        "width": 30,
        "height": 20,
        "error": "",
    }
    bad = catalog.set_index("path").loc["L2_10/7.jpg"]
    assert bad.error.startswith("not a PNG")
    assert (bad["format"], bad.width, bad.bytes) == ("", 0, 8)
    assert bad.sha256 == hashlib.sha256(b"no image").hexdigest()


def large(side=(1999, 1301), angle=0):
    image = Image.new("RGB", side, "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((300, 200, 1500, 1000), fill=(200, 30, 30), outline="black", width=30)
    pen.rectangle((700, 300, 1100, 1200), fill=(20, 60, 200))
    return image.rotate(angle, expand=True)


@pytest.mark.parametrize(("kind", "orientation"), [*(("JPEG", way) for way in (5, 6, 7, 8)), ("PNG", 6)])
def test_a_large_image_is_measured_at_a_reduced_scale_and_known_in_full(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation  # on its side, in each way
    data = encoded(large(), kind, quality=90, exif=exif)
    (row,) = scan(write_files(tmp_path, {"a/1": data})).to_dict("records")
    assert (row["width"], row["height"]) == (1301, 1999)
    image = decode(data)
    assert LEAST_SIDE <= min(image.rgb.shape[:2]) < 2 * LEAST_SIDE
    assert (image.width, image.height) == (1301, 1999)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a" / "1"))
    expected = np.asarray(upright.resize(image.rgb.shape[1::-1], Image.Resampling.BOX), float)
    assert np.abs(image.rgb - expected).mean() < 2


def test_copies_are_found_at_any_scale_of_decoding(tmp_path):
    jpeg, turned = (encoded(large(angle=angle), "JPEG", quality=92) for angle in (0, 40))
    files = {"a/1.jpg": jpeg, "a/2.png": large(), "a/3.bmp": encoded(large(), "BMP")}
    write_files(tmp_path, files | {"b/4.png": large().resize((500, 325)), "b/5.jpg": turned})
    found = find_duplicates(scan(tmp_path), tmp_path).set_index("path")
    assert list(found.index[found.copy_of != ""]) == ["a/1.jpg", "a/2.png", "a/3.bmp", "b/4.png"]
    assert found.relation[["a/2.png", "a/3.bmp"]].tolist() == ["exact", "exact"]


def test_small_images_are_decoded_in_full():
    for side in (72, 192, LEAST_SIDE, 2 * LEAST_SIDE - 1):
        data = encoded(large().resize((side, side)), "JPEG")
        image = decode(data)
        np.testing.assert_array_equal(image.rgb, evaluate.decode_image(data))
        full = hashlib.sha256(str(image.rgb.shape).encode() + image.rgb.tobytes()).hexdigest()
        assert image.pixels == full


@pytest.mark.parametrize(
    ("function", "error", "told"),
    [
        ("PIL.Image.Image.convert", MemoryError(), "not enough memory"),
        ("PIL.Image.Image.convert", OSError("out of memory when reading image file"), "not enough memory"),
        ("pathlib.Path.read_bytes", OSError(5, "I/O error"), "cannot be opened"),
    ],
)
def test_a_passing_state_of_the_machine_is_not_kept_as_damage(tmp_path, monkeypatch, function, error, told):
    folder = write_files(tmp_path / "images", {"a/1.png": draw("red")})
    before = scan(folder)

    def fail(*_):
        raise error

    with parallel_config("sequential"):
        with monkeypatch.context() as patch:
            patch.setattr(function, fail)
            row = scan(folder, cache=tmp_path / "cache").iloc[0]
            assert row.error.startswith(told)
            assert row.width == 0
        pd.testing.assert_frame_equal(scan(folder, cache=tmp_path / "cache"), before)


def glyph(number, colour):
    image = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((10 + 8 * number, 20, 60 + 4 * number, 70), fill=colour)
    pen.line((5, 90 - 9 * number, 90, 10), fill=colour, width=9)
    return image


def test_white_glyphs_on_transparency_are_blank_and_not_alike(tmp_path):
    colours = {"white": (255, 255, 255, 255), "dark": (30, 30, 60, 255)}
    files = {f"a/{name} {n}.png": glyph(n, colour) for name, colour in colours.items() for n in range(4)}
    files["a/nothing.png"] = Image.new("RGB", (96, 96), "white")
    files["a/transparent.png"] = Image.new("RGBA", (96, 96), (9, 9, 9, 0))
    catalog = scan(write_files(tmp_path, files))
    described = kept_descriptors(catalog, tmp_path)
    blank = dict(zip(catalog.path, described["blank"], strict=True))
    assert {path for path, is_blank in blank.items() if not is_blank} == {f"a/dark {n}.png" for n in range(4)}
    white = catalog.path.str.contains("white").to_numpy()
    for field in ("pixels", "content"):
        assert len(np.unique(described[field][white])) == 4
    assert described["thumbnail"][white].std() > 20


def test_a_small_drawing_beside_the_coarse_grid_is_not_blank():
    image = Image.new("RGB", (40, 40), "white")
    ImageDraw.Draw(image).rectangle((3, 3, 12, 12), fill="black")
    assert not decode(encoded(image)).blank


@pytest.mark.parametrize("size", [(1, 300), (200, 1), (1000, 4), (33_000, 3)])
def test_a_thin_strip_is_measured(size, tmp_path):
    folder = write_class_folders(tmp_path / "images", n=1)
    Image.new("RGB", size, "gray").save(folder / "L2_2" / "strip.png")
    found = scan(folder, cache=tmp_path / "cache").set_index("path").loc["L2_2/strip.png"]
    assert (found.width, found.height, found.error) == (*size, "")
