"""Rounds of experiments, with tiny networks that are really trained on drawn images."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from conftest import write_class_folders

from illus.dataset.split import split
from illus.files.catalog import scan
from illus.learn import rounds
from illus.learn.augmentation import AUGMENTATIONS
from illus.learn.settings import Config, data_hash, run_id

TINY = Config(
    width=4, blocks=(1, 1), input_size=16, epochs=2, batch_size=8, dropout=0.0, augmentation="none",
    learning_rate=0.02, ema_momentum=0.5, precision="float32",
)  # fmt: skip
PLAN = rounds.Plan(
    TINY,
    (
        rounds.Answer("base", "base"),
        rounds.Answer("distillation", "taught", taught=True),
    ),
    (Config(**{**vars(TINY), "width": 6, "input_size": 24}),),
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The table of the plan, and what it was measured on."""
    root = tmp_path_factory.mktemp("rounds")
    folder = write_class_folders(root / "images", n=12)
    dataset = split(scan(folder), fractions={"train": 0.75, "validation": 0.25})
    rounds.run(PLAN, dataset, folder, root, root / "rounds.csv")
    return dataset, folder, root


def test_every_answer_has_a_row_for_each_seed_and_the_average_one_for_all(measured):
    _, _, root = measured
    table = rounds.load(root / "rounds.csv")
    assert list(zip(table.answer, table.seeds, strict=True)) == [
        *((name, seed) for name in ("base", "taught") for seed in "01"),
        (rounds.AVERAGE[1], "0 1"),
    ]
    assert table.val_macro_f1.between(0, 1).all()
    assert table[["question", "run_ids", "code", "data_hash"]].notna().all(axis=None)


def test_ways_to_predict_use_the_networks_of_the_base(measured):
    dataset, _, root = measured
    rows = rounds.load(root / "rounds.csv").set_index(["answer", "seeds"])
    base = [rows.run_ids["base", seed] for seed in "01"]
    assert base == [run_id(Config(**{**vars(TINY), "seed": seed}), data_hash(dataset)) for seed in (0, 1)]
    assert rows.run_ids[rounds.AVERAGE[1], "0 1"] == " ".join(base)
    cost = rows.multiply_adds
    assert cost[rounds.AVERAGE[1], "0 1"] == 2 * cost["base", "0"]
    assert cost["taught", "0"] == cost["base", "0"]


def test_a_student_has_the_teachers_of_the_plan_and_others_have_none(measured):
    dataset, _, root = measured
    data = data_hash(dataset)
    teachers = (run_id(PLAN.teachers[0], data),)
    taught = rounds.configuration(PLAN.answers[-1], PLAN, 1, data)
    assert (taught.teachers, taught.seed) == (teachers, 1)
    assert (root / "runs" / teachers[0] / "model.h5").exists()
    larger = rounds.Answer("input size", "20 px", {"input_size": 20})
    config = rounds.configuration(larger, PLAN, 0, data)
    assert (config.teachers, config.input_size, config.width) == ((), 20, TINY.width)


@pytest.fixture
def trainings(monkeypatch):
    """Questions and seeds of what is trained from now on."""
    seen = []
    real = rounds.train

    def counted(dataset, folder, config, question, work):
        seen.append((question, config.seed))
        return real(dataset, folder, config, question, work)

    monkeypatch.setattr(rounds, "train", counted)
    return seen


def without_one(root, path):
    """The table without its row of the base with seed 1, and the whole table."""
    whole = rounds.load(root / "rounds.csv")
    whole.drop(index=1).to_csv(path, index=False)
    return whole


def test_a_row_that_is_missing_comes_back_from_the_network_that_is_there(measured, trainings, tmp_path):
    dataset, folder, root = measured
    whole = without_one(root, tmp_path / "rounds.csv")
    rounds.run(PLAN, dataset, folder, root, tmp_path / "rounds.csv")
    again = rounds.load(tmp_path / "rounds.csv")
    assert again.columns.tolist() == whole.columns.tolist()
    order = ["answer", "seeds"]
    pd.testing.assert_frame_equal(
        again.sort_values(order, ignore_index=True), whole.sort_values(order, ignore_index=True)
    )
    assert trainings == []


def test_a_full_table_needs_no_network(measured, trainings, tmp_path):
    dataset, folder, root = measured
    shutil.copy(root / "rounds.csv", tmp_path / "rounds.csv")
    rounds.run(PLAN, dataset, folder, tmp_path / "work", tmp_path / "rounds.csv")
    assert trainings == []
    assert (tmp_path / "rounds.csv").read_bytes() == (root / "rounds.csv").read_bytes()


def test_rows_of_another_base_are_measured_anew(measured, trainings, tmp_path):
    dataset, folder, root = measured
    shutil.copy(root / "rounds.csv", tmp_path / "rounds.csv")
    other = replace(PLAN, base=replace(TINY, epochs=1), answers=PLAN.answers[:1], seeds=(0,))
    rounds.run(other, dataset, folder, root, tmp_path / "rounds.csv")
    assert trainings == [("base", 0)]
    row = rounds.load(tmp_path / "rounds.csv").set_index(["answer", "seeds"]).loc[("base", "0")]
    assert row.run_ids == run_id(replace(TINY, epochs=1), data_hash(dataset))


def test_an_answer_that_diverges_has_no_row(measured, monkeypatch, tmp_path, capsys):
    dataset, folder, _ = measured

    def diverging(*arguments):
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr(rounds, "train", diverging)
    rounds.run(PLAN, dataset, folder, tmp_path, tmp_path / "rounds.csv")
    assert rounds.load(tmp_path / "rounds.csv").empty
    assert "base: the loss is nan" in capsys.readouterr().out


def test_the_plan_changes_settings_that_exist_one_question_at_a_time():
    questions = [answer.question for answer in rounds.PLAN.answers]
    assert len(set(questions)) == len(questions)
    ids = {run_id(Config(**{**vars(rounds.BASE), **answer.changes}), "") for answer in rounds.PLAN.answers}
    assert len(ids) == len(rounds.PLAN.answers) - 1, "the student differs by its teachers"
    assert rounds.BASE.augmentation in AUGMENTATIONS
    assert not any(answer.changes for answer in rounds.PLAN.answers if answer.taught)
