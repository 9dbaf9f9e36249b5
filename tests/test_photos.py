"""Photographs among drawings, from files to the table: noisy images stand for photographs."""

import warnings
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import encoded
from drawings import flat_drawing, noisy_image
from PIL import Image
from threadpoolctl import threadpool_limits

from illus.clean import autoencoder, photo_statistics, photos, self_training
from illus.clean.clusters import find_clusters, k_distances, knee, scale
from illus.clean.mixture import Separation
from illus.clean.photos import COLUMNS, PhotoSettings, choose_removed, find_photos, name_clusters
from illus.data.catalog import scan

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

VOTES_ALONE = PhotoSettings(rounds=0)
HALVES = Separation(0.5, 0.1, 9.0, (-1, 0.1, 0.1), (2, 0.1, 0.1))


@pytest.fixture(autouse=True)
def in_threads():
    with joblib.parallel_config(backend="threading"), threadpool_limits(1):
        yield


@pytest.fixture
def quick(monkeypatch):
    """A short lesson for the autoencoder and none for the network: the votes decide."""
    monkeypatch.setattr(autoencoder, "train", partial(autoencoder.train, epochs=1, batch_size=4))


@pytest.fixture
def quickest(monkeypatch):
    """No lesson at all: an autoencoder that paints everything gray, and votes that decide."""
    monkeypatch.setattr(autoencoder, "train", lambda *_: (None, [0.25]))
    monkeypatch.setattr(autoencoder, "apply", lambda _, images, *__: np.full(images.shape, 0.5, np.float32))


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
    """The table for 90 drawings and 10 noisy images, one round of teaching, nothing else shortened."""
    folder, catalog = images
    with joblib.parallel_config(backend="threading"), threadpool_limits(1):
        return find_photos(some(catalog, 90, 10), folder, settings=PhotoSettings(rounds=1))


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
    assert found.score[found.is_photo].min() > 0.5 > -0.5 > found.score[~found.is_photo].max()


def test_most_drawings_are_in_the_largest_cluster_and_no_photograph_is(found):
    assert (found.cluster[~found.is_photo] == 0).mean() > 0.8
    assert (found.cluster[found.is_photo] != 0).all()


def test_the_same_bytes_get_the_same_values(found):
    table = found.set_index("path")
    for one, other in (("A/drawing 04", "B/again drawing 04"), ("B/noisy 02", "A/again noisy 02")):
        assert table.loc[f"{one}.png"].tolist() == table.loc[f"{other}.png"].tolist()


def test_one_seed_gives_the_same_table_in_any_order(images, monkeypatch):
    monkeypatch.setattr(autoencoder, "train", partial(autoencoder.train, epochs=1, batch_size=4))
    monkeypatch.setattr(photo_statistics, "THUMBNAIL", 16)
    short = PhotoSettings(rounds=1, min_steps=1, max_steps=1)
    folder, catalog = images
    catalog = some(catalog, 60, 12).reset_index(drop=True)
    shuffled = catalog.sample(frac=1, random_state=0)
    assert shuffled.index.tolist() != catalog.index.tolist()
    table, again = (find_photos(rows, folder, seed=5, settings=short) for rows in (catalog, shuffled))
    pd.testing.assert_frame_equal(table, again, check_exact=False, rtol=0, atol=1e-3)
    assert table.attrs["verdict"] == again.attrs["verdict"] == "12 of 72 images are photographs"


# --- Sets in which nothing is removed -------------------------------------------------------------


def test_drawings_alone_are_left_without_a_warning(images, quick):
    folder, catalog = images
    table = find_photos(catalog[catalog.path.str.contains("drawing")], folder, settings=VOTES_ALONE)
    assert len(table) == 91
    assert not table.is_photo.any()
    assert table.attrs["verdict"] == "no photographs: the scores of 90 images are of one kind"


def test_photographs_alone_are_left_with_a_warning(images, quickest):
    folder, catalog = images
    with pytest.warns(UserWarning, match="^more than half of the 60 images look like") as caught:
        table = find_photos(catalog[catalog.path.str.contains("noisy")], folder, settings=VOTES_ALONE)
    assert [warning.filename for warning in caught] == [__file__]
    assert len(table) == 61
    assert not table.is_photo.any()
    assert table.attrs["verdict"] == str(caught[0].message)


def test_more_than_the_stated_share_is_left_with_a_warning(images, quickest):
    folder, catalog = images
    catalog = some(catalog, 80, 20)
    with pytest.warns(UserWarning, match="^20% of the images would be removed, more than 10%; nothing is$"):
        table = find_photos(catalog, folder, settings=PhotoSettings(rounds=0, max_share=0.1))
    assert not table.is_photo.any()
    assert table.path[table.score > 0].str.contains("noisy").sum() == (table.score > 0).sum() == 21


def test_ten_images_are_too_few(images, quickest):
    folder, catalog = images
    kind = catalog.path.str.extract(r"/(drawing|noisy) (\d+)")
    with pytest.warns(UserWarning, match=r"^too few distinct images to decide .*\(10 of the 50 needed\)"):
        table = find_photos(catalog[kind[1].astype(float) < 5], folder, settings=VOTES_ALONE)
    assert len(table) == 10
    assert not table.is_photo.any()
    assert np.isfinite(table.score).all()


def test_a_single_image_is_too_few_however_many_copies_it_has(tmp_path, quick):
    folder = write(tmp_path / "p", {f"A/{i}.png": flat_drawing(0) for i in range(60)})
    with pytest.warns(UserWarning, match=r"^too few distinct images .*\(1 of the 50 needed\)"):
        table = find_photos(scan(folder), folder, settings=VOTES_ALONE)
    assert len(table) == 60
    assert not table.is_photo.any()
    assert np.isfinite(table.score).all()


def test_plain_images_are_drawings(tmp_path, quick):
    colours = np.random.default_rng(0).integers(0, 256, (60, 3)).tolist()
    files = {f"A/{i}.png": Image.new("RGB", (40, 40), tuple(colour)) for i, colour in enumerate(colours)}
    folder = write(tmp_path / "p", files)
    table = find_photos(scan(folder), folder, settings=VOTES_ALONE)
    assert not table.is_photo.any()
    assert np.isfinite(table.score).all()
    assert (table.score < 0).all()
    assert table.attrs["verdict"].startswith("no photographs")


def test_an_empty_catalog_gives_an_empty_table(tmp_path):
    empty = pd.DataFrame(columns=["path", "sha256", "error"])
    broken = pd.DataFrame({"path": ["A/1.png"], "sha256": ["0"], "error": ["no image"]})
    for catalog in (empty, broken):
        table = find_photos(catalog, tmp_path)
        assert table.empty
        assert table.columns.tolist() == COLUMNS


# --- Copies ---------------------------------------------------------------------------------------


CATALOG = pd.DataFrame(
    {
        "path": list("dbcaef"),
        "sha256": ["2", "1", "3", "1", "4", "5"],
        "error": ["", "", "", "", "", "broken"],
    }
)


def fake_analysis(monkeypatch):
    """Scores 0, 1, 2 and so on for the images that are asked for; their paths are noted."""
    asked = []

    def measure(paths):
        asked.extend(path.name for path in paths)
        return pd.DataFrame(index=range(len(paths))), None

    def analyse(statistics, thumbnails, seed, settings):
        asked.append((seed, settings))
        numbers = np.arange(len(statistics))
        return SimpleNamespace(score=numbers / 3, cluster=numbers - 1, is_photo=numbers % 2 == 1, verdict="x")

    monkeypatch.setattr(photos, "photo_statistics", measure)
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
    table = find_photos(CATALOG, "folder", 3, duplicates, VOTES_ALONE)
    assert asked == ["d", "c", "e", (3, VOTES_ALONE)]
    assert table.path.tolist() == list("abcde")
    assert table.score.tolist() == [0, 0, 0.3333, 0, 0.6667]
    assert table.is_photo.tolist() == [False, False, True, False, False]


# --- Teaching -------------------------------------------------------------------------------------


def test_each_half_is_judged_by_the_network_that_the_other_half_taught(monkeypatch):
    taught, seen = [], []

    class Judge:
        def fit(self, lessons, **_):
            taught.append(lessons.pseudo_labels)

    def apply(judge, thumbnails):
        seen.append(thumbnails)
        return 10 * len(taught) + np.zeros((len(thumbnails), 1))

    monkeypatch.setattr(self_training, "classifier", lambda *_: Judge())
    monkeypatch.setattr(autoencoder, "apply", apply)
    rng = np.random.default_rng(0)
    is_photo, sure = rng.random(100) < 0.3, rng.random(100) < 0.6
    odds = self_training.cross_judge(np.arange(100), None, is_photo, sure, 0, 50, 300)
    assert len(taught) == len(seen) == 2
    assert sorted(np.concatenate(seen)) == list(range(100))
    for number, (labelled, judged) in enumerate(zip(taught, seen, strict=True), start=1):
        assert not set(np.concatenate(labelled)) & set(judged)
        assert len(judged) == 50
        assert (odds[judged] == 10 * number).all()
    for kind in (False, True):
        labelled = np.concatenate([labelled[kind] for labelled in taught])
        assert sorted(labelled) == np.flatnonzero(sure & (is_photo == kind)).tolist()


def test_lessons_are_72_drawings_and_24_photographs_turned_over():
    """Each image has its number on its left and 100 on its right, 0 above and 200 below."""
    thumbnails = np.zeros((20, 2, 2, 3), np.uint8)
    thumbnails[:, 0, 0] = np.arange(20)[:, None]
    thumbnails[:, 0, 1], thumbnails[:, 1] = 100, 200
    before = thumbnails.copy()
    lessons = self_training.PseudoLabelBatches(thumbnails, [np.arange(15), np.arange(15, 20)], 4, seed=0)
    assert len(lessons) == 4
    batch, answers = lessons[0]
    assert batch.shape == (96, 2, 2, 3)
    assert answers[:, 0].tolist() == [0] * 72 + [1] * 24
    row, column = np.arange(96) % 3 == 0, np.arange(96) % 2 == 0
    numbers = batch[np.arange(96), row.astype(int), column.astype(int), 0]
    assert numbers[:72].max() < 15 <= numbers[72:].min()
    assert numbers[72:].max() < 20
    np.testing.assert_array_equal(lessons[0][0], batch)
    assert (lessons[1][0] != batch).any()
    np.testing.assert_array_equal(thumbnails, before)


def test_too_few_sure_images_teach_nothing(monkeypatch):
    monkeypatch.setattr(photos, "cross_judge", lambda *_: pytest.fail("taught"))
    mean = np.repeat([-1.0, 2.0, 0.4], [50, 9, 20])
    rounds, final = photos.self_train(None, None, mean, HALVES, np.full(79, -1), 0)
    assert rounds == []
    assert final is HALVES


def test_a_sure_network_outvotes_a_weak_vote(monkeypatch):
    """The last of a hundred lies just below the border; the network is sure that it is a photograph."""
    mean = np.repeat([-1.0, 2.0, 0.4], [79, 20, 1])
    asked = []

    def judge(thumbnails, model, is_photo, sure, seed, min_steps, max_steps):
        asked.append((is_photo, sure, seed))
        return np.repeat([-2.0, 2.0, 2.0], [79, 20, 1])

    monkeypatch.setattr(photos, "cross_judge", judge)
    again = Separation(0.0, 0.2, 9.0, (-1.8, 0.1, 0.1), (2.8, 0.1, 0.1))
    monkeypatch.setattr(photos, "fit_mixture", lambda evidence: again)
    (evidence,), final = photos.self_train(
        None, None, mean, HALVES, np.full(100, -1), 7, PhotoSettings(rounds=1)
    )
    is_photo, sure, seed = asked[0]
    assert is_photo.tolist() == [False] * 79 + [True] * 20 + [False]
    assert sure.tolist() == [True] * 99 + [False]
    assert seed == 7
    np.testing.assert_allclose(
        evidence, mean + photos.DEFAULTS.network_weight * np.repeat([-2.0, 2.0, 2.0], [79, 20, 1])
    )
    assert evidence[-1] > final.threshold
    assert final is again
    monkeypatch.setattr(photos, "fit_mixture", lambda evidence: None)
    assert photos.self_train(None, None, mean, HALVES, np.full(100, -1), 7, PhotoSettings(rounds=1)) == (
        [],
        HALVES,
    )


# --- Clusters -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blobs():
    """400 points, 200 points, and five by themselves."""
    rng = np.random.default_rng(0)
    far = [[20, 20], [-20, 20], [20, -20], [-20, -20], [2.5, 8]]
    points = np.concatenate([rng.normal((5, 0), 0.3, (200, 2)), rng.normal(0, 0.3, (400, 2)), far])
    return points, np.repeat([1, 0, -1], [200, 400, 5])


def test_clusters_are_numbered_by_size_and_noise_is_in_none(blobs):
    points, expected = blobs
    cluster, gaps, eps = find_clusters(points, 20, 4000)
    assert (cluster == expected).mean() > 0.99
    assert (cluster[-5:] == -1).all()
    assert gaps.shape == (605,)
    assert (np.diff(gaps) >= 0).all()
    assert eps in gaps
    assert 0.2 < eps < 2


def test_points_beyond_the_sample_join_the_same_clusters(blobs):
    points, expected = blobs
    whole = find_clusters(points, 20, 4000)[0]
    cluster, gaps, _ = find_clusters(points, 20, 250)
    assert gaps.shape == (250,)
    assert (cluster == whole).mean() > 0.99
    assert (cluster == expected).mean() > 0.99
    assert (cluster[-5:] == -1).all()


def test_few_points_are_noise_and_equal_points_are_one_cluster():
    assert find_clusters(np.zeros((1, 2)), 20, 4000)[0].tolist() == [-1]
    assert find_clusters(np.zeros((19, 2)), 20, 4000)[0].tolist() == [-1] * 19
    assert find_clusters(np.zeros((20, 2)), 20, 4000)[0].tolist() == [0] * 20


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([*np.linspace(0, 1, 91), *range(2, 12)], 1),
        ([0] * 50 + [5, 10], 0),
        ([1, 2, 3, 4, 40], 4),
        ([2, 2, 2], 2),
        ([3], 3),
    ],
    ids=["corner", "steps", "last but one", "constant", "one"],
)
def test_the_knee_of_a_curve(curve, expected):
    assert knee(np.array(curve, float)) == pytest.approx(expected)


def test_a_k_distance_counts_the_point_itself():
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert k_distances(points, 1).tolist() == [0, 0, 0, 0]
    assert k_distances(points, 2).tolist() == [1, 1, 2, 4]
    assert k_distances(points, 9).tolist() == [4, 6, 7, 7]


def test_features_are_scaled_by_their_spread_and_clipped():
    features = np.column_stack([np.linspace(0, 100, 101), np.linspace(0, 1, 101), np.full(101, 7.0)])
    features[100, 1] = 1000
    scaled = scale(features)
    np.testing.assert_allclose(scaled[:, 0], (np.arange(101) - 50) / 34)
    np.testing.assert_allclose(scaled[:100, 1], scaled[:100, 0], atol=1e-9)
    assert scaled[100, 1] == 4
    assert (scaled[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("cluster", "evidence", "agrees"),
    [
        ([0, 0, 0], [-1, -2, 1], [True, True, False]),
        ([1, 1, 1], [1, 2, -1], [True, True, False]),
        ([-1, -1, -1], [1, 2, -1], [True, True, True]),
        ([0, 1, 0, 1, 0, 1], [-1, 1, -1, 1, 1, -1], [True, True, True, True, False, False]),
        ([0, 0, 0], [0.5, 0.5, 0.6], [True, True, False]),
    ],
    ids=["drawings", "photographs", "noise", "two clusters", "on the border"],
)
def test_an_image_may_not_contradict_its_cluster(cluster, evidence, agrees):
    evidence = np.array(evidence, float)
    shift = 0.5 if 0.5 in evidence else 0.0
    assert name_clusters(np.array(cluster), evidence, shift).tolist() == agrees


# --- Decisions ------------------------------------------------------------------------------------


SCORE = np.repeat([-1.0, 1.0], [80, 20])


@pytest.mark.parametrize(
    ("score", "final", "mean", "most", "verdict"),
    [
        (SCORE[51:], HALVES, SCORE[51:], 0.9, "too few distinct images to decide without labels"),
        (SCORE, HALVES, -SCORE, 0.9, "more than half of the 100 images look like photographs"),
        (SCORE, None, -SCORE, 0.9, "more than half of the 100 images look like photographs"),
        (SCORE, HALVES, SCORE, 0.19, "20% of the images would be removed, more than 19%"),
    ],
    ids=["too few", "mostly photographs", "mostly photographs of one kind", "too many"],
)
def test_undecided_sets_are_left_with_a_warning(score, final, mean, most, verdict):
    with pytest.warns(UserWarning, match="^" + verdict + ".*nothing is") as caught:
        is_photo, said = choose_removed(score, final, mean, PhotoSettings(max_share=most))
    assert is_photo.tolist() == [False] * len(score)
    assert said == str(caught[0].message)


def test_decided_sets_are_no_matter_of_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        is_photo, verdict = choose_removed(SCORE, HALVES, SCORE, PhotoSettings(max_share=0.21))
        none, one_kind = choose_removed(SCORE, None, SCORE, PhotoSettings(max_share=0.0))
    assert is_photo.tolist() == [False] * 80 + [True] * 20
    assert verdict == "20 of 100 images are photographs"
    assert none.tolist() == [False] * 100
    assert one_kind == "no photographs: the scores of 100 images are of one kind"


def test_analysis_of_images_tells_how_it_came_about(images, quickest):
    folder, catalog = images
    files, distinct = photos.distinct_images(some(catalog, 60, 12))
    assert len(files) == 74
    found = photos.analyse(
        *photo_statistics.photo_statistics([folder / path for path in distinct]), settings=VOTES_ALONE
    )
    noisy = distinct.str.contains("noisy").to_numpy()
    assert len(found.score) == len(found.statistics) == len(found.votes) == len(found.points) == 72
    assert found.points.shape == (72, 2)
    assert found.rounds == []
    assert found.final is found.first
    np.testing.assert_allclose(found.score, found.votes - found.first.threshold, atol=5e-5)
    assert found.first.share == pytest.approx(1 / 6, abs=0.02)
    assert found.is_photo.tolist() == noisy.tolist()
    assert found.losses == [0.25]
    gray = np.abs(np.asarray(Image.open(folder / distinct[0]).resize((64, 64), 4), float) / 255 - 0.5).mean()
    assert found.errors[0, 0] == pytest.approx(np.log(gray), abs=0.05)


def test_each_kind_is_halved_however_rare():
    kinds = np.repeat([0, 1, 2], [500, 90, 10])
    for seed in range(20):
        half = self_training.halves(kinds, seed)
        assert [(half[kinds == kind] == 0).sum() for kind in (0, 1, 2)] == [250, 45, 5]
    assert (self_training.halves(kinds, 0) != self_training.halves(kinds, 1)).any()
