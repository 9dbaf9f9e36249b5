"""Photographs among drawings, from files to the table: noisy images stand for photographs."""

import re
from types import SimpleNamespace

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from conftest import encoded
from drawings import flat_drawing, noisy_image
from PIL import Image
from threadpoolctl import threadpool_limits

from illus.files.catalog import scan
from illus.photos import autoencoder
from illus.photos import finder as photos
from illus.photos.finder import (
    COLUMNS,
    DEFAULTS,
    PhotoSettings,
    choose_removed,
    find_photos,
    name_clusters,
    score_images,
    separate,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")


@pytest.fixture(autouse=True)
def in_threads():
    with joblib.parallel_config(backend="threading"), threadpool_limits(1):
        yield


@pytest.fixture
def untrained(monkeypatch):
    """An autoencoder that has learned nothing: random filters see drawings and noise apart, too."""

    def train(patches, seed=0):
        keras.utils.set_random_seed(seed)
        return autoencoder.build(patches.shape[2]), [0.5]

    monkeypatch.setattr(autoencoder, "train", train)


def write(folder, files):
    for name, image in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image if isinstance(image, bytes) else encoded(image))
    return folder


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
    folder = write(tmp_path_factory.mktemp("photos") / "images", files)
    with joblib.parallel_config(backend="threading"):
        return folder, scan(folder)


def some(catalog, drawings, noisy):
    """The rows of the first drawings and the first noisy images, with copies and the broken file."""
    kind = catalog.path.str.extract(r"(drawing|noisy) (\d+)")
    most = kind[0].map({"drawing": drawings, "noisy": noisy})
    return catalog[most.isna() | (kind[1].astype(float) < most)]


@pytest.fixture(scope="module")
def found(images):
    """The table for 90 drawings and 10 noisy images; the autoencoder sees a quarter of its batches."""
    folder, catalog = images
    with (
        joblib.parallel_config(backend="threading"),
        threadpool_limits(1),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(autoencoder, "STEPS", 100)
        return find_photos(some(catalog, 90, 10), folder)


# --- From files to the table ----------------------------------------------------------------------


def test_the_noisy_images_are_found_among_the_drawings(found):
    assert found.path[found.is_photo].tolist() == sorted(found.path[found.path.str.contains("noisy")])
    assert found.is_photo.sum() == 11
    assert found.attrs["verdict"] == "10 of 100 images are photographs"


def test_the_table_has_one_row_per_readable_file_in_order(found, images):
    assert found.columns.tolist() == COLUMNS == ["path", "score", "cluster", "is_photo"]
    catalog = some(images[1], 90, 10)
    assert (catalog.error != "").sum() == 1
    assert found.path.tolist() == sorted(catalog.path[catalog.error == ""])
    assert "A/broken.png" not in set(found.path)
    assert len(found) == 102
    assert found.is_photo.dtype == bool
    assert found.cluster.dtype.kind == "i"
    assert np.isfinite(found.score).all()


def test_the_score_is_above_zero_where_a_photograph_is(found):
    assert ((found.score > 0) == found.is_photo).all()
    assert found.score[found.is_photo].min() > 0.4 > -0.4 > found.score[~found.is_photo].max()
    assert found.score[found.is_photo].median() - found.score[~found.is_photo].median() > 1.5


def test_most_drawings_are_in_the_largest_cluster_and_no_photograph_is(found):
    assert (found.cluster[~found.is_photo] == 0).mean() > 0.5
    assert (found.cluster[found.is_photo] == -1).all(), "ten are too few to be dense"


def test_the_same_bytes_get_the_same_values(found):
    table = found.set_index("path")
    for one, other in (("A/drawing 04", "B/again drawing 04"), ("B/noisy 02", "A/again noisy 02")):
        assert table.loc[f"{one}.png"].tolist() == table.loc[f"{other}.png"].tolist()


def test_one_seed_gives_the_same_table_in_any_order(images, untrained):
    folder, catalog = images
    catalog = some(catalog, 60, 12).reset_index(drop=True)
    shuffled = catalog.sample(frac=1, random_state=0)
    assert shuffled.index.tolist() != catalog.index.tolist()
    table, again = (find_photos(rows, folder, seed=5) for rows in (catalog, shuffled))
    pd.testing.assert_frame_equal(table, again, check_exact=False, rtol=0, atol=2e-4)
    assert table.attrs["verdict"] == again.attrs["verdict"] == "12 of 72 images are photographs"
    assert table.path[table.is_photo].str.contains("noisy").all()


@pytest.mark.parametrize(("drawings", "noisy", "dense"), [(50, 3, 0), (50, 30, 0.8), (90, 60, 0.8)])
def test_few_and_many_photographs_are_found(images, untrained, drawings, noisy, dense):
    """Three are fewer than any model needs; 30 and 60 have a cluster of their own."""
    folder, catalog = images
    table = find_photos(some(catalog, drawings, noisy), folder)
    assert (table.is_photo == table.path.str.contains("noisy")).all()
    assert table.attrs["verdict"] == f"{noisy} of {drawings + noisy} images are photographs"
    clustered = (table.cluster[table.is_photo] >= 0).mean()
    assert clustered >= dense if dense else clustered == 0


# --- Sets in which nothing is removed -------------------------------------------------------------


def assert_left(table, rows, verdict):
    """Nothing is removed, for the reason that is stated."""
    assert len(table) == rows
    assert not table.is_photo.any()
    assert np.isfinite(table.score).all()
    assert re.fullmatch(verdict, table.attrs["verdict"]), table.attrs["verdict"]


def find_with_warning(catalog, folder, settings=DEFAULTS):
    """The table, after one warning that says its verdict and names the caller's file."""
    with pytest.warns(UserWarning, match=".") as caught:
        table = find_photos(catalog, folder, settings=settings)
    assert [str(warning.message) for warning in caught] == [table.attrs["verdict"]]
    assert [warning.filename for warning in caught] == [__file__]
    return table


def test_drawings_alone_are_left_without_a_warning(images, untrained):
    folder, catalog = images
    table = find_photos(catalog[catalog.path.str.contains("drawing")], folder)
    assert_left(table, 91, "no photographs: no group of the 90 images looks like any")
    assert (table.score < 0).all()


def test_images_of_one_colour_are_drawings(tmp_path, untrained):
    colours = np.random.default_rng(0).integers(0, 256, (60, 3)).tolist()
    files = {f"A/{i}.png": Image.new("RGB", (40, 40), tuple(colour)) for i, colour in enumerate(colours)}
    folder = write(tmp_path / "p", files)
    table = find_photos(scan(folder), folder)
    assert_left(table, 60, "no photographs: no group of the 60 images looks like any")
    assert (table.score < 0).all()


@pytest.mark.parametrize(("drawings", "files"), [(0, 61), (40, 102)])
def test_a_majority_of_photographs_is_left_with_a_warning(images, untrained, drawings, files):
    folder, catalog = images
    catalog = some(catalog, drawings, 60)
    catalog = catalog if drawings else catalog[~catalog.path.str.contains("drawing")]
    verdict = f"more than half of the {drawings + 60} images look like photographs; .*; nothing is removed"
    assert_left(find_with_warning(catalog, folder), files, verdict)


def test_40_images_are_too_few(images, untrained):
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


# --- Copies ---------------------------------------------------------------------------------------


CATALOG = pd.DataFrame(
    {
        "path": list("dbcaef"),
        "sha256": ["2", "1", "3", "1", "4", "5"],
        "error": ["", "", "", "", "", "broken"],
    }
)


def fake_analysis(monkeypatch, decided=True):
    """Scores 0, 1, 2 and so on for the images that are asked for; their paths are noted."""
    asked = []

    def measure(files, *_):
        asked.extend(files.path)
        return pd.DataFrame(index=range(len(files))), None

    def analyse(statistics, patches, seed, settings):
        asked.append((seed, settings))
        numbers = np.arange(len(statistics))
        return SimpleNamespace(
            score=numbers / 3, cluster=numbers - 1, is_photo=numbers % 2 == 1, decided=decided, verdict="x"
        )

    monkeypatch.setattr(photos, "kept_statistics", measure)
    monkeypatch.setattr(photos, "analyse", analyse)
    return asked


def test_without_a_table_of_duplicates_the_same_bytes_are_copies(monkeypatch):
    asked = fake_analysis(monkeypatch)
    table = find_photos(CATALOG, "folder")
    assert asked == ["a", "c", "d", "e", (0, PhotoSettings())]
    assert table.path.tolist() == list("abcde")
    assert table.score.tolist() == [0, 0, 0.3333, 0.6667, 1]
    assert table.cluster.tolist() == [-1, -1, 0, 1, 2]
    assert table.is_photo.tolist() == [False, False, True, False, True]
    assert table.attrs["verdict"] == "x"


def test_copies_follow_their_best_copy(monkeypatch):
    duplicates = pd.DataFrame({"path": list("abcde"), "copy_of": ["d", "d", "", "d", "e"]})
    asked = fake_analysis(monkeypatch)
    settings = PhotoSettings(min_samples=5)
    table = find_photos(CATALOG, "folder", 3, duplicates, settings)
    assert asked == ["d", "c", "e", (3, settings)]
    assert table.path.tolist() == list("abcde")
    assert table.score.tolist() == [0, 0, 0.3333, 0, 0.6667]
    assert table.is_photo.tolist() == [False, False, True, False, False]


def test_only_undecided_sets_are_warned_of(monkeypatch):
    fake_analysis(monkeypatch, decided=False)
    with pytest.warns(UserWarning, match="^x$") as caught:
        find_photos(CATALOG, "folder")
    assert [warning.filename for warning in caught] == [__file__]


# --- Pseudo-labels --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cluster", "vote", "label"),
    [
        ([0, 0, 0, 1, 1, 1], [-1, -2, 3, 2, 1.5, -3], [0, 0, 0, 1, 1, 1]),
        ([0, 0, 0], [0.9, 0.2, 0.5], [-1, -1, -1]),
        ([0, 1], [0, 1], [-1, -1]),
        ([0, 1], [-0.01, 1.01], [0, 1]),
        ([0, 0, 1, 1, -1, -1], [-1, -1, 2, 2, 3, -3], [0, 0, 1, 1, -1, -1]),
        ([0, 0, -1, -1, -1], [-1, -1, 1.1, 1, -3], [0, 0, 1, -1, -1]),
        ([-1, -1, -1], [-2, 0.5, 2], [0, -1, 1]),
    ],
    ids=["median", "between", "at the limits", "beyond them", "noise is open", "stand-in", "noise alone"],
)
def test_clusters_are_named_by_their_median_vote(cluster, vote, label):
    assert name_clusters(np.array(cluster), np.array(vote, float)).tolist() == label


def test_a_clearer_vote_never_scores_lower_without_a_model():
    """Photos make a cluster, all illustrations are noise, and there are too few of these to fit a model."""
    vote = np.r_[np.linspace(-3, -1.8, 4), np.full(30, 1.6), np.linspace(1.2, 2.5, 10)]
    label = np.r_[np.zeros(4, int), np.ones(30, int), np.full(10, -1)]
    odds, score = score_images(np.zeros((44, 1)), vote, label)
    assert odds is None
    assert ((score > 0) == (label == 1)).all()
    assert (np.diff(score[:4]) > 0).all()
    assert (np.diff(score[34:]) >= 0).all()


# --- Scores ---------------------------------------------------------------------------------------


def collection(illustrations=200, photos=20, overlap=0.0, seed=0):
    """Votes, codes and truth: illustrations vote about -1.5 and photos 1.5, each image by ``overlap`` off.

    Of the 36 numbers of the code, eight differ between the kinds.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat([False, True], [illustrations, photos])
    level = np.where(truth, 1.5, -1.5) + rng.normal(0, overlap, len(truth))
    ballots = rng.normal(level[:, None], 0.5, (len(truth), 6)).clip(-3, 3)
    codes = rng.normal(size=(len(truth), 36))
    codes[:, :8] += 3 * truth[:, None]
    return ballots, codes, truth


@pytest.mark.parametrize(("n_photos", "own_cluster"), [(200, True), (10, False)])
def test_photos_are_separated_with_and_without_a_cluster_of_their_own(n_photos, own_cluster):
    ballots, codes, truth = collection(300, n_photos)
    found = separate(ballots, codes)
    assert (found.is_photo == truth).all()
    assert found.verdict == f"{n_photos} of {300 + n_photos} images are photographs"
    assert (found.cluster[truth] > 0).any() == own_cluster
    assert found.score[truth].mean() == pytest.approx(-found.score[~truth].mean(), abs=0.4)
    again = separate(ballots, codes)
    np.testing.assert_array_equal(found.score, again.score)


def test_votes_that_overlap_are_decided_by_the_code():
    ballots, codes, truth = collection(400, 100, overlap=0.8, seed=3)
    found = separate(ballots, codes)
    by_vote = ((found.vote > 0) != truth).sum()
    assert by_vote >= 10
    assert (found.is_photo != truth).sum() <= by_vote / 3
    useless = np.random.default_rng(1).normal(size=codes.shape)
    assert (separate(ballots, useless).is_photo != truth).sum() >= by_vote / 2


def test_more_images_than_are_clustered_are_separated_alike():
    ballots, codes, truth = collection(600, 90)
    found = separate(ballots, codes, settings=PhotoSettings(max_points=300))
    assert found.gaps.shape == (300,)
    assert (found.is_photo == truth).all()


@pytest.mark.parametrize("counts", [(40, 4), (4, 40), (40, 0), (0, 40), (0, 0)])
def test_with_too_few_pseudo_labels_they_are_the_answer(monkeypatch, counts):
    monkeypatch.setattr(photos, "cross_judge", lambda *_: pytest.fail("a model was fitted"))
    label = np.repeat([0, 1, -1], [*counts, 6])
    vote = np.concatenate(
        [np.linspace(-3, -1, counts[0]), np.linspace(1.2, 2.9, counts[1]), np.linspace(-1, 0.9, 6)]
    )
    odds, score = score_images(np.zeros((len(vote), 1)), vote, label)
    assert odds is None
    np.testing.assert_array_equal(score > 0, label == 1)
    np.testing.assert_allclose(score, vote - DEFAULTS.photo_vote)


def test_with_enough_pseudo_labels_a_model_is_fitted():
    ballots, codes, _ = collection(50, 5)
    label = np.repeat([0, 1], [50, 5])
    odds, score = score_images(np.hstack([ballots, codes]), ballots.mean(1), label)
    assert odds.shape == score.shape == (55,)
    np.testing.assert_array_equal(score > 0, label == 1)
    few = score_images(codes, ballots.mean(1), label, settings=PhotoSettings(min_pseudo_labels=6))
    assert few[0] is None


# --- Decisions ------------------------------------------------------------------------------------


SCORE = np.repeat([-1.0, 1.0], [80, 20])
LABEL = np.repeat([0, 1], [80, 20])


@pytest.mark.parametrize(
    ("score", "vote", "most", "verdict"),
    [
        (
            SCORE[51:],
            SCORE[51:],
            0.9,
            "too few distinct images to decide without labels (49 of the 50 needed)",
        ),
        (
            SCORE[51:],
            -SCORE[51:],
            0.9,
            "too few distinct images to decide without labels (49 of the 50 needed)",
        ),
        (
            SCORE,
            -SCORE,
            0.9,
            "more than half of the 100 images look like photographs; they are not rare strangers",
        ),
        (
            SCORE,
            0 * SCORE,
            0.9,
            "more than half of the 100 images look like photographs; they are not rare strangers",
        ),
        (SCORE, SCORE, 0.19, "20.0% of the 100 images look like photographs, more than 19%"),
        (np.abs(SCORE), SCORE, 0.5, "100.0% of the 100 images look like photographs, more than 50%"),
    ],
    ids=["too few", "too few of photographs", "mostly photographs", "half way", "too many", "all"],
)
def test_undecided_sets_are_left(score, vote, most, verdict):
    is_photo, decided, said = choose_removed(score, LABEL[: len(score)], vote, PhotoSettings(max_share=most))
    assert is_photo.tolist() == [False] * len(score)
    assert not decided
    assert said == f"{verdict}; nothing is removed"


def test_a_score_of_nothing_is_no_photograph():
    assert choose_removed(np.zeros(60), np.zeros(60, int), np.full(60, -1.0))[0].tolist() == [False] * 60
