"""evaluate.py on folders as strangers leave them: every file is scored right, or listed with its reason."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import COLOURS, draw, encoded, write_class_folders, write_files
from PIL import Image

import evaluate

SCRIPT = Path(evaluate.__file__)
RED = COLOURS["L2_2"]


SCORED = {  # what each kind of file shows, test_decoder.py asks
    "one pixel.png": encoded(draw(RED).resize((1, 1))),
    "a line.png": encoded(Image.new("RGB", (1, 5000), RED)),
    "그림 하나.png": encoded(draw(RED)),
    "two\nlines.png": encoded(draw(RED)),
    "--help.png": encoded(draw(RED)),
    "UPPER.PNG": encoded(draw(RED)),
    "no ending": encoded(draw(RED)),
    "x" * 250 + ".png": encoded(draw(RED)),
    "in/a/folder/of/folders.png": encoded(draw(RED)),
    "large.png": encoded(Image.new("RGB", (3_000, 3_000), RED)),
}
LISTED = {  # why files are refused, test_decoder.py asks
    "cut.png": (encoded(draw(RED))[:-40], "damaged"),
    "empty.png": (b"", "empty file"),
    "text.jpg": (b"hello", "not a PNG"),
}


@pytest.fixture
def strange(tmp_path):
    folder = write_class_folders(tmp_path / "test", n=2)
    write_files(folder / "L2_2", SCORED | {name: data for name, (data, _) in LISTED.items()})
    (folder / "L2_10" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "L2_10" / "nowhere.png").symlink_to("nothing")
    os.mkfifo(folder / "L2_10" / "pipe.png")
    (folder / "a file where a folder is expected").write_text("x")
    return folder


def test_every_file_is_scored_right_or_listed(strange, colour_weights):
    result, rows, _ = evaluate.evaluate(strange, colour_weights)
    by_path = {row["path"]: row for row in rows}
    assert len(rows) == 6 + len(SCORED) + len(LISTED) + 3
    for name in SCORED:
        assert by_path[f"L2_2/{name}"]["predicted"] == "L2_2", name
    for name, (_, reason) in LISTED.items():
        assert reason in by_path[f"L2_2/{name}"]["error"], name
    for name, reason in {"loop": "a link", "nowhere.png": "a link", "pipe.png": "not a regular file"}.items():
        assert reason in by_path[f"L2_10/{name}"]["error"], name
    assert len(result["unreadable"]) == len(LISTED) + 3


def test_names_cannot_break_the_lines_of_the_report(strange, colour_weights, capfd):
    (strange / "L2_2" / "a\x1b[2Jb\nmacro F1 1.png").write_text("x")
    assert evaluate.main([str(strange), str(colour_weights)]) == 0
    out, _ = capfd.readouterr()
    assert "\x1b" not in out
    assert r"'L2_2/a\x1b[2Jb\nmacro F1 1.png'" in out
    write_files(strange, {"L2\n_9\x1b[2J/1.png": b""})
    assert evaluate.main([str(strange), str(colour_weights)]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n"), "\x1b" in err) == ("", 1, False)


def test_a_long_list_of_unknown_folders_is_cut_short(colour_weights, tmp_path, capfd):
    write_files(tmp_path, {f"L2_{number}/1.png": b"" for number in range(200)})
    assert evaluate.main([str(tmp_path), str(colour_weights)]) == 2
    err = capfd.readouterr().err
    assert "and 167 more, which it does not know" in err
    assert len(err) < 1_000


def test_a_folder_that_changes_while_it_is_read(class_folder_tree, colour_weights, monkeypatch):
    predict_files = evaluate.predict_files

    def meanwhile(*arguments):
        (class_folder_tree / "L2_2" / "0.png").unlink()
        (class_folder_tree / "L2_10" / "0.png").write_bytes(b"")
        (class_folder_tree / "L2_33" / "0.png").unlink()
        (class_folder_tree / "L2_33" / "0.png").mkdir()
        return predict_files(*arguments)

    monkeypatch.setattr(evaluate, "predict_files", meanwhile)
    result, _, _ = evaluate.evaluate(class_folder_tree, colour_weights)
    assert {u["path"] for u in result["unreadable"]} == {f"{name}/0.png" for name in COLOURS}
    assert result["n_images"] == 15


@pytest.mark.parametrize(("workers", "batch_size"), [(1, 1), (3, 7), (3, 64)])
def test_batches_workers_and_order_change_nothing(strange, colour_weights, workers, batch_size, monkeypatch):
    found = evaluate.inspect_weights(colour_weights)
    paths = [path for sub in evaluate.class_folders(strange).values() for path in evaluate.list_files(sub)]
    expected, readable, _ = evaluate.predict_files(colour_weights, found, paths)
    order = np.random.default_rng(workers + batch_size).permutation(len(paths))
    monkeypatch.setattr(os, "cpu_count", lambda: workers)
    turned = [paths[i] for i in order]
    shuffled, readable_turned, _ = evaluate.predict_files(colour_weights, found, turned, batch_size)
    assert np.array_equal(readable_turned, readable[order])
    position = np.cumsum(readable) - 1
    assert np.array_equal(shuffled, expected[position[order[readable[order]]]])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="cannot see what a process has loaded")
@pytest.mark.parametrize("seconds", [0, 0.5, 2])
def test_control_c_is_one_line_and_code_130_at_any_time(colour_weights, tmp_path, seconds):
    folder = write_class_folders(tmp_path / "test", n=2)
    write_files(folder, {"L2_2/large.png": Image.new("RGB", (7_000, 7_000), RED)})
    for number in range(40):
        os.link(folder / "L2_2" / "large.png", folder / "L2_2" / f"large {number}.png")
    command = [sys.executable, SCRIPT, folder, colour_weights, "--json", tmp_path / "scores.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():  # Python itself is up
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "evaluate.py: interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["test"]
