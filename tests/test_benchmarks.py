"""The benchmarks' own parts: how cost is measured, which code a table is of, and what the sweep reuses."""

import ast
import inspect
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import draw, write_class_folders

from benchmarks import threshold
from benchmarks.measure import measure_command, measure_program
from illus.clean.descriptors import DEFAULTS, DuplicateSettings
from illus.clean.duplicates import find_duplicates
from illus.data.catalog import scan
from illus.learn.settings import code_of

ROOT = Path(__file__).parent.parent
PEERS = sorted((ROOT / "benchmarks/peers").glob("*.py"))
TABLES = [
    "duplicates",
    "duplicates_curve",
    "duplicates_settings",
    "duplicates_twins",
    "evaluate",
    "photos",
    "photos_cost",
    "training",
    "training_curves",
]
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


def test_a_failed_program_says_why():
    with pytest.raises(RuntimeError, match="no such luck"):
        measure_command([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_a_program_of_a_peer_runs(tmp_path):
    measure_program("hash_search", 1000, 3, tmp_path / "out.json")
    assert pd.read_json(tmp_path / "out.json", typ="series").found == 1


@pytest.mark.parametrize("path", PEERS, ids=lambda path: path.stem)
def test_programs_of_peers_say_what_comes_in_and_out(path):
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert "In:" in text
    assert "Out:" in text


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


@pytest.mark.parametrize("name", TABLES)
def test_tables_say_which_code_they_are_of(name):
    table = pd.read_csv(ROOT / f"results/{name}.csv", dtype=str, keep_default_na=False)
    assert table.columns[-1] == "code"
    assert all(re.fullmatch("|[0-9a-f]{8}|[0-9a-f]{12}", code) for code in table.code)


def test_the_sweep_has_every_setting_that_says_so():
    source = inspect.getsource(DuplicateSettings)
    names = "|".join(setting.name for setting in fields(DuplicateSettings))
    parts = re.split(rf"^    ({names}): ", source, flags=re.MULTILINE)[1:]
    marked = {
        name
        for name, text in zip(parts[::2], parts[1::2], strict=True)
        if re.search(r"\b(swept|by eye)\b", text)
    }
    swept = {name: values for group in threshold.SWEEP.values() for name, values in group.items()}
    assert set(swept) == marked
    for name, values in swept.items():
        assert min(values) < getattr(DEFAULTS, name) < max(values)


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("describe", {"content_share": 0.9, "max_content": 200.0}),
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
