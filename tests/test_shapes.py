"""Any class folders go through the stages: few and many classes, odd encodings and names."""

import unicodedata
import warnings

import numpy as np
import pytest
from conftest import COLOURS, write_class_folders

from illus import profiles
from illus.__main__ import main
from illus.copies.duplicates import find_duplicates
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.photos import autoencoder
from illus.photos.finder import find_photos


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """An eighth of the batches suffices for these images."""
    monkeypatch.setattr(autoencoder, "STEPS", 200)


HANGUL = ["웃는 얼굴", "화남", "강아지"]


def through_the_stages(folder, fractions=None):
    """Tables of all stages; whether photographs could be looked for is left to the tests that ask."""
    catalog = scan(folder)
    duplicates = find_duplicates(catalog, folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "too few distinct images")
        photos = find_photos(catalog, folder, 0, duplicates)
    return catalog, duplicates, photos, split(catalog, duplicates, photos, fractions)


@pytest.mark.parametrize("n_classes", [2, 76])
def test_any_number_of_classes(tmp_path, n_classes):
    rng = np.random.default_rng(0)
    colours = {f"L2_{i}": tuple(rng.integers(0, 200, 3).tolist()) for i in range(n_classes)}
    folder = write_class_folders(tmp_path / "images", colours, n=max(3, 24 // n_classes))
    catalog, _, photos, dataset = through_the_stages(folder)
    assert dataset.class_name.unique().tolist() == list(colours)
    assert sorted(dataset.class_id.unique()) == list(range(n_classes))
    assert len(photos) == len(catalog)
    assert not photos.is_photo.any()
    parts = dataset.groupby("class_name").split.unique()
    assert all({"train", "validation"} <= set(names) for names in parts)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_korean_class_names(tmp_path, form):
    names = [unicodedata.normalize(form, name) for name in HANGUL]
    folder = write_class_folders(tmp_path / "그림", dict(zip(names, COLOURS.values(), strict=True)), n=4)
    inside, copy = folder / names[0], unicodedata.normalize(form, "사본.png")
    (inside / copy).write_bytes((inside / "1.png").read_bytes())
    catalog, duplicates, _, dataset = through_the_stages(folder)
    assert set(dataset.class_name) == set(HANGUL), "composed, however the folder spells them"
    assert all((folder / path).exists() for path in dataset.path)
    assert duplicates.keep.tolist().count(False) == 1
    assert len(dataset) == len(catalog) - 1


@pytest.mark.parametrize("n", [1, 3])
def test_a_run_on_few_images_ends_in_a_model_or_one_sentence(tmp_path, monkeypatch, empty_place, capsys, n):
    folder = write_class_folders(tmp_path / "images", n=n)
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setattr(profiles, "profile", lambda: profiles.Profile("tiny", 5, 1, 1, (0,)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = main(["run", "--no-notebooks"])
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert (code, len(errors)) == ((0, 0) if n == 3 else (2, 1))
    assert n == 3 or "too few different images for a part" in errors[0]
    written = {path.name for path in (tmp_path / "work/images").iterdir()}
    assert {"catalog.csv", "duplicates.csv", "photos.csv"} <= written
    assert ("model.h5" in written) == (n == 3)
