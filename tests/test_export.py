"""Records -> a weights file and its card, on drawn images."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import write_class_folders

from evaluate import load_classifier, read_description
from illus.clean.balance import split
from illus.data.catalog import scan
from illus.learn import experiments
from illus.learn.export import install, installed_runs, score_all
from illus.learn.settings import Config

TINY = Config(width=4, blocks=(1, 1), input_size=16, epochs=2, batch_size=8, dropout=0.0, precision="float32")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs of one configuration."""
    work = tmp_path_factory.mktemp("work")
    folder = write_class_folders(work / "p" / "training", n=12)
    write_class_folders(work / "p" / "test", n=4, first_seed=500)
    dataset = split(scan(folder), fractions={"train": 0.7, "validation": 0.3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROFILE", "quick")
        records = [experiments.run(dataset, folder, replace(TINY, seed=s), "q", work) for s in (0, 1)]
    return records, dataset, folder, work


def test_the_exported_network_is_the_mean_of_the_runs_and_its_description_says_so(finished, tmp_path):
    records, dataset, folder, work = finished
    weights = tmp_path / "new" / "best.h5"
    description = install(records, dataset, folder, work, weights)
    assert read_description(weights) == description
    assert description.class_names == ["L2_2", "L2_10", "L2_33"]
    facts = description.training
    assert facts["run_ids"] == [r.run_id for r in records] == installed_runs(weights)
    assert facts["seeds"] == [0, 1]
    assert facts["parameters"] == 2 * records[0].parameters
    assert facts["multiply_adds"] == 2 * records[0].multiply_adds
    assert facts["seconds"] == pytest.approx(sum(r.seconds for r in records), abs=0.1)
    assert 0 <= facts["val_macro_f1"] <= 1
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    models = [load_classifier(path)[0] for path in (weights, *(r.weights for r in records))]
    mean, *each = [model.predict_on_batch(images) for model in models]
    np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-6)


def test_a_weights_file_is_written_once_for_the_same_runs(finished, tmp_path):
    records, dataset, folder, work = finished
    weights = tmp_path / "best.h5"
    assert installed_runs(weights) == []
    install(records[:1], dataset, folder, work, weights)
    written = weights.stat().st_mtime_ns
    gone = [replace(records[0], weights=tmp_path / "lost.h5")]
    install(gone, dataset, folder, work, weights)
    assert weights.stat().st_mtime_ns == written
    install(records, dataset, folder, work, weights)
    assert len(installed_runs(weights)) == 2


def test_the_card_has_the_training_and_the_scores(finished, tmp_path):
    records, dataset, folder, work = finished
    description = install(records[:1], dataset, folder, work, tmp_path / "best.h5")
    scored = score_all(tmp_path / "best.h5", [folder.parent / "test"])
    card = json.loads((tmp_path / "best.json").read_text())
    assert card["training"] == description.training
    result, rows = scored["test"]
    assert card["scores"]["test"]["macro_f1"] == result["macro_f1"]
    assert len(rows) == 12


def test_a_test_folder_is_scored_once(finished, monkeypatch):
    records, _, folder, work = finished
    monkeypatch.setenv("PROFILE", "quick")
    tests = [folder.parent / "test"]
    first = experiments.score_once(records[0], tests, work)
    monkeypatch.setattr(experiments, "evaluate", lambda *_: pytest.fail("scored again"))
    assert experiments.score_once(records[0], tests, work) == first
    table = experiments.load_table(work / "experiments.csv").set_index("run_id")
    assert table.test_macro_f1[records[0].run_id] == first["test"]
    assert np.isnan(table.test_macro_f1[records[1].run_id])
    assert table.val_macro_f1[records[0].run_id] == records[0].val_macro_f1


def test_a_record_of_before_the_column_code_has_an_empty_one(finished, tmp_path, monkeypatch):
    records, dataset, folder, work = finished
    monkeypatch.setenv("PROFILE", "quick")
    table = pd.read_csv(work / "experiments.csv", dtype=str)
    for number, older in enumerate((table.assign(code=""), table.drop(columns="code"))):
        (tmp_path / str(number)).mkdir()
        older.to_csv(tmp_path / str(number) / "experiments.csv", index=False)
        record = experiments.run(dataset, folder, records[0].config, "q", tmp_path / str(number))
        assert record == replace(records[0], code="")


def test_learning_curves_have_a_row_per_epoch_and_no_run_is_in_them_more_than_once(finished):
    records, _, _, work = finished
    curves = pd.read_csv(work / "curves.csv")
    assert curves.run_id.tolist() == [r.run_id for r in records for _ in range(2)]
    assert curves.epoch.tolist() == [1, 2, 1, 2]
    assert curves[["loss", "macro_f1", "val_loss", "val_macro_f1"]].notna().all(axis=None)
    experiments.keep_curves(work / "curves.csv", records[0])
    assert sorted(pd.read_csv(work / "curves.csv").run_id) == sorted(curves.run_id)
