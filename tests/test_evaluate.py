"""evaluate.py as graders run it, with a network whose answers are known."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from conftest import COLOURS, draw, run_python, save_colour_network, write_class_folders, write_files
from sklearn.metrics import f1_score

import evaluate

SCRIPT = Path(evaluate.__file__)


@pytest.fixture
def run(capfd):
    def command(*arguments):
        try:
            code = evaluate.main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
        out, err = capfd.readouterr()
        return code, out, err

    return command


def test_perfect_network_scores_one(run, class_folder_tree, colour_weights, tmp_path):
    code, out, err = run(class_folder_tree, colour_weights, "--batch-size", "1", "--json", tmp_path / "s")
    assert (code, err) == (0, ""), "nothing but the scores; progress is for terminals"
    scores = json.loads((tmp_path / "s").read_text())
    assert set(scores) == set(evaluate.Result.__annotations__)
    assert (scores["macro_f1"], scores["micro_f1"], scores["n_images"]) == (1, 1, 18)
    assert list(scores["per_class"]) == list(COLOURS)
    assert set(scores["per_class"]["L2_2"]) == {"precision", "recall", "f1", "support"}
    assert "18 images scored, 0 files not readable" in out
    assert "macro F1  1.0000  (mean over 3 classes)" in out
    assert "micro F1  1.0000" in out


def test_scores_with_known_mistakes(class_folder_tree, colour_weights):
    for i in range(3):  # half of the greens are red, and one of the blues
        draw(COLOURS["L2_2"], i).save(class_folder_tree / "L2_10" / f"{i}.png")
    draw(COLOURS["L2_2"]).save(class_folder_tree / "L2_33" / "0.png")
    result, rows, _ = evaluate.evaluate(class_folder_tree, colour_weights)
    f1 = {"L2_2": 12 / 16, "L2_10": 6 / 9, "L2_33": 10 / 11}
    assert {n: c["f1"] for n, c in result["per_class"].items()} == pytest.approx(f1)
    assert result["macro_f1"] == pytest.approx(sum(f1.values()) / 3)
    assert result["micro_f1"] == pytest.approx(14 / 18)
    true, predicted = zip(*((r["class_name"], r["predicted"]) for r in rows), strict=True)
    assert result["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert result["micro_f1"] == pytest.approx(f1_score(true, predicted, average="micro"))
    found = {n: (c["precision"], c["recall"], c["support"]) for n, c in result["per_class"].items()}
    assert found == {"L2_2": (0.6, 1, 6), "L2_10": (1, 0.5, 6), "L2_33": (1, pytest.approx(5 / 6), 6)}


@pytest.mark.parametrize(
    ("training", "line"),
    [
        ({"data_name": "emoji20", "data_hash": "e5c620d052ab"}, "trained on emoji20 (data e5c620d052ab)"),
        ({"note": "by construction"}, "trained on unknown data"),
        ({"data_name": "\x1b[2J\n", "data_hash": ["x", "x", 7]}, "trained on \\x1b[2J\\n (data x, 7)"),
        ({"data_name": "x" * 10_000, "data_hash": 5}, f"trained on {'x' * 80} (data 5)"),
    ],
)
def test_the_data_that_the_weights_were_trained_on_are_named(training, line):
    assert evaluate.trained_on(training) == line


def test_classes_without_images_are_named_and_cost_recall_alone(run, colour_weights, tmp_path):
    folder = write_class_folders(tmp_path / "t", {"L2_10": COLOURS["L2_10"]}, n=4)
    draw(COLOURS["L2_2"]).save(folder / "L2_10" / "0.png")
    (folder / "unsorted").mkdir()
    code, out, err = run(folder, colour_weights)
    assert (code, err) == (0, "")
    assert "'unsorted'" in out, "a folder without images is no class"
    assert f"macro F1  {2 * 0.75 / 1.75:.4f}  (mean over 1 classes)" in out
    assert "micro F1  0.7500" in out
    assert "micro avg" not in out
    assert "no images of 2 known classes: L2_2, L2_33" in out


def test_class_order_is_that_of_the_weights(class_folder_tree, tmp_path):
    save_colour_network(tmp_path / "w.h5", ["L2_33", "L2_2", "L2_10"])  # red is called L2_33
    result, rows, _ = evaluate.evaluate(class_folder_tree, tmp_path / "w.h5")
    assert result["macro_f1"] == 0
    assert {r["predicted"] for r in rows if r["class_name"] == "L2_2"} == {"L2_33"}


def test_unreadable_files_are_listed_and_the_run_goes_on(run, class_folder_tree, colour_weights, tmp_path):
    (class_folder_tree / "L2_2" / "나쁜 파일.jpg").write_text("text")
    (class_folder_tree / "L2_10" / "empty.png").touch()
    (class_folder_tree / "L2_33" / os.fsdecode(b"\xff.png")).write_bytes(b"x")  # a name that is not Unicode
    table = tmp_path / "s.csv"
    code, out, _ = run(class_folder_tree, colour_weights, "--json", tmp_path / "s", "--csv", table)
    scores = json.loads((tmp_path / "s").read_text("utf-8"))
    assert code == 0
    assert scores["n_images"] == 18
    listed = {"L2_2/나쁜 파일.jpg", "L2_10/empty.png", "L2_33/\udcff.png"}
    assert {u["path"] for u in scores["unreadable"]} == listed
    assert "18 images scored, 3 files not readable" in out
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 21
    assert [r["predicted"] for r in rows if r["error"]] == [""] * 3
    assert rows[-1]["path"] == "L2_33/\\udcff.png"


def test_a_reason_that_holds_a_name_stays_on_its_line(class_folder_tree, colour_weights):
    (class_folder_tree / "L2_2" / "bad.png").write_bytes(b"x")
    result, rows, description = evaluate.evaluate(class_folder_tree, colour_weights)
    result["unreadable"][0]["reason"] = "cannot be opened: x\nmacro F1  1.0000\x1b[2J"
    report = evaluate.format_result(result, rows, description.class_names)
    assert "cannot be opened: x\\nmacro F1  1.0000\\x1b[2J" in report


def test_figure_is_drawn(run, class_folder_tree, colour_weights, tmp_path):
    assert run(class_folder_tree, colour_weights, "--figure", tmp_path / "f.PNG")[0] == 0
    assert evaluate.decode_image((tmp_path / "f.PNG").read_bytes()).std() > 5
    assert run(class_folder_tree, colour_weights, "--figure", tmp_path / "f.svg")[0] == 0
    assert (tmp_path / "f.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_an_output_for_which_there_is_no_room_is_one_line_after_the_scores(
    run, class_folder_tree, colour_weights
):
    code, out, err = run(class_folder_tree, colour_weights, "--json", "/dev/full")
    assert (code, err.count("error:")) == (2, 1)
    assert "macro F1  1.0000" in out


@pytest.mark.parametrize("name", ["s.json", "점수" * 41 + ".json"])  # of 251 bytes
@pytest.mark.parametrize("is_old", [False, True])
def test_an_output_is_the_old_file_or_the_whole_new_one(tmp_path, name, is_old):
    old = {name: b"old"} if is_old else {}
    path = write_files(tmp_path, old) / name
    for written, error in ((True, OSError), (True, KeyboardInterrupt), (False, OSError), (False, None)):
        with pytest.raises(error or FileNotFoundError), evaluate.atomic_write(path) as partial:
            if written:
                partial.write_bytes(b"wh")
            if error:
                raise error
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == old
    with evaluate.atomic_write(path) as partial:
        partial.write_bytes(b"whole")
        assert path.exists() == bool(old), "until the block ends"
        assert (partial.parent, partial.suffix) == (tmp_path, ".json")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {name: b"whole"}


def test_an_output_is_written_through_links_and_to_pipes_and_keeps_its_mode(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old.csv").write_text("old")
    (tmp_path / "elsewhere" / "old.csv").chmod(0o600)
    (tmp_path / "link.csv").symlink_to("elsewhere/old.csv")
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    for name in ("link.csv", "pipe", "new.csv"):
        with evaluate.atomic_write(tmp_path / name) as partial:
            partial.write_bytes(b"new")
    reader.join(20)
    assert got == [b"new"]
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "elsewhere" / "old.csv").read_bytes() == b"new"
    assert (tmp_path / "elsewhere" / "old.csv").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "link.csv", "new.csv", "pipe"]
    with open(tmp_path / "out.txt", "wb", buffering=0) as out:
        out.write(b"before ")
        if Path(f"/dev/fd/{out.fileno()}").exists():
            with evaluate.atomic_write(f"/dev/fd/{out.fileno()}") as partial:
                partial.write_bytes(b"after")
            assert (tmp_path / "out.txt").read_bytes() == b"before after"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no shared memory in the file system")
def test_a_file_in_shared_memory_is_replaced_and_not_written_on():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for text in ("first", "second"):
            with evaluate.atomic_write(Path(folder, "out.json")) as partial:
                partial.write_text(text)
        assert Path(folder, "out.json").read_text() == "second"


def test_an_output_that_must_not_be_one_is_refused(run, class_folder_tree, colour_weights, tmp_path):
    weights, image = shutil.copy(colour_weights, tmp_path / "w.h5"), class_folder_tree / "L2_2" / "0.png"
    (tmp_path / "link.csv").symlink_to(image)
    before = Path(weights).read_bytes(), image.read_bytes()
    for options, message in (
        (("--csv", image), "is an input"),
        (("--csv", tmp_path / "link.csv"), "is an input"),
        (("--json", weights), "is an input"),
        (("--json", tmp_path / "x", "--csv", tmp_path / "x"), "are one file"),
        (("--json", tmp_path / "missing" / "x.json"), "no such folder"),
        (("--csv", class_folder_tree), "is a folder"),
        (("--csv", ""), "is a folder"),
    ):
        code, out, err = run(class_folder_tree, weights, *options)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert (Path(weights).read_bytes(), image.read_bytes()) == before


def test_an_output_beside_the_class_folders_is_replaced(run, class_folder_tree, colour_weights):
    for _ in range(2):
        code, _, err = run(class_folder_tree, colour_weights, "--csv", class_folder_tree / "scores.csv")
        assert (code, err) == (0, "")


def test_a_terminated_process_leaves_no_partial_file(tmp_path):
    code = f"""if True:
        import signal, sys, time
        sys.path.insert(0, {str(SCRIPT.parent)!r})
        import evaluate
        signal.signal(signal.SIGTERM, evaluate.stop)
        with evaluate.atomic_write(sys.argv[1]) as partial:
            partial.write_text("half")
            print("ready", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", code, tmp_path / "s.csv"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout.readline() == b"ready\n"
    child.terminate()
    child.communicate(timeout=60)
    assert list(tmp_path.iterdir()) == []


def scored_with(environment, folder, weights):
    done = run_python(SCRIPT, folder, weights, env=os.environ | environment)
    return done.returncode, done.stdout, done.stderr


def test_the_keras_settings_of_the_user_change_no_score(class_folder_tree, colour_weights, tmp_path):
    settings = {"floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings | {"backend": "tensorflow"}))
    code, out, err = scored_with({"KERAS_HOME": str(tmp_path)}, class_folder_tree, colour_weights)
    assert (code, err) == (0, "")
    assert "macro F1  1.0000" in out


def test_a_backend_that_is_not_there_is_one_line_and_code_2(class_folder_tree, colour_weights):
    code, out, err = scored_with({"KERAS_BACKEND": "nonsense"}, class_folder_tree, colour_weights)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "KERAS_BACKEND" in err


def test_files_are_read_ahead_in_order_and_only_as_far_as_the_window(monkeypatch):
    taken = []

    def paths():
        for number in range(20):
            taken.append(number)
            yield number

    monkeypatch.setattr(evaluate, "READ_AHEAD_FILES", 5)
    monkeypatch.setattr(evaluate, "read_fitted", lambda number, size, fit: number**2)
    with evaluate.read_ahead(paths(), 16, "pad") as answers:
        assert taken == list(range(5)), "before the first answer is asked for"
        assert next(answers) == 0
        assert len(taken) == 6
        assert list(answers) == [number**2 for number in range(1, 20)]
    with evaluate.read_ahead([], 16, "pad") as answers:
        assert list(answers) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_scores_that_cannot_be_printed_are_an_error_and_written_all_the_same(
    class_folder_tree, colour_weights, tmp_path
):
    command = [sys.executable, SCRIPT, class_folder_tree, colour_weights, "--json", tmp_path / "scores.json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n"), "No space" in done.stderr) == (2, 1, True)
    assert json.loads((tmp_path / "scores.json").read_text())["macro_f1"] == 1


BAD_INPUT = [
    ("nowhere", "good.h5", "no such folder"),
    ("empty", "good.h5", "no class folders"),
    ("all bad", "nowhere.h5", "no such weights file"),
    ("all bad", "bad.h5", "not an HDF5 file"),
    ("unknown", "good.h5", "which it does not know. Folders: L2_2, L2_99"),
    ("all bad", "good.h5", "no readable image"),
]


def test_bad_input_is_one_line_and_code_2_before_keras_is_imported(colour_weights, tmp_path):
    (tmp_path / "empty").mkdir()
    files = ("all bad/L2_2/a.png", "unknown/L2_2/a.png", "unknown/L2_99/a.png")
    write_files(tmp_path, dict.fromkeys(files, b"x"))
    shutil.copy(colour_weights, tmp_path / "good.h5")
    (tmp_path / "bad.h5").write_bytes(b"not HDF5")
    code = f"""
import evaluate, sys
for folder, weights, _ in {BAD_INPUT}:
    print(evaluate.main([folder, weights]), 'keras' in sys.modules)
"""
    done = run_python("-c", code, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(SCRIPT.parent)})
    said = ["2 False"] * 5 + ["2 True"]  # what the images are shows when they are read
    assert done.stdout.splitlines() == said
    for line, (*_, message) in zip(done.stderr.splitlines(), BAD_INPUT, strict=True):
        assert message in line


WRONG = ("--batch-size 0", "--batch-size 999999999", "--what", "--figure matrix.docx")


@pytest.mark.parametrize(
    "arguments", [[], ["x"], ["", "b"], ["a", ""], *(["a", "b", *options.split()] for options in WRONG)]
)
def test_bad_arguments_are_one_line_and_code_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert err.count("\n") == 1


def test_copied_away_with_only_the_weights_it_still_works(class_folder_tree, colour_weights, tmp_path):
    away = tmp_path / "다른 곳"
    away.mkdir()
    shutil.copy(SCRIPT, away)
    shutil.copy(colour_weights, away / "best.h5")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = ["evaluate.py", class_folder_tree, "best.h5", "--json", "s.json"]
    done = run_python(*command, cwd=away, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((away / "s.json").read_text())["macro_f1"] == 1
