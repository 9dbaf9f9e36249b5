"""From class folders to a scored classifier, in the quick profile, in an empty folder."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import COLOURS, draw, files_below, no_photos, snapshot, write_class_folders, write_files

from evaluate import Description, read_description
from illus import pipeline, profiles, work_folders
from illus.__main__ import main
from illus.copies.leaks import scores_without
from illus.dataset.resample import resample
from illus.dataset.split import split, subsample_for_profile
from illus.dataset.table import write_dataset, write_photos
from illus.files.catalog import scan
from illus.files.tables import read_table
from illus.learn.export import ExportOptions
from illus.learn.plan import CHOSEN, RECIPE
from illus.learn.settings import Config, data_hash
from illus.parallel import write_table

pytestmark = pytest.mark.usefixtures("empty_place")


def drop(work, path):
    """Decide that a file is dropped."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (work / "overrides.csv").write_text(f"sha256,decision,value,path,date\n{sha256},drop,,x.png,2026-11-23\n")


def test_own_class_folders_are_cleaned_trained_on_and_scored(tmp_path, monkeypatch, capsys):
    folder = write_class_folders(tmp_path / "내 그림", n=24)
    (folder / "L2_2" / "bad.jpg").write_text("text")
    before = snapshot(folder)
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setenv("PROFILE", "quick")
    assert main(["run", "--no-notebooks"]) == 0
    work = tmp_path / "work" / "내 그림"
    dataset = pd.read_csv(work / "dataset.csv")
    assert dataset.split.value_counts().to_dict() == {"train": 57, "test": 9, "validation": 6}
    card = json.loads((work / "model.json").read_text())
    assert pd.read_csv(work / "photos.csv").is_photo.tolist() == [False] * 72
    assert card["scores"]["test"]["n_images"] == 9
    assert set(dataset.copies) == {1}, "classes of one size"
    assert card["training"]["epochs"] == profiles.PROFILES["quick"].max_epochs
    assert card["training"] == read_description(work / "model.h5").training
    assert f"macro F1 {card['scores']['test']['macro_f1']:.4f}" in " ".join(capsys.readouterr().out.split())
    assert snapshot(folder) == before
    # A clone that has the weights, but not the run's folder, scores without training.
    shutil.rmtree(work / "runs")
    card_before = (work / "model.json").read_text()
    assert main(["run", "--no-notebooks"]) == 0
    assert not (work / "runs").exists()
    assert json.loads((work / "model.json").read_text())["training"] == json.loads(card_before)["training"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DATA_DIR", "nowhere", "no such folder"),
        ("PROFILE", "fast", "choose one of quick, full"),
        ("DATA_DIR", "work/images", "is inside work/"),
        ("work", "a file where a folder is wanted", "work"),
        ("decisions", "sha256,decision,value,path,date\nx,keep,,,\n", "overrides.csv, line 2: sha256 is 'x'"),
    ],
)
def test_bad_settings_are_an_error_in_one_line(tmp_path, monkeypatch, capsys, variable, value, message):
    monkeypatch.setenv("DATA_DIR", str(write_class_folders(tmp_path / "images", n=12)))
    if variable == "work":
        (tmp_path / "work").write_text(value)
    elif variable == "decisions":
        (work_folders.work_dir("images") / "overrides.csv").write_text(value)
    else:
        write_class_folders(tmp_path / "work" / "images", n=12)
        monkeypatch.setenv(variable, value)
    before = snapshot(tmp_path / "work")
    assert main(["run", "--no-notebooks"]) == 2
    shown = capsys.readouterr().err
    (line,) = [line for line in shown.splitlines() if "rror" in line]
    assert line.startswith("illus run: error:")
    assert message in line
    assert snapshot(tmp_path / "work") == before


def test_what_is_held_out_and_exported_by_a_run_and_by_the_recipe(tmp_path, monkeypatch):
    held, exported, folder = [], [], write_class_folders(tmp_path / "data" / "training", n=2)

    def export(members, *_, on_all=False):
        exported.append((members, _[-1], on_all))

    monkeypatch.setattr(pipeline, "prepare", lambda folder, held_out: held.append(held_out))
    monkeypatch.setattr(pipeline, "experiment_data", lambda folder, anew: held.append(anew))
    monkeypatch.setattr(pipeline, "folders_to_score", lambda *_: [])
    monkeypatch.setattr(pipeline, "export", export)
    pipeline.run(folder)
    write_class_folders(tmp_path / "data" / "test", n=1)
    pipeline.run(folder)
    pipeline.run_weights(folder)
    assert held == [pipeline.HELD_OUT_SHARE, 0.0, True], "a part is held out if there is no test folder"
    small = ((CHOSEN,), ExportOptions(mirror=True), False)
    assert exported == [small, small, (RECIPE, ExportOptions(temperature=True), True)]


def test_weights_that_are_there_are_scored_leaks_told_and_older_scores_deleted(tmp_path, monkeypatch):
    folder = write_class_folders(tmp_path / "data" / "training", n=1)
    test = write_class_folders(tmp_path / "data" / "test", n=1)
    said, old = [], pipeline.report_dir(folder) / "test_old.json"
    old.touch()
    for name, value in (("run_id", "id"), ("data_hash", ""), ("installed_runs", ["id"]),
                        ("read_description", Description(["a"], 8, "pad")),
                        ("score_all", {"test": ("result", "rows")})):  # fmt: skip
        monkeypatch.setattr(pipeline, name, lambda *_, value=value: value)
    for name in ("show_scores", "tell_leaks"):
        monkeypatch.setattr(pipeline, name, lambda *_, name=name: said.append(name))
    pipeline.export((Config(),), tmp_path / "w.h5", pd.DataFrame(), folder, [test])
    assert said == ["show_scores", "tell_leaks"]
    assert not old.exists()


def test_a_profile_limits_each_class_and_keeps_every_test_image(tmp_path, monkeypatch):
    folder = write_class_folders(tmp_path / "p", n=20)
    dataset = split(scan(folder), fractions={"train": 0.7, "validation": 0.15, "test": 0.15})
    monkeypatch.setattr(profiles, "profile", lambda: profiles.Profile("tiny", 5, 1, 1, (0,)))
    part = subsample_for_profile(dataset)
    counts = part.groupby(["class_name", "split"]).size().unstack()
    assert counts["train"].tolist() == [5, 5, 5]
    assert counts["test"].tolist() == [3, 3, 3]
    pd.testing.assert_frame_equal(part, subsample_for_profile(dataset))


def test_each_data_set_has_a_work_folder_of_its_own(tmp_path):
    for _ in range(2):
        assert work_folders.work_dir("a/images").as_posix() == "work/images"
        assert work_folders.work_dir("b/images").as_posix() == "work/images-2"
        assert work_folders.work_dir(tmp_path / "b" / "images").as_posix() == "work/images-2"
        assert work_folders.work_dir("c/images/train").as_posix() == "work/images-3"
    assert work_folders.work_dir("data/emoji20/training").as_posix() == "work/emoji20"
    assert work_folders.work_dir("/x/y/train/").as_posix() == "work/y"
    assert (tmp_path / "work" / "y").is_dir()


def test_what_is_in_work_already_is_left_alone_but_decisions_are_taken_up(tmp_path):
    names = ("images/test/mine.txt", "pictures/overrides.csv", "pictures/.DS_Store", "icons")
    there = dict.fromkeys(names, b"x")
    write_files(tmp_path / "work", there)
    assert work_folders.work_dir("images") == Path("work/images-2")
    assert work_folders.work_dir("pictures") == Path("work/pictures")
    assert work_folders.work_dir("icons") == Path("work/icons-2")


def test_decisions_on_a_folder_that_was_moved_are_pointed_out(tmp_path, capsys):
    (tmp_path / "disk1" / "images").mkdir(parents=True)
    work = work_folders.work_dir("disk1/images")
    (work / "overrides.csv").touch()
    work_folders.work_dir("disk2/images")
    assert capsys.readouterr().out == "", "the other folder is there"
    (tmp_path / "disk1").rename("disk3")
    assert work_folders.work_dir("disk3/images") == Path("work/images-3")
    (line,) = capsys.readouterr().out.splitlines()
    assert f"{work / 'overrides.csv'} is of a folder that is gone" in line


@pytest.mark.parametrize(
    "name", ["images ", " images", "a\rb", "a\nb", b"\xb1\xd7".decode("utf-8", "surrogateescape")]
)
def test_a_work_folder_is_found_again_whatever_the_name(name):
    for _ in range(2):
        assert work_folders.work_dir(name) == Path("work", name)
    assert [path.name for path in Path("work").iterdir()] == [name]


@pytest.mark.parametrize(("inside", "folder"), [(".", "."), ("L2_2", ".."), (".", "../images")])
def test_nothing_is_written_into_the_class_folders(inside, folder, class_folder_tree, monkeypatch, capsys):
    before = snapshot(class_folder_tree)
    monkeypatch.chdir(class_folder_tree / inside)
    out = class_folder_tree.parent / "out"
    assert main(["clean", folder, str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"illus clean: error: the stages would write into {class_folder_tree}")
    assert snapshot(class_folder_tree) == before


@pytest.mark.parametrize("names", [("Training", "Test", "TEST_2"), ("train", "test", "Testing")])
def test_test_folders_are_found_in_any_case_and_from_inside(names, tmp_path, monkeypatch):
    for name in names:
        (tmp_path / name / "cat").mkdir(parents=True)
    (tmp_path / "link").symlink_to(names[0])
    for folder in (names[0], "link", f"{names[0]}/../{names[0]}/"):
        assert {path.name for path in work_folders.test_folders(folder)} == set(names[1:])
    assert not any(path.is_absolute() for path in work_folders.test_folders(names[0])), "they are recorded"
    monkeypatch.chdir(tmp_path / names[0])
    assert {path.name for path in work_folders.test_folders(".")} == set(names[1:])


def test_folders_that_are_called_like_a_test_folder_are_found_if_they_have_classes(tmp_path):
    for name in ("training", "test", "test_unseen_style", "images"):
        (tmp_path / name / "cat").mkdir(parents=True)
    (tmp_path / "test_logs" / "2026").mkdir(parents=True)
    (tmp_path / "test.txt").write_text("no folder")
    assert [p.name for p in work_folders.test_folders(tmp_path / "training")] == ["test", "test_unseen_style"]
    assert [p.name for p in work_folders.untested_folders(tmp_path / "training")] == ["test_logs"]
    assert work_folders.test_folders(tmp_path / "images") == []
    why = work_folders.untested_folders(tmp_path / "images")
    assert [p.name for p, text in why.items() if "neither" in text] == ["test", "test_unseen_style"]
    (tmp_path / "tests" / "@eaDir").mkdir(parents=True)
    (tmp_path / "training" / "@eaDir").mkdir()
    assert "tests" not in [p.name for p in work_folders.test_folders(tmp_path / "training")]


def test_only_the_weights_of_emoji20_are_the_shipped_ones():
    assert work_folders.weights_path("data/emoji20/training") == work_folders.SHIPPED_WEIGHTS
    assert work_folders.weights_path("images") == Path("work/images/best.h5")


def test_scores_are_told_with_and_without_leaked_files(tmp_path, capsys, in_threads):
    folder, work = write_class_folders(tmp_path / "data" / "training", n=2), tmp_path / "work" / "data"
    work.mkdir(parents=True)
    clean = write_class_folders(tmp_path / "data" / "test", n=1, first_seed=500)
    leaky = write_class_folders(tmp_path / "data" / "test_leaky", n=1, first_seed=600)
    shutil.copy(folder / "L2_2" / "0.png", leaky / "L2_33" / "copy.png")
    names, scored = sorted(COLOURS), []
    for test in (clean, leaky):
        paths = sorted(path.relative_to(test).as_posix() for path in test.rglob("*.png"))
        rows = [{"path": path, "class_name": path.split("/")[0]} for path in paths]
        rows = [row | {"predicted": "L2_2" if "copy" in row["path"] else row["class_name"]} for row in rows]
        scored.append((scores_without(rows, [], names) | {"test_folder": str(test)}, rows))
    pipeline.tell_leaks(folder, scored, names)
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert first == f"{clean}: no test file is a copy of a training file"
    assert "1 (1 exact, 0 near; 1 in another class)" in second
    assert "micro F1 1.0000 (with them 0.7500), 3 images" in second
    assert pd.read_csv(work / "leaks_test_leaky.csv").path.tolist() == ["L2_33/copy.png"]
    assert pd.read_csv(work / "leaks_test.csv").empty
    drop(work, folder / "L2_2" / "0.png")
    pipeline.tell_leaks(folder, scored, names)
    assert "no test file is a copy" in capsys.readouterr().out.strip().split("\n\n")[1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda test: (test / "L2_2").rename(test / "L2_99"), "has classes that"),
        (lambda test: [path.write_text("text") for path in test.rglob("*.png")], "is a readable image"),
    ],
)
def test_what_cannot_be_scored_is_told_before_any_training(spoil, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "prepare", lambda *_, **__: pytest.fail("the stages began"))
    folder = write_class_folders(tmp_path / "data" / "training", n=2)
    test = write_class_folders(tmp_path / "data" / "test", n=2)
    (test / "L2_2" / "0.png").write_text("text")
    pipeline.check_tests(folder)  # one file that is damaged can be told with the scores
    spoil(test)
    (tmp_path / "data" / "test_logs").mkdir()
    monkeypatch.setenv("PROFILE", "quick")
    assert main(["run", str(folder), "--recipe"]) == 2
    assert "PROFILE=full" in capsys.readouterr().err
    for profile, arguments in {"quick": ["--no-notebooks"], "full": ["--recipe"]}.items():
        monkeypatch.setenv("PROFILE", profile)
        assert main(["run", str(folder), *arguments]) == 2
        shown = capsys.readouterr()
        assert message in shown.err
        assert "test_logs is not scored" in shown.out


@pytest.mark.parametrize("command", ["clean", "run", "review", "labels", "report", "leaks"])
def test_the_folder_above_the_parts_is_refused_and_nothing_done(command, tmp_path, capsys):
    for part in ("train", "val", "test"):
        write_class_folders(tmp_path / "data" / part, n=2)
    last = {"clean": ["out"], "leaks": ["data/test"]}.get(command, [])
    assert main([command, "data", *last]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "test, train, val, look like parts of a data set" in line
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    with pytest.raises(ValueError, match="look like parts"):
        scan("data")
    classes = write_class_folders(tmp_path / "images", {"test tube": "red", "train": "blue"}, n=1)
    for junk in ("train/Thumbs.db", "test/desktop.ini", "val/@eaDir/x.png"):
        write_files(tmp_path / "data", {junk: b""})
    with pytest.raises(ValueError, match="look like parts"):
        scan("data")
    write_class_folders(tmp_path / "alone" / "train", n=1)
    (tmp_path / "alone" / "__MACOSX").mkdir()
    with pytest.raises(ValueError, match="look like parts"):
        scan("alone")
    for part in ("Test", "Train"):
        write_class_folders(tmp_path / "beside" / part, n=1)
    write_files(tmp_path / "beside", {"notes/1.png": draw("red")})
    with pytest.raises(ValueError, match=r"Test, Train, look like parts .*Train$"):
        scan("beside")
    write_files(tmp_path / "beside", {"Test/labels.csv": b"", "Train/A/sub/1.png": draw("red")})
    with pytest.raises(ValueError, match=r"Test, Train, look like parts"):
        scan("beside")
    write_class_folders(tmp_path / "one" / "outer", n=1)
    with pytest.raises(ValueError, match=r"outer, holds folders and no images.*one/outer$"):
        scan("one")
    (classes / "train" / "steam").mkdir()
    write_files(classes, {"test set/deep/1.png": draw("green")})
    assert len(scan(classes)) == 3, "classes may be called so, have sub-folders, and one of them nothing else"


@pytest.fixture
def quick_stages(tmp_path, monkeypatch):
    """An own folder; photos are not looked for, since that trains a network."""
    calls = []

    def find_photos(catalog, *_, **__):
        calls.append(len(catalog))
        return no_photos(catalog)

    monkeypatch.setattr(pipeline, "find_photos", find_photos)
    folder = write_class_folders(tmp_path / "images", n=6)
    shutil.copy(folder / "L2_2" / "0.png", folder / "L2_2" / "copy.png")
    (folder / "L2_33" / "bad.png").write_text("text")
    return folder, calls


def test_clean_and_review_read_the_tables_of_the_run_before(quick_stages, tmp_path, monkeypatch, capsys):
    folder, calls = quick_stages
    before = snapshot(folder)
    (tmp_path / "taken").mkdir()
    assert main(["clean", str(folder), str(tmp_path / "taken")]) == 2
    assert not calls, "refused before the stages"
    assert main(["clean", str(folder), str(tmp_path / "out")]) == 0
    assert "2 left out" in capsys.readouterr().out
    removed = pd.read_csv(tmp_path / "out" / "removed.csv", keep_default_na=False)
    assert removed.path.tolist() == ["L2_2/copy.png", "L2_33/bad.png"]
    assert len(list((tmp_path / "out").rglob("*.png"))) == 18
    assert main(["review", str(folder)]) == 0
    assert (tmp_path / "work/images/report/review.html").exists()
    assert len(calls) == 1

    drop(tmp_path / "work/images", folder / "L2_10" / "0.png")
    assert main(["clean", str(folder), str(tmp_path / "again")]) == 0
    removed = pd.read_csv(tmp_path / "again" / "removed.csv").set_index("path").reason
    assert removed["L2_10/0.png"] == "dropped by decision of 2026-11-23"
    assert len(calls) == 2
    assert snapshot(folder) == before

    pd.read_csv(tmp_path / "work/images/photos.csv").head(3).to_csv(tmp_path / "work/images/photos.csv")
    main(["review", str(folder)])
    assert len(calls) == 3, "a table that something else has written is made again"
    monkeypatch.setattr(pipeline, "code_of", lambda paths: "another")
    main(["review", str(folder)])
    assert len(calls) == 4, "as one that other code has made"


def test_a_look_at_a_part_is_not_taken_for_the_stage_of_the_whole_folder(quick_stages):
    folder, calls = quick_stages
    tables, work = pipeline.clean(folder), work_folders.work_dir(folder)
    assert write_photos(tables.photos.iloc[::2], tables.catalog, work).name == "photos_of_a_part.csv"
    pd.testing.assert_frame_equal(pipeline.clean(folder).photos, tables.photos)
    assert len(calls) == 1
    assert write_photos(tables.photos, tables.catalog, work).name == "photos.csv"


def test_a_file_name_that_is_not_utf8_is_told_also_after_a_run_without_it(quick_stages, tmp_path, capsys):
    folder, calls = quick_stages
    assert main(["clean", str(folder), str(tmp_path / "out")]) == 0
    try:
        shutil.copy(folder / "L2_2" / "1.png", os.fsencode(folder / "L2_2") + "/그림.png".encode("cp949"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert main(["clean", str(folder), str(tmp_path / "again")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("illus clean: error: the name 'L2_2/\\udcb1")
    assert line.endswith(".png' is not in UTF-8: rename the file or folder")
    assert len(calls) == 1


def test_labels_writes_its_table_and_the_review_page_shows_it(quick_stages, tmp_path, monkeypatch, capsys):
    folder, _ = quick_stages
    doubted = pd.DataFrame({"path": ["L2_2/1.png"], "class_name": "L2_2", "suggested": "L2_33", "score": 0.9})
    monkeypatch.setattr(pipeline, "find_label_errors", lambda dataset, folder, work: doubted)
    assert main(["labels", str(folder)]) == 0
    assert "1 of 18 labels are in doubt" in capsys.readouterr().out
    written = pd.read_csv(tmp_path / "work/images/labels.csv")
    pd.testing.assert_frame_equal(written.drop(columns="sha256"), doubted)
    page = tmp_path / "work/images/report/review.html"
    assert main(["review", str(folder)]) == 0
    assert "the network says L2_33" in page.read_text("utf-8")
    shutil.copy(folder / "L2_33" / "1.png", folder / "L2_2" / "1.png")
    assert main(["review", str(folder)]) == 0
    assert "the network says" not in page.read_text("utf-8"), "it has not judged this image"
    (folder / "L2_2" / "1.png").rename(folder / "L2_33" / "moved.png")
    assert main(["review", str(folder)]) == 0, "a file was moved to the class that was suggested"
    assert "L2_2/1.png" not in page.read_text("utf-8")


def test_after_an_interruption_old_duplicates_are_not_taken_for_new_ones(quick_stages, monkeypatch):
    folder, _ = quick_stages
    assert pipeline.clean(folder).duplicates.path.tolist() == ["L2_2/0.png", "L2_2/copy.png"]
    shutil.copy(folder / "L2_10" / "1.png", folder / "L2_10" / "copy.png")

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(pipeline, "find_duplicates", stop)
        pipeline.clean(folder)
    found = pipeline.clean(folder).duplicates
    assert found.path.tolist() == ["L2_10/1.png", "L2_10/copy.png", "L2_2/0.png", "L2_2/copy.png"]


def test_a_table_with_fewer_files_or_a_held_out_part_is_not_taken_for_all(quick_stages, monkeypatch):
    monkeypatch.setenv("PROFILE", "full")
    folder = write_class_folders(quick_stages[0].parent / "more", n=24)
    whole = pipeline.experiment_data(folder)
    table = work_folders.work_dir(folder) / "dataset.csv"
    write_table(read_table(table).groupby("class_name").head(20), table)
    assert len(pipeline.experiment_data(folder)) == 60, "what a notebook left is read"
    assert data_hash(pipeline.experiment_data(folder, anew=True)) == data_hash(whole)
    pipeline.prepare(folder, held_out=0.2)
    assert "test" in set(read_table(table).split)
    assert data_hash(pipeline.experiment_data(folder)) == data_hash(whole)


def test_nothing_is_held_out_of_experiments_where_there_are_test_folders(quick_stages, tmp_path):
    folder = write_class_folders(tmp_path / "data" / "training", n=24)
    assert set(pipeline.experiment_data(folder).split) == {"train", "validation", "test"}
    write_class_folders(tmp_path / "data" / "test", n=1)
    assert set(pipeline.experiment_data(folder, anew=True).split) == {"train", "validation"}


def test_what_a_notebook_balances_reaches_training(quick_stages):
    folder = write_class_folders(quick_stages[0].parent / "more", n=24)
    for path in sorted((folder / "L2_33").iterdir())[8:]:
        path.unlink()
    assert pipeline.prepare(folder).copies.max() == 2, "the square root of 24 / 8, rounded up and down"
    for strategy in ("none", "upsample"):
        plain = split(scan(folder), seed=profiles.SEED)
        write_dataset(resample(plain, strategy, profiles.SEED), work_folders.work_dir(folder))
        trained_on = pipeline.experiment_data(folder)
        shown = trained_on[trained_on.split == "train"].groupby("class_name").copies.mean()
        assert shown[["L2_2", "L2_10"]].tolist() == [1, 1]
        assert (shown["L2_33"] > 2.5) == (strategy == "upsample")


@pytest.mark.parametrize("names", [["1", "2", "10"], ["007", "008"], ["A", "B", "NA"]], ids="-".join)
def test_class_names_stay_text_from_table_to_table(names, quick_stages, tmp_path, monkeypatch):
    colours = dict(zip(names, COLOURS.values(), strict=False))
    folder = write_class_folders(tmp_path / "named", colours, n=24)
    made, stored = (pipeline.experiment_data(folder) for _ in range(2))
    assert made.class_name.unique().tolist() == names
    assert data_hash(made) == data_hash(stored)
    (test,) = pipeline.folders_to_score(stored, folder)
    assert sorted(path.name for path in test.iterdir()) == sorted(names)
    (other,) = pipeline.folders_to_score(stored, folder, "test")
    assert other != test, "what one split holds out, a network of another may have seen"
    doubted = made.head(1)[["path", "class_name"]].assign(suggested=names[1], score=0.99)
    monkeypatch.setattr(pipeline, "find_label_errors", lambda dataset, folder, work: doubted)
    pipeline.check_labels(folder)
    page = pipeline.write_review_page(folder).read_text("utf-8")
    assert json.dumps([names[1], names[0]]) in page


def test_a_part_is_copied_to_folders_of_class_names_and_no_file_replaces_another(tmp_path):
    rows = [("A/1.png", "B", "test"), ("B/A/1.png", "B", "test"), ("A/3.png", "A", "train")]
    dataset = pd.DataFrame(rows, columns=["path", "class_name", "split"], index=[3, 1, 1])
    folder = write_files(tmp_path / "images", {path: path.encode() for path in dataset.path})
    target = tmp_path / "test"
    (target / "old").mkdir(parents=True)
    pipeline.copy_part(dataset, folder, "test", target)
    assert files_below(target) == {"B/A-2/1.png": b"A/1.png", "B/A/1.png": b"B/A/1.png"}
    assert [path.name for path in target.iterdir()] == ["B"]
