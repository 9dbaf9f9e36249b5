"""Records -> a weights file and its description, on drawn images."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import build, write_class_folders

from evaluate import load_classifier, read_description
from illus.dataset.resample import join_validation
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.learn import runs
from illus.learn.export import ExportOptions, install, installed_runs, save_classifier
from illus.learn.networks import average, multiply_adds
from illus.learn.settings import Config

TINY = Config(width=4, blocks=(1, 1), input_size=16, epochs=2, batch_size=8, dropout=0.0, precision="float32")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs of one configuration."""
    work = tmp_path_factory.mktemp("work")
    folder = write_class_folders(work / "p" / "training", n=12)
    dataset = split(scan(folder), fractions={"train": 0.7, "validation": 0.3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROFILE", "quick")
        records = [runs.run(dataset, folder, replace(TINY, seed=s), "q", work) for s in (0, 1)]
    return records, dataset, folder, work


def predicted(*files):
    """What the networks of weights files say of ``IMAGES``."""
    return [load_classifier(path)[0].predict_on_batch(IMAGES) for path in files]


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
    mean, *each = predicted(weights, *(r.weights for r in records))
    np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-6)


def test_networks_that_saw_the_validation_part_are_judged_by_others(finished, tmp_path, monkeypatch):
    judges, dataset, folder, work = finished
    taught = join_validation(dataset)
    monkeypatch.setenv("PROFILE", "quick")
    records = [runs.run(taught, folder, replace(TINY, seed=s), "q", work) for s in (0, 1)]
    assert [record.val_macro_f1 for record in records] == [None, None]
    weights, options = tmp_path / "best.h5", ExportOptions(temperature=True)
    facts = install(records, dataset, folder, work, weights, options, judges=judges).training
    of_judges = install(judges, dataset, folder, work, tmp_path / "judges.h5", options).training
    for fact in ("val_macro_f1", "val_micro_f1", "calibration"):
        assert facts[fact] == of_judges[fact]
    assert facts["run_ids"] == [record.run_id for record in records] == installed_runs(weights, options)
    assert facts["judges"] == [judge.run_id for judge in judges]
    shipped, *each = predicted(weights, *(r.weights for r in records))
    softened = [p ** (1 / facts["calibration"]["temperature"]) for p in each]
    expected = np.mean([p / p.sum(1, keepdims=True) for p in softened], axis=0)
    np.testing.assert_allclose(shipped, expected, atol=1e-5)


def test_each_network_may_see_the_mirror_image_too(finished, tmp_path):
    records, dataset, folder, work = finished
    plain, weights = tmp_path / "plain.h5", tmp_path / "mirror.h5"
    for members in (records, records[:1]):
        install(members, dataset, folder, work, plain)
        facts = install(members, dataset, folder, work, weights, ExportOptions(mirror=True)).training
        model, straight = load_classifier(weights)[0], load_classifier(plain)[0]
        assert facts["multiply_adds"] == multiply_adds(model) == 2 * multiply_adds(straight)
        assert facts["parameters"] == straight.count_params()
        both = [straight.predict_on_batch(view) for view in (IMAGES, IMAGES[:, :, ::-1].copy())]
        np.testing.assert_allclose(model.predict_on_batch(IMAGES), np.mean(both, axis=0), atol=1e-6)
        assert not np.allclose(*both, atol=1e-4)


def test_a_weights_file_is_written_once_for_the_same_runs_and_options(finished, tmp_path):
    records, dataset, folder, work = finished
    weights, options = tmp_path / "best.h5", ExportOptions(temperature=True)
    assert installed_runs(weights) == []
    plain = install(records[:1], dataset, folder, work, weights).training
    assert not {"export", "calibration", "data_name"} & set(plain)
    written = weights.stat().st_mtime_ns
    install([replace(records[0], weights=tmp_path / "lost.h5")], dataset, folder, work, weights)
    assert weights.stat().st_mtime_ns == written
    assert installed_runs(weights, options) == []
    facts = install(records[:1], dataset, folder, work, weights, options, data_name="drawings").training
    assert installed_runs(weights, options) == [records[0].run_id]
    assert installed_runs(weights) == []
    assert facts["data_name"] == "drawings"
    assert facts["export"] == {"temperature": True}
    assert facts["calibration"]["nll_after"] <= facts["calibration"]["nll_before"]
    install(records, dataset, folder, work, weights)
    assert len(installed_runs(weights)) == 2


def test_unlike_networks_of_one_input_size_have_an_average(finished, tmp_path):
    records, dataset, folder, work = finished
    other = replace(records[1].config, block="plain", width=6)
    model = build(16, 3, "plain", width=6, blocks=(1, 1))
    save_classifier(model, read_description(records[1].weights), tmp_path / "plain.h5")
    unlike = replace(records[1], config=other, weights=tmp_path / "plain.h5")
    facts = install([records[0], unlike], dataset, folder, work, tmp_path / "best.h5").training
    assert (facts["block"], facts["width"], facts["input_size"]) == (["residual", "plain"], [4, 6], 16)
    assert facts["multiply_adds"] == records[0].multiply_adds + multiply_adds(model)
    found, first = predicted(tmp_path / "best.h5", records[0].weights)
    np.testing.assert_allclose(found, (first + model.predict_on_batch(IMAGES)) / 2, atol=1e-6)


def test_networks_that_do_not_fit_together_have_no_average(finished, tmp_path):
    records, dataset, folder, work = finished
    larger = replace(records[1], config=replace(records[1].config, input_size=24))
    for other in (larger, replace(records[1], data_hash="another")):
        with pytest.raises(ValueError, match="runs of unlike data, input size or fit"):
            install([records[0], other], dataset, folder, work, tmp_path / "best.h5")
    for other in (build(24, 3, width=4, blocks=(1,)), build(16, 4, width=4, blocks=(1,))):
        with pytest.raises(ValueError, match="unlike inputs or outputs"):
            average([build(16, 3, width=4, blocks=(1,)), other])
    assert not (tmp_path / "best.h5").exists()
