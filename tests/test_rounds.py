"""Rounds of experiments, with tiny networks that are really trained on drawn images."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_class_folders

from illus.clean.balance import split
from illus.data.catalog import scan
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
        *((name, seed) for _, name in rounds.HEADS for seed in "01"),
        (rounds.AVERAGE[1], "0 1"),
    ]
    assert table.val_macro_f1.between(0, 1).all()
    assert table[["question", "run_ids", "code", "data_hash"]].notna().all(axis=None)


def test_ways_to_predict_use_the_networks_of_the_base(measured):
    dataset, _, root = measured
    rows = rounds.load(root / "rounds.csv").set_index(["answer", "seeds"])
    base = [rows.run_ids["base", seed] for seed in "01"]
    assert base == [run_id(Config(**{**vars(TINY), "seed": seed}), data_hash(dataset)) for seed in (0, 1)]
    mirrored, nearest = (name for _, name in rounds.HEADS)
    assert [rows.run_ids[mirrored, seed] for seed in "01"] == base
    assert rows.run_ids[rounds.AVERAGE[1], "0 1"] == " ".join(base)
    cost = rows.multiply_adds
    assert cost[rounds.AVERAGE[1], "0 1"] == 2 * cost["base", "0"]
    assert cost[mirrored, "0"] > 2 * cost["base", "0"], "twice, and the mirroring"
    assert cost[nearest, "0"] > cost["base", "0"]
    assert cost["taught", "0"] == cost["base", "0"]


def test_a_student_has_the_teachers_of_the_plan_and_others_have_none(measured):
    dataset, folder, root = measured
    teachers = (run_id(PLAN.teachers[0], data_hash(dataset)),)
    taught = rounds.configuration(PLAN.answers[-1], PLAN, 1, dataset, folder, root)
    assert (taught.teachers, taught.seed) == (teachers, 1)
    assert (root / "runs" / teachers[0] / "model.h5").exists()
    larger = rounds.Answer("input size", "20 px", {"input_size": 20})
    config = rounds.configuration(larger, PLAN, 0, dataset, folder, root)
    assert (config.teachers, config.input_size, config.width) == ((), 20, TINY.width)


def test_only_what_the_table_lacks_is_measured(measured, monkeypatch):
    dataset, folder, root = measured
    table = root / "rounds.csv"
    whole = table.read_bytes()
    rows = rounds.load(table)
    rows.drop(index=1).to_csv(table, index=False)
    seen = []
    real = rounds.train

    def counted(dataset, folder, config, question, work):
        seen.append((question, config.seed))
        return real(dataset, folder, config, question, work)

    monkeypatch.setattr(rounds, "train", counted)
    rounds.run(PLAN, dataset, folder, root, table)
    assert seen == [("base", 1), ("base", 0), ("base", 1)]  # again for their networks, which are there
    again = rounds.load(table)
    assert sorted(again.answer) == sorted(rows.answer)
    table.write_bytes(whole)


def test_the_plan_changes_settings_that_exist_one_question_at_a_time():
    questions = [answer.question for answer in rounds.PLAN.answers] + [q for q, _ in rounds.HEADS]
    assert len(set(questions)) == len(questions)
    ids = {run_id(Config(**{**vars(rounds.BASE), **answer.changes}), "") for answer in rounds.PLAN.answers}
    assert len(ids) == len(rounds.PLAN.answers) - 1, "the student differs by its teachers"
    assert rounds.BASE.augmentation in AUGMENTATIONS
    assert not any(answer.changes for answer in rounds.PLAN.answers if answer.taught)


def test_no_table_has_no_rows(tmp_path):
    assert rounds.load(tmp_path / "rounds.csv").empty
    assert not rounds.has_row(tmp_path / "rounds.csv", "base", [0])
    rounds.add_row({"answer": "a", "seeds": "0 1"}, tmp_path / "rounds.csv")
    assert rounds.has_row(tmp_path / "rounds.csv", "a", (0, 1))
    assert not rounds.has_row(tmp_path / "rounds.csv", "a", (0,))
    assert np.array_equal(pd.read_csv(tmp_path / "rounds.csv").columns, ["answer", "seeds"])
