"""Rules that hold over the whole repository."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import tables
from evaluate import read_description

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
        "from keras import applications",
        "from torchvision.models import resnet18",
        "Net(weights='imagenet')",
        'Net(weights=\\"imagenet\\")',
    ):
        assert BANNED.search(text), text
    assert not BANNED.search("keras.layers.Conv2D(weights=None)")


@pytest.mark.parametrize(
    "path", tracked("*.py", "*.ipynb", "requirements*", "pyproject.toml"), ids=lambda p: p.name
)
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
    packages = [name for name in json.loads(text)["packages"] if name]
    assert text.count('"integrity": "sha512-') == len(packages) > 0


def test_the_card_describes_the_weights():
    card = json.loads((ROOT / "weights/best.json").read_text(encoding="utf-8"))
    description = read_description(ROOT / "weights/best.h5")
    assert card["training"] == description.training
    assert len(description.class_names) == 20
    assert card["scores"]["test"]["macro_f1"] >= 0.65


def test_the_runs_of_the_weights_are_recorded():
    card = json.loads((ROOT / "weights/best.json").read_text(encoding="utf-8"))["training"]
    recorded = tables.read("experiments")
    assert set(card["run_ids"]) <= set(recorded.run_id)
