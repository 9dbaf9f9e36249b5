"""Settings that are checked, ids of runs, and the hash of the code that decides their results."""

import re
from dataclasses import asdict, dataclass, fields, replace

import pytest
from conftest import run_python

from illus.hashing import ROOT
from illus.learn import settings
from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.optimizers import OPTIMIZERS
from illus.learn.settings import Config, code_hash, run_id

OTHER = {  # a value of each setting that is not its default
    "block": "plain", "width": 3, "blocks": (3,), "stem_stride": 2, "dropout": 0.77, "input_size": 64,
    "fit": "crop", "channels": "gray", "normalisation": "ink", "augmentation": "strong", "mixing": "either",
    "mixing_share": 0.5, "label_smoothing": 0.0, "epochs": 3, "steps_per_epoch": 3, "batch_size": 3,
    "optimizer": "sgd", "learning_rate": 0.77, "weight_decay": 0.77, "ema_momentum": 0.77,
    "precision": "float32", "teachers": ("a",), "seed": 3,
}  # fmt: skip
WRONG = {
    "block": "mixer", "width": 0, "blocks": (2, 0), "stem_stride": 1.5, "dropout": 1.0, "input_size": "64",
    "fit": "letterbox", "augmentation": "affine", "mixing": "no such", "mixing_share": 1.1, "epochs": 0,
    "steps_per_epoch": 0, "batch_size": None, "optimizer": "adam", "learning_rate": -1.0, "precision": "f",
    "ema_momentum": 1.0, "teachers": "abc", "seed": True, "weight_decay": float("nan"),
}  # fmt: skip


@dataclass(frozen=True)
class WithOneMore(Config):
    """A later version of the settings."""

    another: str = ""


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_value_that_is_not_possible_is_refused_where_it_is_made(name, value):
    with pytest.raises(ValueError, match=rf"^{name}={re.escape(repr(value))}: (choose one of|it must be) "):
        Config(**{name: value})
    with pytest.raises(ValueError, match=name):
        replace(Config(), **{name: value})


def test_the_choices_exist():
    assert set(settings.CHOICES["augmentation"]) == set(AUGMENTATIONS)
    assert set(settings.CHOICES["optimizer"]) == set(OPTIMIZERS)


def test_a_new_setting_renames_no_recorded_run():
    for name, value in OTHER.items():
        config = Config(**{name: value})
        later = WithOneMore(**asdict(config))
        assert run_id(config, "data") == run_id(later, "data")
        assert run_id(replace(later, another="a"), "data") != run_id(later, "data")


@pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)
def test_each_setting_and_the_data_are_in_the_id(setting):
    changed = replace(Config(), **{setting.name: OTHER[setting.name]})
    ids = {run_id(Config(), "a"), run_id(changed, "a"), run_id(Config(), "b"), run_id(changed, "b")}
    assert len(ids) == 4


def test_the_code_hash_follows_the_modules_that_decide(tmp_path, monkeypatch):
    for name in settings.DECIDING_MODULES:
        (tmp_path / f"{name}.py").write_bytes((ROOT / f"illus/learn/{name}.py").read_bytes())
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "settings.py"))
    before = code_hash()
    module = tmp_path / "optimizers.py"
    module.write_text(module.read_text("utf-8") + "# a remark\n", "utf-8")
    assert code_hash() == before
    module.write_text(module.read_text("utf-8") + "SPEED = 5\n", "utf-8")
    assert code_hash() != before


def test_settings_and_plan_import_no_keras():
    code = "import sys, illus.learn.plan; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert run_python("-c", code).returncode == 0
