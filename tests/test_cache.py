"""The cache: the same answers with it, without it, and with whatever may lie in its place."""

import re
import shutil
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import draw, snapshot, write_class_folders
from joblib import parallel_config

import evaluate
from illus import hashing
from illus.copies import compare
from illus.copies.duplicates import find_duplicates
from illus.copies.settings import DEFAULTS, DuplicateSettings
from illus.dataset.split import split, split_by_cluster
from illus.files import cache, reading
from illus.files import decoded as decoding
from illus.files.cache import Stage, cached
from illus.files.catalog import scan
from illus.files.reading import kept_appearance, kept_statistics
from illus.hashing import code_of

PLAIN = Stage("plain", ("illus/profiles.py",), (np.dtype(np.int64), np.dtype((np.uint8, (2, 3)))))
STRICT = DuplicateSettings(near=5.0, unlike=9.0)
KEYS = [bytes([number]) * 32 for number in range(40)]


@pytest.fixture(autouse=True)
def in_one_process():
    """So that calls can be counted."""
    with parallel_config("sequential"):
        yield


class Squares:
    """Computes rows of positions, and remembers which were asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, new):
        self.asked.append(list(new))
        return ((number**2, np.full((2, 3), number, np.uint8)) for number in new)


def squares_of(folder, keys=KEYS, settings=None):
    """What was asked for, after the answer has been checked."""
    compute = Squares()
    numbers, squares = tables = [np.zeros(len(keys), field) for field in PLAIN.fields]
    cached(folder, PLAIN, keys, tables, compute, settings)
    assert numbers.tolist() == [number**2 for number in range(len(keys))]
    assert (squares == np.arange(len(keys))[:, None, None]).all()
    return compute.asked


def stored(folder):
    (path,) = folder.glob("*.sqlite")
    return path


def test_only_new_keys_are_computed(tmp_path):
    assert squares_of(None) == [list(range(40))]
    assert squares_of(tmp_path / "new" / "cache", KEYS[:30]) == [list(range(30))]
    assert squares_of(tmp_path / "new" / "cache") == [list(range(30, 40))]
    assert squares_of(tmp_path / "new" / "cache") == []
    assert squares_of(tmp_path / "new" / "cache", []) == []


def test_other_settings_code_or_libraries_are_another_cache(tmp_path, monkeypatch):
    squares_of(tmp_path)
    before = stored(tmp_path)
    assert squares_of(tmp_path, settings=DuplicateSettings()) == [list(range(40))]
    assert stored(tmp_path) != before, "what nobody can use any more is deleted"
    cache.code_key.cache_clear()
    monkeypatch.setattr(cache, "version", lambda name: "0")
    assert squares_of(tmp_path, settings=DuplicateSettings()) == [list(range(40))]
    cache.code_key.cache_clear()


def test_distances_are_another_cache_where_images_are_decoded_otherwise(tmp_path, monkeypatch):
    shutil.copytree(hashing.ROOT / "illus", tmp_path / "illus", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(hashing, "ROOT", tmp_path)
    key = cache.code_key.__wrapped__
    before, decoder = key(compare.DISTANCES.modules, ""), tmp_path / "illus/files/decoded.py"
    decoder.write_text(decoder.read_text("utf-8") + "# why\n", "utf-8")
    assert key(compare.DISTANCES.modules, "") == before
    decoder.write_text(decoder.read_text("utf-8").replace("LOOKED_AT = 256", "LOOKED_AT = 64"), "utf-8")
    assert key(compare.DISTANCES.modules, "") != before


@pytest.mark.parametrize(
    ("change", "decides"),
    [
        (lambda source: source + "WHITE = 7\n", True),
        (lambda source: source + "MAX_PIXELS = 7\n", True),
        (lambda source: source + "def load(): ...\n", True),
        (lambda source: source + "def score(): ...\n", False),
        (lambda source: source + "BATCH_SIZE = 7\n", False),
        (lambda source: re.sub(r'(?m)^    """(?=\w)', '    """More. ', source) + "# why\n", False),
    ],
    ids=["ground", "limit", "function", "scoring", "constant of scoring", "docstrings and comments"],
)
def test_the_hash_of_code_follows_all_that_reading_an_image_reaches(tmp_path, monkeypatch, change, decides):
    before, source = code_of([]), Path(evaluate.__file__).read_text("utf-8")
    assert change(source) != source
    (tmp_path / "changed.py").write_text(change(source), "utf-8")
    monkeypatch.setattr("evaluate.__file__", str(tmp_path / "changed.py"))
    assert (code_of([]) != before) == decides


@pytest.mark.parametrize(("change", "decides"), [(("A = 1", "A = 2"), True), (("C = 3", "C = 4"), False)])
def test_the_hash_of_a_name_follows_what_it_reaches_in_its_file_and_nothing_else(tmp_path, change, decides):
    (tmp_path / "a:b").mkdir()
    module = tmp_path / "a:b" / "module.py"
    module.write_text("A = 1\nB = A + 1\nC = 3\n")
    before = code_of([f"{module}:B"])
    module.write_text(module.read_text().replace(*change))
    assert (code_of([f"{module}:B"]) != before) == decides


def with_flipped_bits(data):
    changed, rng = bytearray(data), np.random.default_rng(0)
    for place in rng.integers(100, len(data), 200):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a database at all" * 400,
        lambda data: data[: len(data) // 2],
        lambda data: data[:100],
        with_flipped_bits,
    ],
    ids=["empty", "text", "cut", "header only", "flipped"],
)
def test_a_damaged_cache_changes_no_answer_and_is_mended(tmp_path, damage):
    squares_of(tmp_path)
    path = stored(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (asked,) = squares_of(tmp_path)
        assert asked
        squares_of(tmp_path)
    assert squares_of(tmp_path) == []


def test_rows_that_were_swapped_or_changed_are_not_believed(tmp_path):
    squares_of(tmp_path)
    with sqlite3.connect(stored(tmp_path)) as database:
        (value,) = database.execute("SELECT f0 FROM kept WHERE key = ?", [KEYS[1]]).fetchone()
        for key, other in ((KEYS[0], value), (KEYS[2], None), (KEYS[3], "text"), (KEYS[4], value[:-1])):
            database.execute("UPDATE kept SET f0 = ? WHERE key = ?", [other, key])
    assert squares_of(tmp_path) == [[0, 2, 3, 4]]
    assert squares_of(tmp_path) == []


@pytest.mark.parametrize("kind", ["other table", "folder", "file as folder", "locked"])
def test_what_cannot_be_used_is_computed_and_stays_as_it_is(tmp_path, kind, monkeypatch):
    folder = tmp_path / "cache"
    squares_of(folder)
    path = stored(folder)
    path.unlink()
    database = None
    if kind == "folder":
        path.mkdir()
    elif kind == "file as folder":
        folder.rmdir()
        folder.write_text("mine")
    else:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE kept (mine TEXT)" if kind == "other table" else "BEGIN EXCLUSIVE")
        database.commit() if kind == "other table" else None
        monkeypatch.setattr(cache, "TIMEOUT", 0.1)
    with pytest.warns(UserWarning, match="cache .* is not used"):
        assert squares_of(folder) == [list(range(40))]
    assert folder.read_text() == "mine" if kind == "file as folder" else path.exists()
    if database:
        database.close()


def test_the_file_stays_small(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    noise = Stage("noise", (), (np.dtype((np.uint8, 1000)),))
    keys = [rng.bytes(32) for _ in range(600)]
    monkeypatch.setattr(cache, "MAX_BYTES", 200_000)
    monkeypatch.setattr(cache, "ROWS_AT_ONCE", 50)
    table = np.empty((600, 1000), np.uint8)
    cached(tmp_path, noise, keys, [table], lambda new: ([rng.integers(0, 256, 1000)] for _ in new))
    assert 80_000 < stored(tmp_path).stat().st_size <= 260_000
    asked = []
    cached(tmp_path, noise, keys, [table], lambda new: [asked.append(i) or np.zeros((1, 1000)) for i in new])
    assert 300 < len(asked) < 550
    assert max(asked) < min(set(range(600)) - set(asked)), "the newest are kept"


def test_what_was_computed_before_a_failure_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "ROWS_AT_ONCE", 10)

    def failing(new):
        for number in new:
            if number == 25:
                raise RuntimeError("disk full")
            yield number**2, np.full((2, 3), number)

    with pytest.raises(RuntimeError, match="disk full"):
        cached(tmp_path, PLAIN, KEYS, [np.zeros(40, field) for field in PLAIN.fields], failing)
    assert squares_of(tmp_path) == [list(range(20, 40))]


@pytest.fixture
def decoded(monkeypatch):
    """Number of images whose pixels are decoded."""
    calls = []
    decode = decoding.to_rgb

    def counted(data, *args):
        calls.append(data)
        return decode(data, *args)

    monkeypatch.setattr(decoding, "to_rgb", counted)
    return calls


@pytest.fixture
def opened(monkeypatch):
    """Paths of the files that are opened."""
    paths = []
    read_file = reading.read_file
    monkeypatch.setattr(reading, "read_file", lambda path: paths.append(path) or read_file(path))
    return paths


@pytest.fixture
def compared(monkeypatch):
    """How many pairs of images each task compares."""
    counts, in_parallel = [], compare.in_parallel

    def counted(function, tasks, *args, **kwargs):
        tasks = list(tasks)
        counts.extend(len(pairs) for _, pairs in tasks)
        return in_parallel(function, tasks, *args, **kwargs)

    monkeypatch.setattr(compare, "in_parallel", counted)
    return counts


def collection(folder):
    """Drawings with copies, byte for byte and encoded again, and a file that cannot be read."""
    write_class_folders(folder, n=3)
    for i in range(2):
        original = folder / "L2_2" / f"{i}.png"
        (folder / "L2_10" / f"copy {i}.png").write_bytes(original.read_bytes())
        draw((220, 30, 30), i).save(folder / "L2_33" / f"again {i}.jpg", quality=85)
    (folder / "L2_2" / "bad.png").write_bytes(b"no image")
    (folder / "L2_2" / "link.png").symlink_to("0.png")
    return folder


def add_files(folder):
    """Three files of contents that were not there, and a copy of one that was."""
    for i in range(3):
        draw((30, 30, 220), 500 + i).save(folder / "L2_33" / f"new {i}.png")
    (folder / "L2_33" / "moved.png").write_bytes((folder / "L2_2" / "2.png").read_bytes())
    return 3


def tables(folder, cache):
    catalog = scan(folder, cache=cache)
    duplicates = find_duplicates(catalog, folder, cache=cache)
    files = catalog[catalog.error == ""].drop_duplicates("sha256")
    statistics, blocks = kept_statistics(files, folder, cache)
    text = [table.to_csv(index=False) for table in (catalog, duplicates)]
    return [*text, statistics.to_numpy().tobytes(), blocks.tobytes(), str(catalog.dtypes), statistics.dtypes]


def same(one, other):
    return all(pd.Series([a]).equals(pd.Series([b])) for a, b in zip(one, other, strict=True))


def test_added_files_are_decoded_alone_and_give_the_tables_of_a_fresh_run(tmp_path, decoded, compared):
    """And removed, moved and renamed ones not at all; nothing is written beside the images."""
    folder, cache = collection(tmp_path / "images"), tmp_path / "cache"
    before = snapshot(folder)
    assert same(tables(folder, cache), tables(folder, None))
    assert sum(compared) > 0
    assert snapshot(folder) == before
    assert {path.name.split("-")[0] for path in cache.iterdir()} == {"distances", "readings"}
    new = add_files(folder)
    fresh = tables(folder, None)
    decoded.clear(), compared.clear()
    assert same(tables(folder, cache), fresh)
    assert len(decoded) == new, "each new content, once for all stages"
    decoded.clear(), compared.clear()
    assert same(tables(folder, cache), fresh)
    assert (decoded, compared) == ([], [])
    (folder / "L2_2" / "1.png").unlink()
    (folder / "L2_2" / "2.png").rename(folder / "L2_33" / "이름.png")
    fresh = tables(folder, None)
    decoded.clear()
    assert same(tables(folder, cache), fresh)
    assert decoded == []


def test_every_file_is_opened_once_for_all_stages(tmp_path, opened, decoded):
    folder, cache = collection(tmp_path / "images"), tmp_path / "cache"
    catalog = scan(folder, cache=cache)
    readable = catalog[catalog.error == ""]
    assert sorted(opened) == sorted(path for path in folder.rglob("*") if not path.is_dir())
    assert len(decoded) == len(readable)
    opened.clear(), decoded.clear()
    duplicates, strict = (find_duplicates(catalog, folder, s, cache=cache) for s in (DEFAULTS, STRICT))
    kept_statistics(readable, folder, cache)
    kept_appearance(readable, folder, cache)
    split_by_cluster(split(catalog, duplicates), folder, cache=cache)
    assert (opened, decoded) == ([], []), "also with another threshold, which decides and measures nothing"
    pd.testing.assert_frame_equal(strict, find_duplicates(catalog, folder, STRICT))
    opened.clear(), decoded.clear()
    scan(folder, cache=cache)
    assert (len(opened), decoded) == (len(catalog), [])


def test_a_file_that_changes_after_the_scan_is_not_kept_as_what_it_was(tmp_path):
    folder = write_class_folders(tmp_path / "images", n=3)
    catalog = scan(folder, cache=tmp_path / "cache")
    changed = folder / "L2_2" / "0.png"
    before = changed.read_bytes()
    draw((0, 0, 0), 77).save(changed)
    find_duplicates(catalog, folder, cache=tmp_path / "cache")
    changed.write_bytes(before)
    again = find_duplicates(scan(folder, cache=tmp_path / "cache"), folder, cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(again, find_duplicates(catalog, folder))
    (path,) = (tmp_path / "cache").glob("readings-*.sqlite")
    with sqlite3.connect(path) as database:
        assert len(database.execute("SELECT key FROM kept").fetchall()) == 9
