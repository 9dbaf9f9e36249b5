"""The benchmarks' own parts: how cost is measured, how tools are judged, the photo filter's sets."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import draw, encoded, files_below, write_files
from PIL import Image

from benchmarks import duplicates, experiments, photos, second_contamination, tables
from benchmarks.measure import measure_command, measure_program
from benchmarks.photo_sets import COLLECTIONS, FIFTHS, MEASURED, LabelledSet, labelled_sets, mix
from evaluate import decode_image
from illus.emoji20.truth import load_truth
from illus.files.descriptors import describe_images

CHILD = "import time\nheld = b'x' * 50_000_000\ntime.sleep(0.5)\nwhile time.process_time() < 0.6: pass"


def test_memory_and_processor_time_of_children_count():
    held = "import subprocess, sys; held = b'x' * 50_000_000; "
    alone = measure_command([sys.executable, "-c", CHILD])
    both = measure_command([sys.executable, "-c", f"{held}subprocess.run([sys.executable, '-c', {CHILD!r}])"])
    assert 48 <= alone["peak_mb"] <= 80
    assert 96 <= both["peak_mb"] <= 160
    assert 0.5 <= alone["seconds"] < 60
    assert 0.6 <= both["cpu_seconds"] < 3
    assert measure_command([sys.executable, "-c", "import time; time.sleep(0.6)"])["cpu_seconds"] < 0.5


def test_groups_of_perturbed_images_have_the_planted_copies(tmp_path):
    files = {f"{number}.png": draw((40 * number, 200 - 40 * number, 90), number) for number in range(4)}
    real = describe_images(sorted(write_files(tmp_path, files).iterdir()))
    np.save(tmp_path / "columns.npy", real.columns)
    real["thumbnail"].tofile(tmp_path / "thumbnails")
    measure_program("image_groups", tmp_path, 40, 100_000, 10, tmp_path / "out.json")
    report = pd.read_json(tmp_path / "out.json", typ="series")
    assert report.found == 1
    assert 2 <= report.compared <= min(10, report.pairs)
    assert {"candidates", "compare", "groups"} <= set(report.index)


def test_a_failed_program_says_why():
    with pytest.raises(RuntimeError, match="no such luck"):
        measure_command([sys.executable, "-c", "raise SystemExit('no such luck')"])


TRUTH = pd.DataFrame({"path": list("abcdef"), "kind": "original", "transform": "", "drawing": list("112223")})


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], (0, 0, 0, 0)),
        ([["a", "b"], ["c", "d", "e"]], (1, 1, 1, 1)),
        ([["a", "b"], ["c", "d"], ["d", "c"], ["d", "e"]], (1, 1, 3 / 4, 1)),
        ([["b", "f"], ["a", "f"]], (1 / 3, 1 / 2, 0, 0)),  # b joins a through f, which is another drawing
        ([["a", "c"], ["a", "b"], ["d", "e"]], (2 / 3, 2 / 3, 2 / 4, 2 / 3)),
    ],
)
def test_files_and_pairs_are_judged_by_hand(groups, expected):
    row = duplicates.row("a tool", "a setting", TRUTH, groups, TRUTH, {"seconds": 1.0})
    assert (row["recall"], row["precision"], row["pair_recall"], row["pair_precision"]) == expected
    assert row["seconds"] == 1.0


def test_every_tool_gets_what_is_seen_on_white(tmp_path):
    drawing = draw((200, 40, 40)).convert("RGBA")
    drawing.putalpha(drawing.convert("L").point(lambda level: 255 if level < 200 else 0))
    files = {"clear.png": drawing, "opaque.jpg": encoded(draw((40, 40, 200)), "JPEG")}
    write_files(tmp_path / "images", files)
    truth = pd.DataFrame({"path": [*files, "gone.png"], "kind": ["original"] * 2 + ["broken"]})
    duplicates.composited_copy(tmp_path / "images", truth, tmp_path / "copy")
    before, after = ((tmp_path / part / "clear.png").read_bytes() for part in ("images", "copy"))
    assert Image.open(tmp_path / "copy" / "clear.png").mode == "RGB"
    np.testing.assert_array_equal(decode_image(after), decode_image(before))
    opaque = [(tmp_path / part / "opaque.jpg").read_bytes() for part in ("images", "copy")]
    assert opaque[0] == opaque[1]
    assert len(list((tmp_path / "copy").iterdir())) == 2


def test_the_second_contamination_knows_its_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(second_contamination, "COPIES", 2)
    truth = pd.DataFrame({"path": [f"A/{i}.png" for i in range(20)], "kind": ["original"] * 19 + ["photo"]})
    truth = truth.assign(source="", transform="", drawing=[f"d{i}" for i in range(20)], concept="")
    write_files(tmp_path, {f"A/{i}.png": draw((10 * i, 90, 90), i) for i in range(20)})
    found = load_truth(second_contamination.build(tmp_path, truth, tmp_path / "second"))
    planted = found[found.kind == "duplicate"]
    assert planted.groupby("transform").size().to_dict() == dict.fromkeys(second_contamination.TRANSFORMS, 2)
    assert set(planted.drawing) <= set(truth.drawing[:19])
    assert planted.source.is_unique
    assert set(files_below(tmp_path / "second/training")) == set(found.path)
    assert len(found) == 19 + 18


@pytest.fixture(scope="module")
def pool():
    """900 drawings and 100 photos of ten sources of emoji20, three mixtures, and real photos."""
    parts = [("emoji20", False, 900), ("emoji20", True, 100), ("real", True, 300)]
    for name in ("vector", "cartoon", "scenes"):
        parts += [(name, False, 200), (name, True, 50)]
    rows = [part[:2] for part in parts for _ in range(part[2])]
    table = pd.DataFrame(rows, columns=["collection", "photo"])
    sources = [f"picture {number % 10}" for number in range(len(table))]
    table["source"] = np.where((table.collection == "emoji20") & table.photo, sources, "")
    return table.sample(frac=1, random_state=0, ignore_index=True)


@pytest.mark.parametrize(
    ("illustrations", "photos", "share", "most", "expected"),
    [
        (900, 100, 0.1, 2000, (900, 100)),
        (900, 100, 0.1, 500, (450, 50)),
        (900, 100, 0.05, 2000, (900, 47)),
        (900, 10, 0.05, 2000, (190, 10)),
        (900, 100, 0.2, 10_000, (400, 100)),
        (50, 100, 0.5, 2000, (50, 50)),
    ],
)
def test_a_mix_has_the_share_of_photos(illustrations, photos, share, most, expected):
    drawn = mix(np.arange(illustrations), 10_000 + np.arange(photos), share, most)
    assert ((drawn < 10_000).sum(), (drawn >= 10_000).sum()) == expected
    assert len(set(drawn)) == len(drawn)


def test_labelled_sets_are_rows_of_their_collections(pool):
    sets = labelled_sets(pool)
    assert {one.collection for one in sets.values()} == set(COLLECTIONS)
    for name, one in sets.items():
        assert one.name == name
        assert (np.diff(one.rows) > 0).all(), "ascending, each once"
        rows = pool.iloc[one.rows]
        assert (rows.photo == one.truth).all()
        assert set(rows.collection[~one.truth]) == {one.collection}
        assert set(rows.collection[one.truth]) <= {"real" if "real" in name else one.collection}
        assert one.truth.any() == ("no photos" not in name)
    shares = {name: sets[name].truth.mean() for name in sets}
    assert shares["emoji20"] == pytest.approx(0.1)
    for name, share in (("emoji20, real 1%", 0.01), ("emoji20, real 5%", 0.05), ("emoji20, real 20%", 0.2)):
        assert shares[name] == pytest.approx(share, abs=1e-3)
    assert shares["vector, 1%"] == pytest.approx(0.01, abs=1e-3)
    assert shares["vector"] == shares["cartoon"] == shares["scenes"] == 50 / 250


def test_each_fifth_has_photographs_of_its_own_sources_and_all_have_them_all(pool):
    sets = labelled_sets(pool)
    parts = [set(pool.source[one.rows[one.truth]]) for one in sets.values() if one.is_fifth]
    assert len(parts) == FIFTHS
    assert [len(part) for part in parts] == [2] * FIFTHS
    assert set().union(*parts) == {f"picture {number}" for number in range(10)}


def test_a_row_has_the_scores_of_an_answer():
    truth = np.repeat([False, True], [90, 10])
    is_photo = np.zeros(100, bool)
    is_photo[[0, 1, *range(92, 100)]] = True
    row = photos.row_of(LabelledSet("vector", np.arange(100), truth), (is_photo, np.arange(100.0)))
    scores = {"f1": 0.8, "precision": 0.8, "recall": 0.8, "auc": 1.0, "removed": round(2 / 90, 5)}
    assert row == {"set": "vector", "images": 100, "photos": 10} | scores
    nothing = photos.row_of(LabelledSet("vector", np.arange(100), truth), (~truth & False, -np.arange(100.0)))
    assert [nothing[name] for name in scores] == [0, 0, 0, 0, 0]
    drawings = LabelledSet("x", np.arange(50), np.zeros(50, bool))
    without = photos.row_of(drawings, (np.arange(50) < 5, np.zeros(50)))
    assert without["removed"] == 0.1
    assert np.isnan([without[name] for name in ("f1", "precision", "recall", "auc")]).all()


def test_settings_are_chosen_on_the_other_collections():
    """The second setting is best for vector alone, and on fifths, which do not count."""
    rows = [
        {"method": "k-means", "seed": seed, "set": name, "collection": collection, "number": number}
        | {"f1": float(number == (collection == "vector" or "fifth" in name or seed == 1))}
        for collection in COLLECTIONS
        for name in (collection, f"{collection}, 1%", f"{collection}, fifth 1", f"{collection}, fifth 2")
        for seed in (0, 1)
        for number in (0, 1)
    ]
    table = pd.DataFrame(rows)
    assert photos.best_without(table, "k-means", "vector") == 0
    only = table[table.collection.isin(["vector", "scenes"])]
    assert photos.best_without(only, "k-means", "scenes") == 1


@pytest.fixture(scope="module")
def two_kinds():
    """What is known of 300 illustrations and 60 photos that differ in everything."""
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], [300, 60])
    images = np.zeros(360, MEASURED)
    images["photo"]["statistics"] = rng.normal(np.where(truth, 1.8, -1.8)[:, None], 0.5, (360, 6))
    images["small"] = np.where(truth, 60, 200)[:, None, None, None] + rng.integers(0, 50, (360, 64, 64, 3))
    gains = np.where(truth, 0, -1)[:, None] + rng.normal(0, 0.5, (360, 64))
    codes = rng.normal(size=(360, 32)) + 6 * truth[:, None]
    known = {"gains": gains, "errors": gains - 1, "codes": codes}
    pool = SimpleNamespace(measured=lambda _: images, autoencoded=lambda *_: known)
    return photos.Evidence(pool, "vector", 0), LabelledSet("vector", np.arange(360), truth)


@pytest.mark.parametrize("name", photos.RUNGS)
def test_every_rung_finds_what_is_plain_to_see(two_kinds, name):
    seen, labelled = two_kinds
    row = photos.row_of(labelled, photos.RUNGS[name](seen))
    assert row["f1"] > (0.6 if name == "gain above zero" else 0.97)
    assert row["auc"] > 0.99


@pytest.mark.parametrize("name", photos.METHODS)
def test_every_method_finds_most_with_one_of_its_settings(two_kinds, name):
    seen, labelled = two_kinds
    function, settings = photos.METHODS[name]
    rows = [photos.row_of(labelled, function(seen, **setting)) for setting in settings]
    assert all(np.isfinite(row["auc"]) for row in rows)
    assert max(row["f1"] for row in rows) > 0.6


def test_a_held_out_artist_is_in_validation_alone(monkeypatch):
    names = pd.Series(["openmoji", "twemoji", "noto", ""] * 9)
    dataset = pd.DataFrame({"path": [f"{number}.png" for number in range(len(names))], "split": "train"})
    dataset["class_name"] = dataset["class_id"] = np.arange(len(names)) % 3
    truth = dataset[["path"]].assign(icon_set=names)
    monkeypatch.setattr(experiments, "load_truth", lambda folder: truth)
    made = experiments.without_artists(dataset)
    assert made.keys() == {"without openmoji", "without twemoji"}
    for name, table in made.items():
        artist = table.path.map(truth.set_index("path").icon_set)
        assert set(artist[table.split == "validation"]) == {name.removeprefix("without ")}
        assert len(table) == len(dataset)
        assert name.removeprefix("without ") not in set(artist[table.split == "train"])


def test_a_method_is_shown_at_the_rate_that_is_best_on_validation_with_the_first_seed(monkeypatch):
    runs = [("a", 1, 0, 0.5, 0.3), ("a", 2, 0, 0.6, 0.1), ("a", 2, 1, 0.2, 0.2), ("b", 1, 0, 0.4, 0.9)]
    found = pd.DataFrame(runs, columns=["method", "rate", "seed", "validation_macro_f1", "test"])
    parts = [f"{part}_{kind}_f1" for part in tables.PARTS for kind in ("macro", "micro")]
    found = found.assign(seconds=5, **dict.fromkeys(parts, found.test))
    monkeypatch.setattr(tables, "read", lambda name: found)
    shown = tables.scores().set_index("method")["test: macro F1"]
    assert shown["a"] == pytest.approx(0.15)
    assert shown["b"] == 0.9
