"""Ids of runs, and the hash of the code that decides their results."""

import ast
import csv
import subprocess
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import pytest

from illus.hashing import structure
from illus.learn import settings
from illus.learn.settings import Config, code_hash, config_of, run_id

ROOT = Path(__file__).parent.parent
FROZEN = {
    "block": "residual", "width": 24, "blocks": (1, 1, 2, 2), "stem_stride": 1, "pooling": "average",
    "dropout": 0.2, "input_size": 48, "fit": "pad", "channels": "rgb", "normalisation": "scale",
    "augmentation": "affine+colour", "mixing": "none", "sampling_power": 0.5, "class_weighting": 0.0,
    "logit_adjustment": 0.0, "loss": "crossentropy", "label_smoothing": 0.1, "epochs": 24,
    "steps_per_epoch": None, "batch_size": 128, "optimizer": "adamw", "learning_rate": 2e-3,
    "schedule": "cosine", "weight_decay": 0.02, "ema_momentum": 0.998, "precision": "mixed_bfloat16",
    "seed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class WithOneMore(Config):
    """A later version of the settings."""

    another: str = ""


def recorded_rows():
    with open(ROOT / "results/experiments.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_defaults_that_recorded_ids_are_made_of_are_frozen():
    assert FROZEN.items() <= asdict(Config()).items()


def test_a_new_setting_renames_no_recorded_run():
    rows = recorded_rows()
    assert rows
    for row in rows:
        config = config_of(row)
        later = WithOneMore(**asdict(config))
        assert run_id(config, row["data_hash"]) == run_id(later, row["data_hash"]) == row["run_id"]
        assert run_id(replace(later, another="a"), row["data_hash"]) != row["run_id"]


@pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)
def test_each_setting_and_the_data_are_in_the_id(setting):
    other = {str: "other", int: 3, float: 0.77, tuple: (3,), type(None): 3}[type(setting.default)]
    changed = replace(Config(), **{setting.name: other})
    ids = {run_id(Config(), "a"), run_id(changed, "a"), run_id(Config(), "b"), run_id(changed, "b")}
    assert len(ids) == 4
    assert all(len(name) == 12 for name in ids)


def test_settings_with_swapped_values_are_another_run():
    assert run_id(replace(Config(), epochs=5, width=7), "") != run_id(
        replace(Config(), epochs=7, width=5), ""
    )


def test_a_row_is_read_back_as_its_configuration():
    config = Config(
        blocks=(3, 1), steps_per_epoch=7, dropout=0.0, optimizer="sgd", seed=2, teachers=("a", "b")
    )
    row = {name: "" if value is None else str(value) for name, value in asdict(config).items()}
    row |= {"blocks": "3-1", "teachers": "a b"}
    assert config_of(row | {"run_id": "x"}) == config
    assert config_of(row | {"steps_per_epoch": "", "teachers": ""}).steps_per_epoch is None
    del row["teachers"], row["mixing_share"]
    assert config_of(row) == replace(config, teachers=()), "settings newer than the row have their defaults"


def test_comments_docstrings_and_line_breaks_do_not_change_the_code():
    plain = ast.parse("def f(x):\n    return x + 1\n\n\nclass A:\n    pass\n")
    documented = ast.parse(
        '"""A module."""\n# why\ndef f(x):\n    """It says."""\n    return (x +\n        1)\n'
        'class A:\n    """B."""\n'
    )
    other = ast.parse("def f(x):\n    return x + 2\n\n\nclass A:\n    pass\n")
    assert structure(plain) == structure(documented)
    assert structure(plain) != structure(other)


def test_the_code_hash_follows_the_modules_that_decide(tmp_path, monkeypatch):
    for name in settings.DECIDING_MODULES:
        (tmp_path / f"{name}.py").write_bytes((ROOT / f"illus/learn/{name}.py").read_bytes())
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "settings.py"))
    before = code_hash()
    module = tmp_path / "networks.py"
    module.write_text(module.read_text("utf-8") + "# a remark\n", "utf-8")
    assert code_hash() == before
    module.write_text(module.read_text("utf-8") + "REDUCTION = 5\n", "utf-8")
    assert code_hash() != before


@pytest.mark.parametrize("module", ["illus.learn.settings", "illus.learn.plan"])
def test_settings_and_plan_import_no_keras(module):
    code = f"import sys, {module}; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
