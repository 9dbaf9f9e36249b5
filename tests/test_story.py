"""The picture of the whole: which images it shows, and that it can be drawn."""

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, write_class_folders
from matplotlib.figure import Figure
from PIL import Image

from illus.files.catalog import scan
from illus.report import story


@pytest.fixture
def tables(tmp_path):
    """Of 60 images; the first two of each class are copies of one another, the last is a photo."""
    folder = write_class_folders(tmp_path / "images", n=20)
    catalog = scan(folder)
    first = [[f"{name}/0.png", f"{name}/1.png"] for name in COLOURS]
    duplicates = pd.DataFrame(
        [{"path": path, "copy_of": pair[0], "conflict": False} for pair in first for path in pair]
    )
    photos = pd.DataFrame({"path": catalog.path, "is_photo": catalog.path.str.endswith("/19.png")})
    return {"catalog": catalog, "duplicates": duplicates, "photos": photos}


def test_copies_and_photographs_are_among_the_images(tables):
    paths, sets = story.choose(**tables)
    assert len(paths) == len(set(paths)) == story.SIDE**2
    assert sorted(sets) == sorted([[f"{name}/0.png", f"{name}/1.png"] for name in COLOURS])
    assert {path for pair in sets for path in pair} <= set(paths)
    assert sum(path.endswith("/19.png") for path in paths) == len(COLOURS)
    assert story.choose(**tables) == (paths, sets)


@pytest.mark.parametrize("language", story.WORDS)
def test_the_picture_is_drawn(tables, tmp_path, language):
    """With the numbers that it shows beside it."""
    catalog = tables["catalog"]
    scores = {"macro_f1": 0.5, "per_class": {name: {"f1": 0.5} for name in COLOURS}}
    data, card = catalog.assign(split="train", copies=1), {"scores": {"test": scores}}
    figure, numbers = story.draw(tmp_path / "images", **tables, data=data, card=card, language=language)
    figure.savefig(tmp_path / "story.png", dpi=30)
    assert np.asarray(Image.open(tmp_path / "story.png").convert("L")).std() > 10
    assert numbers == {"files": 60, "copies": len(COLOURS), "photos": len(COLOURS), "macro_f1": 0.5}


def test_the_picture_shows_as_many_images_in_training_as_there_are(tmp_path, monkeypatch):
    data = pd.DataFrame({"class_name": list("aaab"), "split": "train", "copies": [1, 1, 1, 3]})
    scores = {"per_class": {"a": {"f1": 0.5}, "b": {"f1": 1.0}}}
    monkeypatch.setattr(story, "examples", lambda *_: None)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    story.charts(figure, left, right, data.assign(error=""), data, {"scores": {"test": scores}}, tmp_path)
    assert [bar.get_width() for bar in left.patches] == [3, 1, 2, 2], "collected, then as often as drawn"
