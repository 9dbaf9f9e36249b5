"""The store of runs and the tables that are views of it, with trainings that only pretend."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from illus import work_folders
from illus.files.tables import read_table
from illus.learn import plan, runs
from illus.learn.settings import Config, Record, data_hash, run_id

DATASET = pd.DataFrame(
    {"path": ["a/1.png"], "class_name": "a", "class_id": 0, "split": "train", "copies": 1, "sha256": "0"}
)
DATA = data_hash(DATASET)
TINY = Config(width=4, epochs=3)


def pretend(dataset, folder, config, question, work):
    """A finished run; a learning rate scores by its distance from 0.03, and one above 0.09 diverges."""
    if config.learning_rate > 0.09:
        raise FloatingPointError("the loss is nan")
    folder = work / "runs" / run_id(config, data_hash(dataset))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.h5").touch()
    history = [{"epoch": n + 1, "accuracy": 0.1 + 0.2} for n in range(config.epochs)]
    (folder / "state.json").write_text(json.dumps(history))
    score = round(1 - abs(float(np.log(config.learning_rate / 0.03))) / 9, 5)
    return Record(folder.name, "c", question, config, data_hash(dataset), "b", "cpu", config.epochs, 1.0,
                  9, 9, folder / "model.h5", score, score, "0.2500 1.0000")  # fmt: skip


@pytest.fixture
def trained(monkeypatch):
    """Configurations that were trained, in order; in the quick profile."""
    seen = []

    def train(dataset, folder, config, question, work):
        seen.append(config)
        return pretend(dataset, folder, config, question, work)

    monkeypatch.setenv("PROFILE", "quick")
    monkeypatch.setattr(runs, "train", train)
    return seen


def test_a_record_alone_says_that_a_run_is_done(trained, tmp_path):
    first = runs.run(DATASET, "", TINY, "q", tmp_path)
    for table in tmp_path.glob("*.csv"):
        table.unlink()  # a view
    again = runs.run(DATASET, "", TINY, "another question", tmp_path)
    assert again == first
    assert again.weights == first.weights
    first.weights.unlink()
    assert runs.run(DATASET, "", TINY, "q", tmp_path) == first
    assert len(trained) == 1
    runs.run(DATASET, "", TINY, "q", tmp_path, with_weights=True)
    assert len(trained) == 2, "the weights were wanted"
    runs.record_path(tmp_path, first.run_id).unlink()
    runs.run(DATASET, "", TINY, "q", tmp_path)
    assert len(trained) == 3
    runs.run(DATASET.assign(copies=2), "", TINY, "q", tmp_path)
    assert len(trained) == 4, "other data"
    for _ in range(2):
        with pytest.raises(FloatingPointError):
            runs.run(DATASET, "", replace(TINY, learning_rate=0.1), "q", tmp_path)
    assert len(trained) == 6, "a run that failed is tried again"
    assert len(runs.load(tmp_path)) == 2


def test_the_tables_show_the_store_and_keep_rows_of_runs_elsewhere(trained, tmp_path):
    elsewhere = pd.DataFrame([{"run_id": "12345e678901", "width": 8, "val_macro_f1": 0.1 + 0.2}])
    elsewhere.to_csv(tmp_path / "experiments.csv", index=False)
    pd.DataFrame([{"run_id": "12345e678901", "epoch": 1}]).to_csv(tmp_path / "curves.csv", index=False)
    records = [runs.run(DATASET, "", replace(TINY, seed=seed), "q", tmp_path) for seed in (0, 1)]
    table = read_table(tmp_path / "experiments.csv")
    assert table.run_id.tolist() == ["12345e678901", *(record.run_id for record in records)]
    assert table.width.tolist() == [8, 4, 4]
    assert table.val_macro_f1[0] == 0.1 + 0.2, "to the last digit"
    curves = read_table(tmp_path / "curves.csv")
    assert curves.run_id.value_counts().to_dict() == {"12345e678901": 1} | {r.run_id: 3 for r in records}


def test_runs_of_the_quick_profile_stay_out_of_the_recorded_tables(trained, monkeypatch, empty_place):
    work = work_folders.work_dir(work_folders.EMOJI20 / "training")
    for seed, profile in enumerate(("quick", "full")):
        monkeypatch.setenv("PROFILE", profile)
        runs.run(DATASET, "", replace(TINY, seed=seed), "q", work)
        for name in ("experiments", "curves"):
            shown = read_table(runs.tables_folder(work) / f"{name}.csv")
            assert set(shown.run_id) == {run_id(replace(TINY, seed=seed), data_hash(DATASET))}


def test_runs_of_an_own_folder_are_shown_in_its_work_folder(tmp_path, monkeypatch, empty_place):
    own, emoji20 = work_folders.work_dir("images"), work_folders.work_dir(work_folders.EMOJI20 / "training")
    for profile, expected in {"quick": emoji20, "full": work_folders.RESULTS}.items():
        monkeypatch.setenv("PROFILE", profile)
        assert runs.tables_folder(emoji20) == expected
        assert runs.tables_folder(own) == own


@pytest.mark.parametrize("name", ["a\u200db", "a\xa0b", "a\tb"])
def test_a_class_name_that_no_weights_file_can_hold_is_refused_before_training(trained, tmp_path, name):
    with pytest.raises(ValueError, match=r"the class name .* has a character that is not shown \(U\+"):
        runs.run(DATASET.assign(class_name=name), "", TINY, "q", tmp_path)
    assert trained == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("profile", "epochs", "steps", "expected"),
    [("quick", 24, 100, (6, 6)), ("quick", 2, 3, (2, 3)), ("quick", 24, None, (6, None)),
     ("full", 24, 100, (24, 100))],
)  # fmt: skip
def test_the_profile_caps_epochs_and_steps(monkeypatch, profile, epochs, steps, expected):
    monkeypatch.setenv("PROFILE", profile)
    before = replace(TINY, epochs=epochs, steps_per_epoch=steps)
    after = runs.limit_to_profile(before)
    assert (after.epochs, after.steps_per_epoch) == expected
    assert replace(after, epochs=epochs, steps_per_epoch=steps) == before


def test_candidates_are_compared_over_seeds_within_the_profile(trained, tmp_path):
    wide = replace(TINY, width=8, epochs=50, steps_per_epoch=90, seed=7)
    table = runs.compare_candidates({"a": (DATASET, TINY), "b": (DATASET, wide)}, "", "q", tmp_path)
    assert trained == [
        replace(config, seed=seed)
        for config in (TINY, replace(wide, epochs=6, steps_per_epoch=6))
        for seed in (0, 1)
    ]
    assert table.name.tolist() == ["a", "a", "b", "b"]
    assert table.seed.tolist() == [0, 1, 0, 1]
    assert np.stack(table.class_f1).tolist() == [[0.25, 1.0]] * 4


def test_the_networks_of_an_average_have_weights_and_the_profile_limits(trained, tmp_path):
    records = runs.run_members((replace(TINY, epochs=50), replace(TINY, seed=1)), DATASET, "", tmp_path)
    assert [record.config.epochs for record in records] == [6, 3]
    records[0].weights.unlink()
    runs.run_members((replace(TINY, epochs=50), replace(TINY, seed=1)), DATASET, "", tmp_path)
    assert [config.epochs for config in trained] == [6, 3, 6]


SMALL = plan.Grid(
    replace(TINY, learning_rate=0.01), blocks=("plain", "residual"), augmentations=("none", "strong"),
    budgets=(2, 5), seeds=(3, 4),
)  # fmt: skip


def test_every_cell_is_run_at_its_best_rate_and_the_best_cell_at_others_too(trained, tmp_path):
    """The best rate is 0.03; of 0.005, its double and so on, 0.04 is nearest, and 0.08 is tried too."""
    cell = replace(SMALL.base, augmentation="none", block="plain", epochs=2, seed=3)
    for changes in ({"epochs": 3}, {"augmentation": "mild"}, {"block": "squeeze-excite"}):
        runs.run(DATASET, "", replace(cell, **changes), "grid", tmp_path)
    table = runs.run_grid(SMALL, DATASET, "", tmp_path)
    of_search, of_tuned, of_best_cell = 5, 2 * 2, 2 * 2
    assert len(table) == len(trained) - 3 == 4 * (of_search - 1 + of_tuned) + of_best_cell
    tuned = table[table.tuned == 1]
    assert set(tuned.learning_rate) == {0.04}
    assert len(tuned.drop_duplicates(["block", "augmentation", "budget", "seed"])) == len(tuned) == 2**4
    others = table[(table.tuned == 0) & (table.budget == 5)]
    assert len(others.drop_duplicates(["block", "augmentation"])) == 1
    assert set(others.learning_rate) == {0.02, 0.08}
    shown = read_table(tmp_path / "grid.csv").astype(table.dtypes)
    order = table.columns.tolist()
    pd.testing.assert_frame_equal(*(rows.sort_values(order, ignore_index=True) for rows in (shown, table)))
    n = len(trained)
    assert len(runs.run_grid(SMALL, DATASET, "", tmp_path)) == len(table)
    assert len(trained) == n, "it was done before"


def test_the_best_rate_is_that_of_the_search_and_not_of_other_seeds_or_budgets():
    rows = pd.DataFrame({"budget": [2, 2, 2, 2, 5, 5], "seed": [0, 0, 1, 1, 0, 0]})
    rows = rows.assign(block="plain", augmentation="none", learning_rate=[0.01, 0.02] * 3)
    rows["val_macro_f1"] = [0.6, 0.5, 0.1, 0.9, 0.1, 0.9]
    assert runs.is_tuned(rows).tolist() == [1, 0] * 3


def test_the_cell_that_is_best_at_the_longest_budget_is_tried_at_other_rates(trained, tmp_path, monkeypatch):
    def train(dataset, folder, config, question, work):
        record = pretend(dataset, folder, config, question, work)
        bonus = 0.02 * ((config.block, config.epochs) in (("plain", 2), ("residual", 5)))
        return replace(record, val_macro_f1=record.val_macro_f1 - 0.05 + bonus)

    monkeypatch.setattr(runs, "train", train)
    table = runs.run_grid(replace(SMALL, augmentations=("none",)), DATASET, "", tmp_path)
    assert set(table.block[(table.tuned == 0) & (table.budget == 5)]) == {"residual"}


def test_a_grid_that_is_not_tuned_has_one_rate(trained, tmp_path):
    table = runs.run_grid(replace(SMALL, is_tuned=False), DATASET, "", tmp_path)
    assert len(table) == len(trained) == 2**4
    assert set(table.learning_rate) == {0.01}


@pytest.mark.parametrize(("start", "tried"), [
    (0.03, {0.015, 0.03, 0.06}),
    (0.01, {0.005, 0.01, 0.02, 0.04, 0.08}),
    (0.2, {0.4, 0.2, 0.1, 0.05, 0.025, 0.0125}),
])  # fmt: skip
def test_the_search_goes_on_until_the_best_rate_is_not_at_the_edge(trained, tmp_path, start, tried):
    """The best rate is 0.03, and rates above 0.09 diverge."""
    best = runs.tune(replace(TINY, learning_rate=start), DATASET, "", tmp_path)
    assert sorted({config.learning_rate for config in trained}) == pytest.approx(sorted(tried))
    assert best == pytest.approx(min(tried, key=lambda rate: abs(np.log(rate / 0.03))))
    assert min(tried) < best < max(tried)


def test_the_search_ends_where_rates_are_equally_good():
    assert runs.search_rate(0.01, lambda rate: 0.5) in (0.005, 0.01, 0.02)


TRIALS = (
    plan.Trial("base", "base", TINY, seeds=(0, 1)),
    plan.Trial("rate", "too high", replace(TINY, learning_rate=0.5), seeds=(0,)),
    plan.Trial("balance", "other data", TINY, "twice", seeds=(0, 1)),
    plan.Trial("distillation", "taught", TINY, seeds=(0, 1), teachers=(replace(TINY, width=6),)),
)


def test_every_trial_has_a_row_for_each_seed_and_students_their_teachers(trained, tmp_path):
    data = {"cleaned": DATASET, "twice": DATASET.assign(copies=2)}
    table = runs.run_trials(TRIALS, data, "", tmp_path)
    rows = list(zip(table.answer, table.seed, strict=True))
    expected = [(answer, seed) for answer in ("base", "other data", "taught") for seed in (0, 1)]
    assert rows == expected, "what diverged has no row"
    assert table.groupby("answer", sort=False).data_hash.first().nunique() == 2
    teacher = run_id(TRIALS[-1].teachers[0], DATA)
    assert [config.teachers for config in trained[-2:]] == [(teacher,)] * 2
    assert (tmp_path / "runs" / teacher / "model.h5").exists()
    n = len(trained)
    pd.testing.assert_frame_equal(runs.run_trials(TRIALS, data, "", tmp_path), table)
    assert len(trained) == n + 1, "only what diverged is tried again"
    again = plan.Trial("another question", "base", TINY, seeds=(0,))
    runs.run_trials([again], data, "", tmp_path)
    shown = read_table(tmp_path / "trials.csv")
    assert shown.question.tolist() == [*table.question, "another question"], "a run may answer two"


def test_no_answer_is_the_same_training_as_another():
    for trials in (plan.ROUNDS, plan.PREPROCESSING, plan.UNEQUAL, plan.CURES, plan.DRAWS):
        ids = {(t.data, bool(t.teachers), run_id(t.config, "")) for t in trials}
        assert len(ids) == len(trials)
    assert len({run_id(config, "") for config in plan.RECIPE}) == len(plan.RECIPE)
    assert len({(config.input_size, config.fit) for config in plan.RECIPE}) == 1, "or they have no average"


def test_what_other_code_has_left_unfinished_starts_anew(trained, tmp_path, monkeypatch):
    folder = runs.record_path(tmp_path, run_id(TINY, DATA)).parent
    folder.mkdir(parents=True)

    def interrupted(*arguments):
        found = sorted(path.name for path in folder.glob("[se]*"))
        (folder / "state.json").touch(), (folder / "epoch-1.npz").touch()
        raise KeyboardInterrupt(found)

    monkeypatch.setattr(runs, "train", interrupted)
    for code, kept in (("a", []), ("a", ["epoch-1.npz", "state.json"]), ("b", [])):
        monkeypatch.setattr(runs, "code_hash", lambda code=code: code)
        with pytest.raises(KeyboardInterrupt) as stopped:
            runs.run(DATASET, "", TINY, "q", tmp_path)
        assert stopped.value.args[0] == kept
