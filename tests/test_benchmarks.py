"""The benchmarks' own parts: how cost is measured, which code a table is of, and what the sweep reuses."""

import ast
import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import draw, write_class_folders
from PIL import Image

from benchmarks import duplicates, photos, second_contamination, threshold
from benchmarks.measure import measure_command, measure_program
from benchmarks.photo_sets import COLLECTIONS, LEVEL_SETS, LabelledSet, find_levels, labelled_sets, mix
from evaluate import decode_image
from illus.copies.duplicates import find_duplicates
from illus.copies.settings import DEFAULTS
from illus.emoji20.truth import load_truth
from illus.files.catalog import scan
from illus.files.descriptors import describe_images
from illus.hashing import code_of

ROOT = Path(__file__).parent.parent
CHILD = "import time; held = b'x' * 50_000_000; time.sleep(0.5)"


def test_memory_of_children_counts():
    alone = measure_command([sys.executable, "-c", CHILD])
    parent = (
        f"import subprocess, sys; {CHILD.split(';')[1]}; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    )
    both = measure_command([sys.executable, "-c", parent])
    assert 48 <= alone["peak_mb"] <= 80
    assert 96 <= both["peak_mb"] <= 160
    assert 0.5 <= alone["seconds"] < 60


def test_processor_seconds_are_those_of_children_too():
    burn = "import time\nwhile time.process_time() < 0.6: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    assert 0.6 <= measure_command([sys.executable, "-c", parent])["cpu_seconds"] < 3
    assert measure_command([sys.executable, "-c", "import time; time.sleep(0.6)"])["cpu_seconds"] < 0.5


def test_groups_of_perturbed_images_have_the_planted_copies(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        draw((40 * number, 200 - 40 * number, 90), number).save(path)
    real = describe_images(paths)
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


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_import_what_the_package_has(path):
    imports = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    for node in imports:
        if node.module.split(".")[0] in ("illus", "evaluate"):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.util.find_spec(f"{node.module}.{name.name}")


TRUTH = pd.DataFrame(
    {"path": list("abcdef"), "kind": "original", "transform": "", "drawing": [1, 1, 2, 2, 2, 3]}
)


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
    (tmp_path / "images").mkdir()
    drawing.save(tmp_path / "images" / "clear.png")
    draw((40, 40, 200)).save(tmp_path / "images" / "opaque.jpg")
    truth = pd.DataFrame(
        {"path": ["clear.png", "opaque.jpg", "gone.png"], "kind": ["original"] * 2 + ["broken"]}
    )
    duplicates.composited_copy(tmp_path / "images", truth, tmp_path / "copy")
    before, after = ((tmp_path / part / "clear.png").read_bytes() for part in ("images", "copy"))
    assert Image.open(tmp_path / "copy" / "clear.png").mode == "RGB"
    np.testing.assert_array_equal(decode_image(after), decode_image(before))
    opaque = [(tmp_path / part / "opaque.jpg").read_bytes() for part in ("images", "copy")]
    assert opaque[0] == opaque[1]
    assert len(list((tmp_path / "copy").iterdir())) == 2


@pytest.mark.parametrize("name", second_contamination.TRANSFORMS)
def test_a_second_copy_is_near_its_drawing_but_not_the_same(name):
    shades = np.add.outer(np.linspace(0, 90, 40), np.linspace(0, 90, 40))[..., None] * [1, 0.5, 0]
    image = Image.fromarray((np.asarray(draw((200, 40, 40)), float) - shades).clip(0, 255).astype(np.uint8))
    changed = second_contamination.TRANSFORMS[name](image, np.random.default_rng(0))
    before, after = np.asarray(image, float), np.asarray(changed.resize(image.size), float)
    assert changed.mode == "RGB"
    assert 0.1 < np.abs(before - after).mean() < 60


def test_the_second_contamination_knows_its_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(second_contamination, "COPIES", 2)
    truth = pd.DataFrame({"path": [f"A/{i}.png" for i in range(20)], "kind": ["original"] * 19 + ["photo"]})
    truth = truth.assign(source="", transform="", drawing=[f"d{i}" for i in range(20)], concept="")
    (tmp_path / "A").mkdir()
    for i in range(20):
        draw((10 * i, 90, 90), i).save(tmp_path / "A" / f"{i}.png")
    found = load_truth(second_contamination.build(tmp_path, truth, tmp_path / "second"))
    planted = found[found.kind == "duplicate"]
    assert planted.groupby("transform").size().to_dict() == dict.fromkeys(second_contamination.TRANSFORMS, 2)
    assert set(planted.drawing) <= set(truth.drawing[:19])
    assert planted.source.is_unique
    listed = {path.relative_to(tmp_path / "second/training").as_posix()
              for path in (tmp_path / "second/training").rglob("*.*")}  # fmt: skip
    assert listed == set(found.path)
    assert len(found) == 19 + 18


def test_code_is_what_runs(tmp_path):
    path = tmp_path / "module.py"
    codes = []
    for text in (
        "def f(x):\n    return x + 1\n",
        'def f(x):\n    """Add one."""\n    return x + 1  # at most\n',
        "def f(x):\n    return x + 2\n",
    ):
        path.write_text(text)
        codes.append(code_of([path]))
    assert codes[0] == codes[1] != codes[2]


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("pair", {"colour_neighbours": 2}),
        ("compare", {"window": 4}),
        ("decide", {"near": 2.0}),
    ],
)
def test_reusing_stages_changes_nothing(tmp_path, stage, changes):
    folder = write_class_folders(tmp_path / "images", n=4)
    for i in range(4):
        draw((220, 30, 30), seed=i).resize((37, 37)).save(folder / "L2_2" / f"copy{i}.jpg", quality=60)
    catalog, settings = scan(folder), replace(DEFAULTS, **changes)
    base = threshold.run_stages(catalog, folder, DEFAULTS)
    assert (base.duplicates.copy_of != "").any()
    stages = threshold.run_stages(catalog, folder, settings, stage, base)
    pd.testing.assert_frame_equal(stages.duplicates, find_duplicates(catalog, folder, settings))


# --- The photo filter's sets and choices ----------------------------------------------------------


@pytest.fixture(scope="module")
def pool():
    """900 drawings and 100 photos of emoji20, three mixtures with sketches in two, and real photos."""
    parts = [("emoji20", False, False, 900), ("emoji20", True, False, 100), ("real", True, False, 300)]
    for name, sketches in (("vector", 0), ("cartoon", 60), ("scenes", 40)):
        parts += [(name, False, False, 200), (name, True, False, 50), (name, False, True, sketches)]
    rows = [part[:3] for part in parts for _ in range(part[3])]
    table = pd.DataFrame(rows, columns=["collection", "photo", "sketch"])
    return table.sample(frac=1, random_state=0, ignore_index=True)


@pytest.mark.parametrize(
    ("illustrations", "photos", "share", "most", "expected"),
    [
        (900, 100, 0.1, None, (900, 100)),
        (900, 100, 0.1, 500, (450, 50)),
        (900, 100, 0.05, None, (900, 47)),
        (900, 10, 0.05, None, (190, 10)),
        (900, 100, 0.2, 10_000, (400, 100)),
        (50, 100, 0.5, None, (50, 50)),
    ],
)
def test_a_mix_has_the_share_of_photos(illustrations, photos, share, most, expected):
    drawn = mix(np.arange(illustrations), 10_000 + np.arange(photos), share, most)
    assert ((drawn < 10_000).sum(), (drawn >= 10_000).sum()) == expected
    assert len(set(drawn)) == len(drawn)


def test_labelled_sets_are_rows_of_their_collections(pool):
    sets = labelled_sets(pool)
    assert {one.collection for one in sets.values()} == set(COLLECTIONS)
    assert set(LEVEL_SETS) < set(sets)
    for name, one in sets.items():
        assert one.name == name
        assert (np.diff(one.rows) > 0).all(), "ascending, each once"
        rows = pool.iloc[one.rows]
        assert (rows.photo == one.truth).all()
        assert set(rows.collection[~one.truth]) == {one.collection}
        assert set(rows.collection[one.truth]) <= {"real" if "real" in name else one.collection}
        assert one.truth.any() == ("no photos" not in name)
        assert not rows.sketch.any() or "no sketches" not in name
    shares = {name: sets[name].truth.mean() for name in sets}
    assert shares["emoji20"] == pytest.approx(0.1)
    for name, share in (("emoji20, real 1%", 0.01), ("emoji20, real 5%", 0.05), ("emoji20, real 20%", 0.2)):
        assert shares[name] == pytest.approx(share, abs=1e-3)
    assert shares["vector, 1%"] == pytest.approx(0.01, abs=1e-3)
    assert shares["vector"] == shares["scenes, no sketches"] == 50 / 250
    assert shares["cartoon"] == 50 / 310


def test_mixtures_are_with_all_half_and_none_of_the_sketches(pool):
    sets = labelled_sets(pool)
    sketches = {name: int(pool.sketch.iloc[one.rows].sum()) for name, one in sets.items()}
    for name, count in (("cartoon", 60), ("scenes", 40)):
        variants = (name, f"{name}, half the sketches", f"{name}, no sketches")
        assert [sketches[variant] for variant in variants] == [count, count // 2, 0]
        assert set(sets[variants[2]].rows) < set(sets[variants[1]].rows) < set(sets[name].rows)
    assert "vector, no sketches" not in sets
    assert sketches["vector"] == 0


def test_sets_are_the_same_each_time_and_those_of_emoji20_bounded(pool):
    one, again, small = labelled_sets(pool), labelled_sets(pool), labelled_sets(pool, 200)
    for name in one:
        np.testing.assert_array_equal(one[name].rows, again[name].rows)
        n = len(small[name].rows)
        assert n <= 200 if name.startswith("emoji20") else n == len(one[name].rows)
    assert small["emoji20"].truth.mean() == pytest.approx(0.1)


def test_levels_lie_half_way_and_spreads_are_signed():
    """Photos have more of the first statistic and less of the second; two sets count alike."""
    ends = np.array([-1.0, 1.0])
    up = np.concatenate([10 + 2 * ends, 20 + 4 * ends, 12 + ends, 30 + ends])
    statistics = pd.DataFrame({"up": up, "down": -up, "none": np.tile(ends, 4)})
    sets = [
        LabelledSet("emoji20", np.arange(4), np.array([False, False, True, True])),
        LabelledSet("vector", np.arange(4, 8), np.array([False, False, True, True])),
    ]
    assert find_levels(statistics, sets[:1])["up"] == (15, 3)
    assert find_levels(statistics, sets) == {"up": (18, 2), "down": (-18, -2), "none": (0, 0)}


def test_a_row_has_the_scores_of_an_answer():
    truth = np.repeat([False, True], [90, 10])
    is_photo = np.zeros(100, bool)
    is_photo[[0, 1, *range(92, 100)]] = True
    row = photos.row_of(LabelledSet("vector", np.arange(100), truth), (is_photo, np.arange(100.0)))
    assert row == {
        "set": "vector",
        "images": 100,
        "photos": 10,
        "f1": 0.8,
        "precision": 0.8,
        "recall": 0.8,
        "auc": 1.0,
        "removed": round(2 / 90, 5),
    }
    nothing = photos.row_of(LabelledSet("vector", np.arange(100), truth), (~truth & False, -np.arange(100.0)))
    assert [nothing[name] for name in ("f1", "precision", "recall", "auc", "removed")] == [0, 0, 0, 0, 0]


def test_a_row_without_photos_keeps_what_is_removed():
    answer = np.arange(50) < 5, np.zeros(50)
    row = photos.row_of(LabelledSet("vector, no photos", np.arange(50), np.zeros(50, bool)), answer)
    assert row["removed"] == 0.1
    assert np.isnan([row[name] for name in ("f1", "precision", "recall", "auc")]).all()


def grid_scores(left_out, score, removed=lambda **_: 0.0):
    """A table of every setting of the grid on one set with photos and one without, of each collection."""
    rows = []
    for values, collection in itertools.product(itertools.product(*photos.GRID.values()), COLLECTIONS):
        setting = dict(zip(photos.GRID, values, strict=True))
        shared = {"left_out": left_out} | setting
        f1, gone = score(collection=collection, **setting), removed(collection=collection, **setting)
        rows.append(shared | {"set": collection, "photos": 9, "f1": f1, "auc": 0.9, "removed": 0.0})
        rows.append(shared | {"set": f"{collection}, no photos", "photos": 0, "removed": gone})
    return pd.DataFrame(rows)


def test_settings_are_chosen_on_the_other_collections():
    """The largest ``eps_factor`` is best for vector alone, the smallest for all others."""
    best = {name: max(values) for name, values in photos.GRID.items()}

    def score(collection, eps_factor, min_samples, bandwidth):
        sign = 1 if collection == "vector" else -1
        return 0.5 + 0.1 * sign * eps_factor + 0.01 * min_samples + bandwidth

    table = pd.concat([grid_scores(name, score) for name in ("vector", "emoji20")], ignore_index=True)
    chosen = pd.DataFrame(photos.chosen_without(table))
    assert chosen.left_out.tolist() == ["vector", "vector", "emoji20", "emoji20"]
    assert chosen.set.tolist() == ["vector", "vector, no photos", "emoji20", "emoji20, no photos"]
    assert (chosen.eps_factor == min(photos.GRID["eps_factor"])).all()
    assert (chosen.min_samples == best["min_samples"]).all()
    assert (chosen.bandwidth == best["bandwidth"]).all()
    f1 = score("vector", min(photos.GRID["eps_factor"]), best["min_samples"], best["bandwidth"])
    assert chosen.f1[0] == pytest.approx(f1)
    assert np.isnan(chosen.f1[1])


def test_of_equally_good_settings_the_middle_is_chosen():
    """All up to the next to largest ``eps_factor`` are alike; the largest is better by less than chance."""
    factors = sorted(photos.GRID["eps_factor"])
    table = grid_scores("scenes", lambda eps_factor, **_: 0.9 + 0.005 * (eps_factor == factors[-1]))
    chosen = photos.chosen_without(table)[0]
    for name, values in photos.GRID.items():
        assert chosen[name] == sorted(values)[(len(values) - 1) // 2]


@pytest.mark.parametrize(
    ("gone", "allowed"), [(photos.MAX_REMOVED, True), (photos.MAX_REMOVED + 1e-3, False)]
)
def test_settings_that_remove_illustrations_are_not_chosen(gone, allowed):
    """The best of all removes some of a set without photos; what is left out does not count there."""
    *others, best = sorted(photos.GRID["eps_factor"])

    def removed(collection, eps_factor, **_):
        return {"scenes": gone * (eps_factor == best), "cartoon": 0.9}.get(collection, 0.0)

    table = grid_scores("cartoon", lambda eps_factor, **_: 0.5 + 0.1 * eps_factor, removed)
    chosen = photos.chosen_without(table)
    assert {row["eps_factor"] for row in chosen} == {best if allowed else others[-1]}


@pytest.fixture(scope="module")
def two_kinds():
    """Votes, codes and truth of 300 illustrations and 60 photos that differ in all of them."""
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], [300, 60])
    ballots = rng.normal(np.where(truth, 1.8, -1.8)[:, None], 0.5, (360, 6))
    codes = rng.normal(size=(360, 36))
    codes[:, :12] += 6 * truth[:, None]
    return ballots, codes, truth


@pytest.mark.parametrize("name", photos.RUNGS)
def test_every_rung_finds_what_is_plain_to_see(two_kinds, name):
    *features, truth = two_kinds
    is_photo, score = photos.RUNGS[name](*features, 0)
    assert is_photo.dtype == bool
    assert (is_photo == truth).mean() > 0.97
    assert score[truth].mean() > score[~truth].mean()


@pytest.mark.parametrize("name", photos.PEERS)
def test_every_peer_finds_most_with_one_of_its_settings(two_kinds, name):
    *features, truth = two_kinds
    rows = [
        photos.row_of(
            LabelledSet("vector", np.arange(360), truth), photos.run_peer(name, setting, *features, 0)
        )
        for setting in photos.PEERS[name][2]
    ]
    assert all(np.isfinite(row["auc"]) for row in rows)
    assert max(row["f1"] for row in rows) > 0.6
