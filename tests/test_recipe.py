"""The recipe of the shipped weights and the grid of experiments, with runs that are not trained."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evaluate import BLOCKS
from illus.learn import experiments, grid
from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.plan import RECIPE
from illus.learn.settings import Config, data_hash, run_id

DATASET = pd.DataFrame({"path": ["a/1.png"], "class_name": "a", "split": "train", "copies": 1, "sha256": "0"})
DATA = data_hash(DATASET)
TWO = (Config(width=4, epochs=50), Config(width=8, epochs=50))


@pytest.fixture
def runs(monkeypatch):
    """Configurations that were run, in order; each leaves a weights file."""
    seen = []

    def fake_run(dataset, folder, config, question, work, with_weights=False):
        seen.append((config, question, with_weights))
        weights = work / "runs" / run_id(config, data_hash(dataset)) / "model.h5"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.touch()
        return SimpleNamespace(run_id=weights.parent.name, config=config, weights=weights)

    monkeypatch.setattr(experiments, "run", fake_run)
    return seen


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_the_networks_of_an_average_are_trained_within_the_profile_with_their_weights(
    runs, tmp_path, monkeypatch, profile
):
    monkeypatch.setenv("PROFILE", profile)
    records = experiments.run_members(TWO, DATASET, "", tmp_path)
    planned = [experiments.limit_to_profile(config) for config in TWO]
    assert runs == [(config, "member", True) for config in planned]
    assert [record.config for record in records] == planned
    assert {config.epochs for config in planned} == {6 if profile == "quick" else 50}


def test_the_recipe_has_settings_that_exist_and_differ():
    assert len({run_id(config, "") for config in RECIPE}) == len(RECIPE)
    for config in RECIPE:
        assert config.augmentation in AUGMENTATIONS
        assert config.block in BLOCKS
        assert config.mixing in ("none", "mixup", "cutmix", "either")
        assert not config.teachers
    assert len({(config.input_size, config.fit) for config in RECIPE}) == 1, "or they have no average"


SMALL = grid.Grid(
    Config(width=4), blocks=("plain", "residual"), augmentations=(("none", "none"), ("colours", "mild")),
    budgets=(2, 5), seeds=(3, 4), rates=3, rate_limits=(0.01, 0.1), highest=0.0,
)  # fmt: skip


@pytest.fixture
def trained(monkeypatch):
    """Configurations that the grid trained; a rate scores by its distance from 0.03."""
    seen = []

    def fake_train(dataset, folder, config, question, work):
        seen.append(config)
        identity = run_id(config, data_hash(dataset))
        (work / "runs" / identity).mkdir(parents=True)
        score = 1 - abs(np.log(config.learning_rate / 0.03)) / 9
        return SimpleNamespace(
            config=config, run_id=identity, val_macro_f1=score, val_micro_f1=score, val_class_f1="1",
            seconds=1.0, backend="b", device="cpu", data_hash=DATA, code="c",
        )  # fmt: skip

    monkeypatch.setattr(grid, "train", fake_train)
    return seen


def test_a_rate_that_diverges_is_the_worst_of_its_cell(trained, tmp_path, monkeypatch):
    fake, highest = grid.train, max(grid.learning_rates(SMALL))

    def diverging(dataset, folder, config, question, work):
        if config.learning_rate == highest:
            raise FloatingPointError("the loss is nan")
        return fake(dataset, folder, config, question, work)

    monkeypatch.setattr(grid, "train", diverging)
    rows = list(grid.run_cell(grid.cells(SMALL)[0], SMALL, DATASET, "", tmp_path))
    assert {row["learning_rate"] for row in rows} == set(grid.learning_rates(SMALL)) - {highest}
    assert len(rows) == SMALL.rates - 1 + 4, "the search, then two budgets with two seeds"


def test_each_data_set_has_its_own_best_rate():
    rows = pd.DataFrame(
        [("d", 0.1, 0.5), ("d", 0.2, 0.4), ("e", 0.1, 0.8), ("e", 0.2, 0.9)],
        columns=["data_hash", "learning_rate", "val_macro_f1"],
    ).assign(block="plain", augmentation="flip", budget=10, seed=0)
    assert grid.is_tuned(rows).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "a/b"])
def test_a_part_that_is_none_is_refused(part, capsys):
    with pytest.raises(SystemExit) as stop:
        grid.main(["--part", part])
    assert stop.value.code == 2
    assert f"--part {part}" in capsys.readouterr().err


def test_the_command_takes_the_data_set_of_notebook_04(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    work = grid.paths.work_dir(tmp_path / "images")
    DATASET.to_csv(work / "split_by_cluster.csv", index=False)
    DATASET.assign(split="validation").to_csv(work / "dataset.csv", index=False)
    (tmp_path / "results").mkdir()
    monkeypatch.setenv("DATA_DIR", "images")
    monkeypatch.setattr(grid, "GRID", SMALL)
    assert grid.main(["--part", "2/2"]) == 0
    table = pd.read_csv("results/grid.csv")
    assert set(table.data_hash) == {DATA}
    assert len(table) == len(trained)


def test_rates_are_drawn_from_every_part_of_the_range():
    rates = grid.learning_rates(SMALL)
    edges = np.geomspace(0.01, 0.1, 4)
    assert all(low <= rate <= high for rate, low, high in zip(rates, edges, edges[1:], strict=False))
    assert rates == grid.learning_rates(SMALL)
    assert rates != grid.learning_rates(replace(SMALL, search_seed=1))


def test_every_cell_is_run_at_its_best_rate(trained, tmp_path):
    grid.run(SMALL, DATASET, "", tmp_path, tmp_path / "grid.csv")
    table = pd.read_csv(tmp_path / "grid.csv", dtype={"run_id": str})
    assert table.run_id.is_unique
    assert len(table) == 4 * (3 - 1 + 4)
    best = min(grid.learning_rates(SMALL), key=lambda rate: abs(np.log(rate / 0.03)))
    tuned = table[table.tuned == 1]
    assert set(tuned.learning_rate) == {best}
    assert not tuned.duplicated(["block", "augmentation", "budget", "seed"]).any()
    assert len(tuned) == 2 * 2 * 2 * 2
    assert set(tuned.augmentation) == {"none", "colours"}
    assert {config.augmentation for config in trained} == {"none", "mild"}
    assert set(table[table.tuned == 0].budget) == {2}, "the search has the short budget"


def test_a_stopped_grid_goes_on_and_its_parts_are_one_table(trained, tmp_path):
    grid.run(SMALL, DATASET, "", tmp_path, tmp_path / "whole.csv")
    n = len(trained)
    before = (tmp_path / "whole.csv").read_text()
    parts = [tmp_path / f"{part}.csv" for part in range(3)]
    for part, path in enumerate(parts):
        grid.run(SMALL, DATASET, "", tmp_path, path, part, 3)
    grid.merge(parts, tmp_path / "merged.csv")
    assert len(trained) == n, "a finished run was trained again"
    assert (tmp_path / "merged.csv").read_text() == before
    assert not any(path.exists() for path in parts)
    elsewhere = tmp_path / "elsewhere"  # where the table is known, but no run folder is
    table = pd.read_csv(tmp_path / "whole.csv", dtype=str)
    table[table.run_id != table.run_id[3]].to_csv(tmp_path / "whole.csv", index=False)
    grid.run(SMALL, DATASET, "", elsewhere, tmp_path / "whole.csv")
    assert len(trained) == n + 1, "only the missing run"
    assert (tmp_path / "whole.csv").read_text() == before


@pytest.mark.parametrize(("highest", "extra"), [(0.019, 0), (0.025, 1), (0.05, 2), (1.0, 3)])
def test_the_search_goes_on_while_the_highest_rate_is_the_best(trained, tmp_path, highest, extra):
    """The best rate is 0.03; of 0.01, its double and so on, 0.04 is nearest."""
    cell = replace(SMALL, blocks=("plain",), augmentations=(("none", "none"),), budgets=(2,), seeds=(3,))
    cell = replace(cell, rates=1, rate_limits=(0.01, 0.010001), highest=highest)
    rows = list(grid.run_cell(grid.cells(cell)[0], cell, DATASET, "", tmp_path))
    tried = [config.learning_rate for config in trained]
    assert tried == pytest.approx([0.01, 0.02, 0.04, 0.08][: 1 + extra])
    assert rows[-1]["learning_rate"] == tried[min(extra, 2)]


def test_the_grid_crosses_what_it_should():
    assert set(grid.GRID.blocks) <= set(BLOCKS)
    assert {key for _, key in grid.GRID.augmentations} <= set(AUGMENTATIONS)
    assert len(grid.cells(grid.GRID)) == 9
    assert (grid.GRID.base.width, grid.GRID.base.stem_stride, grid.GRID.base.input_size) == (16, 2, 48)
    assert len(grid.GRID.seeds) >= 2
    assert grid.GRID.budgets == (10, 60)
