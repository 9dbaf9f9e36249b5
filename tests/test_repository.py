"""Rules that hold over the whole repository."""

import csv
import json
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from evaluate import read_description
from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.networks import BLOCKS, CHANNELS, NORMALISATIONS, POOLINGS
from illus.learn.optimizers import LOSSES, OPTIMIZERS
from illus.learn.plan import RECIPES
from illus.learn.settings import run_id

ROOT = Path(__file__).parent.parent
BANNED = re.compile(
    r"keras\.applications|import\s+applications\b|keras_hub|keras_cv|tensorflow_hub|\btimm\b"
    r"|(?:import|from)\s+torchvision"
    r"|transformers|weights\s*=\s*\\?['\"]imagenet|load_state_dict_from_url|get_file\(|torch\.hub"
    r"|from_pretrained"
)
THIS = Path(__file__).name


def tracked(*patterns):
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def test_the_ban_sees_what_it_must():
    for text in (
        "from keras.applications import ResNet50",
        "from keras import applications",
        "from torchvision.models import resnet18",
        "torch.hub.load('x')",
        "Net(weights='imagenet')",
        'Net(weights=\\"imagenet\\")',
        "keras.utils.get_file('w.h5')",
        "Net.from_pretrained('x')",
    ):
        assert BANNED.search(text), text
    assert not BANNED.search("keras.layers.Conv2D(weights=None)")


@pytest.mark.parametrize("path", tracked("*.py", "*.ipynb", "requirements*.txt"), ids=lambda p: p.name)
def test_no_ready_made_networks_and_no_pretrained_weights(path):
    if path.name != THIS:
        assert not BANNED.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", tracked("*.py", "*.ipynb", "*.md", "Makefile"), ids=lambda p: p.name)
def test_paths_are_relative(path):
    if path.name != THIS:
        assert not re.search(r"[\"'(](/home/|/root/|/Users/|C:\\\\Users)", path.read_text(encoding="utf-8"))


def test_the_lock_file_has_hashes_and_no_addresses():
    text = (ROOT / "illus/emoji20/package-lock.json").read_text()
    assert "://" not in text
    assert text.count('"integrity": "sha512-') == 15


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_states_what_was_measured(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    card = json.loads((ROOT / "weights/best.json").read_text(encoding="utf-8"))
    parts = [(part, kind) for part in ("test", "test_unseen_style") for kind in ("macro_f1", "micro_f1")]
    rows = [[card["scores"][part][kind] for part, kind in parts]]
    others = pd.read_csv(ROOT / "results/training.csv")
    rows += others[[f"{part}_{kind}" for part, kind in parts]].to_numpy().tolist()
    for seconds, row in zip([card["training"]["seconds"], *others.seconds], rows, strict=True):
        assert f"| {seconds:,.0f} | " + " | ".join(f"{value:.3f}" for value in row) in text
    assert f"{card['training']['parameters']:,}" in text
    minutes = f"{card['training']['seconds'] / 60:.0f}"
    assert f" {minutes} minutes" in text or f" {minutes}분" in text
    with open(ROOT / "results/duplicates.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert f"| {float(row['recall']):.3f} | {float(row['precision']):.3f} |" in text


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_states_what_scoring_costs_and_withstands(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    costs = pd.read_csv(ROOT / "results/evaluate.csv")
    ours = costs[costs.what == "evaluate.py"].sort_values("files")
    for row in ours.itertuples():
        assert f"{row.peak_mb:,.0f} MB" in text
    whole = costs[costs.what.isin(["evaluate.py", "image_dataset_from_directory"])]
    for ratio in whole.times_the_unavoidable.dropna():
        assert f" {ratio:.2f} times" in text or f" {ratio:.2f}배" in text
    assert f"{ours.files_per_second.iloc[-1]:,.0f}" in text
    for row in pd.read_csv(ROOT / "results/fuzz.csv").itertuples():
        counts = f"| {row.cases:,} | {row.read:,} | {row.refused:,} |"
        assert f"{counts} {row.slowest_s:.2f} | {row.memory_mb:,} |" in text


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_states_how_well_photographs_are_found(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    table = pd.read_csv(ROOT / "results/photos.csv")
    scores = table[table.photos > 0].pivot_table(index="set", columns="method", values="f1", sort=False)
    for shown in ("emoji20", *(f"emoji20, real {n}%" for n in (1, 5, 20)), "vector", "cartoon", "scenes"):
        ours = scores.loc[shown, ["this project", "this project, final"]]
        assert f"| {ours.iloc[0]:.3f} | {ours.iloc[1]:.3f} |" in text, shown
    removed = table[(table.photos == 0) & table.method.str.startswith("this project")].removed.max()
    assert f"{100 * removed:.2f}" in text
    cost = pd.read_csv(ROOT / "results/photos_cost.csv").query("step == 'find_photos'")
    assert all(f"{f1:.3f}" in text for f1 in cost.f1)
    assert f"{cost.peak_mb.max():,} MB" in text


def test_the_card_describes_the_weights():
    card = json.loads((ROOT / "weights/best.json").read_text(encoding="utf-8"))
    description = read_description(ROOT / "weights/best.h5")
    assert card["training"] == description.training
    assert len(description.class_names) == 20
    assert card["scores"]["test"]["macro_f1"] >= 0.65


def recorded_runs():
    with open(ROOT / "results/experiments.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("setting", "known"),
    [
        ("block", BLOCKS),
        ("pooling", POOLINGS),
        ("channels", CHANNELS),
        ("normalisation", NORMALISATIONS),
        ("augmentation", AUGMENTATIONS),
        ("loss", LOSSES),
        ("optimizer", OPTIMIZERS),
    ],
)
def test_recorded_runs_can_be_run_again(setting, known):
    assert {row[setting] for row in recorded_runs()} <= set(known)


def test_the_runs_of_the_weights_are_those_of_the_recipe_and_are_recorded():
    card = json.loads((ROOT / "weights/best.json").read_text(encoding="utf-8"))["training"]
    assert card["run_ids"] == [run_id(member, card["data_hash"]) for member in RECIPES["gpu"].members]
    assert set(card["run_ids"]) <= {row["run_id"] for row in recorded_runs() if not row["error"]}


def tree_of(text: str) -> set[str]:
    """The Python files and folders that the tree in a README names, as paths."""
    block = next(part for part in text.split("```") if part.startswith("\nREADME.md  README.ko.md"))
    found, parents = set(), []
    for line in block.strip().splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        parents[depth:] = [name.rstrip("/")]
        if name.endswith((".py", "/")):
            found.add("/".join(parents))
    return found


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_tree_in_the_readme_is_the_tree(name):
    paths = [path.relative_to(ROOT) for path in tracked("illus/*.py", "benchmarks/*.py", "evaluate.py")]
    shown = {path for path in paths if path.name[0] != "_" and "peers" not in path.parts}
    folders = {path.parent for path in paths if path.parent.name not in ("", "peers")}
    expected = {path.as_posix() for path in shown | folders} | {"tests", "results"}
    assert tree_of((ROOT / name).read_text(encoding="utf-8")) == expected
