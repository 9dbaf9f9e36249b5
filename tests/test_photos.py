"""Photographs among drawings, from files to the table: noisy images stand for photographs."""

import re
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import write_files
from drawings import flat_drawing, noisy_image
from PIL import Image
from threadpoolctl import threadpool_limits

from illus.files.catalog import scan
from illus.photos import autoencoder
from illus.photos import finder as photos
from illus.photos.finder import COLUMNS, PhotoSettings, choose_removed, choose_score, find_photos, separate

pytestmark = [
    pytest.mark.usefixtures("in_threads"),
    pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning"),
]


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """A sixth of the batches suffices for these images."""
    monkeypatch.setattr(autoencoder, "STEPS", 250)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """90 drawings and 60 noisy images in two classes, two copies and a broken file, with the catalog."""
    files = {f"{'AB'[i % 2]}/drawing {i:02}.png": flat_drawing(i) for i in range(90)}
    files |= {f"{'BA'[i % 2]}/noisy {i:02}.png": noisy_image(i) for i in range(60)}
    files |= {
        "B/again drawing 04.png": files["A/drawing 04.png"],
        "A/again noisy 02.png": files["B/noisy 02.png"],
        "A/broken.png": b"no image",
    }
    folder = write_files(tmp_path_factory.mktemp("photos") / "images", files)
    with joblib.parallel_config(backend="threading"):
        return folder, scan(folder)


def some(catalog, drawings, noisy):
    """The rows of the first drawings and the first noisy images, with copies and the broken file."""
    kind = catalog.path.str.extract(r"(drawing|noisy) (\d+)")
    most = kind[0].map({"drawing": drawings, "noisy": noisy})
    return catalog[most.isna() | (kind[1].astype(float) < most)]


@pytest.fixture(scope="module")
def found(images):
    """The table for 90 drawings and 10 noisy images."""
    folder, catalog = images
    with (
        joblib.parallel_config(backend="threading"),
        threadpool_limits(1),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(autoencoder, "STEPS", 250)
        return find_photos(some(catalog, 90, 10), folder)


def test_the_noisy_images_are_found_among_the_drawings(found):
    assert found.path[found.is_photo].tolist() == sorted(found.path[found.path.str.contains("noisy")])
    assert found.is_photo.sum() == 11
    assert found.attrs["verdict"] == "10 of 100 images are photographs"
    assert ((found.score > 0) == found.is_photo).all()
    assert found.score[found.is_photo].min() > 0.4 > -0.4 > found.score[~found.is_photo].max()
    assert (found.cluster[~found.is_photo] == 0).mean() > 0.5
    assert (found.cluster[found.is_photo] != 0).all()


def test_the_table_has_one_row_per_readable_file_in_order(found, images):
    assert found.columns.tolist() == COLUMNS == ["path", "score", "cluster", "is_photo"]
    catalog = some(images[1], 90, 10)
    assert (catalog.error != "").sum() == 1
    assert found.path.tolist() == sorted(catalog.path[catalog.error == ""])
    assert len(found) == 102
    assert found.is_photo.dtype == bool
    assert found.cluster.dtype.kind == "i"
    assert np.isfinite(found.score).all()


def test_one_seed_gives_the_same_table_in_any_order(images):
    folder, catalog = images
    catalog = some(catalog, 60, 12).reset_index(drop=True)
    shuffled = catalog.sample(frac=1, random_state=0)
    assert shuffled.index.tolist() != catalog.index.tolist()
    table, again = (find_photos(rows, folder, seed=5) for rows in (catalog, shuffled))
    pd.testing.assert_frame_equal(table, again, check_exact=False, rtol=0, atol=2e-4)
    assert table.attrs["verdict"] == again.attrs["verdict"] == "12 of 72 images are photographs"
    assert table.path[table.is_photo].str.contains("noisy").all()


def assert_left(table, rows, verdict):
    """Nothing is removed, for the reason that is stated."""
    assert len(table) == rows
    assert not table.is_photo.any()
    assert np.isfinite(table.score).all()
    assert re.fullmatch(verdict, table.attrs["verdict"]), table.attrs["verdict"]


def find_with_warning(catalog, folder):
    """The table, after one warning that says its verdict and names the caller's file."""
    with pytest.warns(UserWarning, match=".") as caught:
        table = find_photos(catalog, folder)
    assert [str(warning.message) for warning in caught] == [table.attrs["verdict"]]
    assert [warning.filename for warning in caught] == [__file__]
    return table


def test_drawings_alone_are_left_without_a_warning(images):
    folder, catalog = images
    table = find_photos(catalog[catalog.path.str.contains("drawing")], folder)
    assert_left(table, 91, "no photographs: no group of the 90 images looks like any")
    assert (table.score <= 0).all()


def test_images_of_one_colour_are_drawings(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (60, 3)).tolist()
    files = {f"A/{i}.png": Image.new("RGB", (40, 40), tuple(colour)) for i, colour in enumerate(colours)}
    folder = write_files(tmp_path / "p", files)
    table = find_photos(scan(folder), folder)
    assert_left(table, 60, "no photographs: no group of the 60 images looks like any")
    assert (table.score <= 0).all()


@pytest.mark.parametrize(("drawings", "files"), [(0, 61), (40, 102)])
def test_a_majority_of_photographs_is_left_with_a_warning(images, drawings, files):
    folder, catalog = images
    catalog = some(catalog, drawings, 60)
    catalog = catalog if drawings else catalog[~catalog.path.str.contains("drawing")]
    verdict = f"more than half of the {drawings + 60} images look like photographs; .*; nothing is removed"
    assert_left(find_with_warning(catalog, folder), files, verdict)


def test_40_images_are_too_few(images):
    folder, catalog = images
    table = find_with_warning(some(catalog, 30, 10), folder)
    verdict = r"too few distinct images to decide without labels \(40 of the 50 needed\); nothing is removed"
    assert_left(table, 42, verdict)
    decided = find_photos(some(catalog, 30, 10), folder, settings=PhotoSettings(min_images=40))
    assert decided.attrs["verdict"] == "10 of 40 images are photographs"


def test_an_empty_catalog_gives_an_empty_table(tmp_path):
    empty = pd.DataFrame(columns=["path", "sha256", "error"])
    broken = pd.DataFrame({"path": ["A/1.png"], "sha256": ["0"], "error": ["no image"]})
    for catalog in (empty, broken):
        table = find_photos(catalog, tmp_path)
        assert table.empty
        assert table.columns.tolist() == COLUMNS
        assert table.attrs["verdict"] == "no readable image"


CATALOG = pd.DataFrame({"path": list("dbcaef"), "sha256": list("213145"), "error": [""] * 5 + ["broken"]})
COPIES = pd.DataFrame({"path": list("abcde"), "copy_of": ["d", "d", "", "d", "e"]})


@pytest.mark.parametrize(
    ("duplicates", "measured", "scores", "is_photo"),
    [
        (None, list("acde"), [0, 0, 0.3333, 0.6667, 1], [False, False, True, False, True]),
        (COPIES, list("dce"), [0, 0, 0.3333, 0, 0.6667], [False, False, True, False, False]),
    ],
)
def test_copies_are_judged_once_by_their_best(monkeypatch, duplicates, measured, scores, is_photo):
    """The scores are 0, 1/3, 2/3 and so on, of the images that are measured; a and b are the same bytes."""
    asked, settings = [], PhotoSettings(min_samples=5)

    def measure(files, *_):
        asked.extend(files.path)
        return pd.DataFrame(index=range(len(files))), None

    def analyse(statistics, patches, seed, settings):
        asked.append((seed, settings))
        numbers = np.arange(len(statistics))
        return SimpleNamespace(
            score=numbers / 3, cluster=numbers - 1, is_photo=numbers % 2 == 1, decided=True, verdict="x"
        )

    monkeypatch.setattr(photos, "kept_statistics", measure)
    monkeypatch.setattr(photos, "analyse", analyse)
    table = find_photos(CATALOG, "folder", 3, duplicates, settings)
    assert asked == [*measured, (3, settings)]
    assert table.path.tolist() == list("abcde")
    assert table.score.tolist() == scores
    assert table.is_photo.tolist() == is_photo
    assert table.attrs["verdict"] == "x"


def collection(illustrations, photos):
    """Statistics, gains and truth: gains of illustrations are about -1, those of photos about 0."""
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], [illustrations, photos])
    level = np.where(truth, 0, -1) + rng.normal(0, 0.1, len(truth))
    gains = level[:, None] + rng.normal(0, 0.5, (len(truth), 64))
    statistics = rng.normal(size=(len(truth), 6)) + 3 * truth[:, None]
    return statistics, gains, truth


@pytest.mark.parametrize(("n_photos", "own_cluster"), [(150, True), (8, False)])
def test_photos_are_separated_with_and_without_a_cluster_of_their_own(n_photos, own_cluster):
    statistics, gains, truth = collection(300, n_photos)
    found = separate(statistics, gains)
    assert (found.is_photo == truth).all()
    assert found.verdict == f"{n_photos} of {300 + n_photos} images are photographs"
    assert (found.cluster[truth] > 0).any() == own_cluster
    np.testing.assert_array_equal(found.score, separate(statistics, gains).score)
    np.testing.assert_array_equal(found.score, found.rounds[-1])


def test_illustrations_whose_gain_reaches_zero_are_put_right_by_the_statistics():
    """Of 300 illustrations 15 have the gains of photos."""
    statistics, gains, truth = collection(300, 60)
    gains[:15] += 1
    found = separate(statistics, gains)
    assert found.reaches[:15].sum() > 10
    assert (found.is_photo == truth).mean() > 0.99


def test_without_photographs_a_few_odd_gains_are_no_group():
    """Eight have gains of zero, and for the statistics they are like all others."""
    rng = np.random.default_rng(0)
    _, gains, _ = collection(400, 0)
    gains[:8] += 1
    found = separate(rng.normal(size=(400, 6)), gains)
    assert found.proposed.sum() >= 5
    assert not found.is_photo.any()
    assert found.decided
    assert found.verdict.startswith("no photographs")
    assert (found.score <= 0).all()


def test_more_images_than_are_clustered_are_separated_alike():
    statistics, gains, truth = collection(600, 90)
    found = separate(statistics, gains, settings=PhotoSettings(max_points=300))
    assert found.gaps.shape == (300,)
    assert (found.is_photo == truth).all()


@pytest.mark.parametrize(
    ("found", "reaches", "taken"), [(5, 5, True), (4, 4, False), (10, 6, True), (10, 5, False), (0, 0, False)]
)
def test_what_was_found_are_photographs_if_most_of_them_reach_zero(found, reaches, taken):
    last = np.where(np.arange(100) < found, 1.0, -1.0)
    gain = np.linspace(0.5, -1, 100)
    score = choose_score([-last, last], gain, np.arange(100) < reaches)
    np.testing.assert_array_equal(score, last if taken else np.minimum(gain, 0))
    np.testing.assert_array_equal(choose_score([], gain, np.ones(100, bool)), np.minimum(gain, 0))


def test_more_photographs_than_are_allowed_are_left():
    score = np.repeat([-1.0, 1.0], [80, 20])
    is_photo, decided, said = choose_removed(score, score > 9, PhotoSettings(max_share=0.19))
    assert not is_photo.any()
    assert not decided
    assert said.startswith("20.0% of the 100 images look like photographs, more than 19%")
    assert choose_removed(score, score > 9, PhotoSettings())[0].sum() == 20
