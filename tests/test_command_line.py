"""python -m illus: help that comes at once, errors in one line, and the report of a data set."""

import io
import os
import re
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import nbformat
import pytest
from conftest import run_python, snapshot, write_class_folders
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import illus
from illus import work_folders
from illus.__main__ import main
from illus.hashing import ROOT
from illus.report import assemble
from illus.report.assemble import run_notebooks, write_report
from illus.report.pages import NotebookError, Section, execute_notebook, render_notebooks, write_index

COMMANDS = ["emoji20", "data", "run", "report", "leaks", "labels", "review", "clean", "predict", "export"]
NEED_FOLDER = ("run", "labels", "review", "report")
HEAVY = ("numpy", "pandas", "keras", "cv2", "matplotlib", "sklearn", "evaluate")

pytestmark = pytest.mark.usefixtures("empty_place")


def test_help_comes_at_once_and_public_names_are_imported_when_they_are_asked_for():
    code = f"""
import contextlib, sys, illus, illus.__main__
for command in {COMMANDS}:
    with contextlib.suppress(SystemExit):
        illus.__main__.main([command, "--help"])
        sys.exit(f"{{command}} has no help")
assert not [m for m in {HEAVY} if m in sys.modules]
assert illus.scan.__module__ == "illus.files.catalog"
assert not {{"keras", "tensorflow"}} & set(sys.modules)
"""
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    assert set(illus.__all__) <= set(dir(illus))
    assert all(callable(getattr(illus, name)) for name in illus.__all__)
    with pytest.raises(AttributeError):
        illus.no_such  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["fly"], "invalid choice"),
        (["predict", "x", "y", "--top", "many"], "invalid int"),
        *(([command, ""], "argument FOLDER: the name is empty") for command in NEED_FOLDER),
        (["clean", "", "out"], "argument FOLDER: the name is empty"),
        (["clean", "folder", ""], "argument OUT: the name is empty"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert message in line
    assert "--help" in line


def test_names_that_the_terminal_cannot_show_are_escaped(monkeypatch):
    written = [io.BytesIO(), io.BytesIO()]
    for name, stream in zip(("stdout", "stderr"), written, strict=True):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(stream, "cp1252", write_through=True))
    monkeypatch.setattr("illus.report.assemble.write_report", lambda folder: "표정")
    monkeypatch.setattr("illus.__main__.class_folders_of", lambda options: Path("x"))
    assert main(["leaks", "없음", "."]) == 2
    assert main(["report", "x"]) == 0
    assert written[0].getvalue().strip() == b"report: \\ud45c\\uc815"
    assert b"\\uc5c6\\uc74c" in written[1].getvalue()


def test_a_warning_is_one_line_and_said_once(empty_place, monkeypatch, capsys):
    def warn(*_):
        for _ in range(2):
            warnings.warn("two\nlines", stacklevel=1)

    monkeypatch.setattr(assemble, "write_report", warn)
    write_class_folders(empty_place / "images", n=1)
    assert main(["report", "images"]) == 0
    assert capsys.readouterr().err == "illus report: warning: two\\nlines\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((f"{command} nowhere", "no such folder: nowhere") for command in NEED_FOLDER),
        *((f"{command} file", "not a folder: file") for command in NEED_FOLDER),
        *((command, "no such folder: data/emoji20/training") for command in NEED_FOLDER if command != "run"),
        ("clean nowhere out", "no such folder: nowhere"),
        ("leaks nowhere .", "no such folder: nowhere"),
        ("leaks . nowhere", "no such folder: nowhere"),
    ],
)
def test_a_missing_folder_is_one_line(arguments, message, empty_place, capsys):
    (empty_place / "file").touch()
    assert main(arguments.split()) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith(f"illus {arguments.split()[0]}: error: {message}")
    assert [path.name for path in empty_place.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "place"),
    [("leaks . .", "--csv"), ("predict . w.h5", "--csv"), ("export w.h5 --format keras", "")],
)
def test_a_file_that_would_have_no_place_is_refused_before_the_work(arguments, place, empty_place, capsys):
    for out, message in [("missing/x", "no such folder: missing"), (".", ". is a folder")]:
        assert main([*arguments.split(), *place.split(), out]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


@pytest.mark.parametrize(
    "arguments",
    [
        "leaks a b --csv b/L2_2/0.png",
        "predict b w.h5 --csv b/L2_2/0.png",
        "predict b w.h5 --csv link.png",
        "predict b w.h5 --csv w.h5",
        "export w.h5 w.h5 --format keras",
    ],
)
def test_an_output_that_is_an_input_is_refused(arguments, empty_place, capsys):
    for name in "ab":
        write_class_folders(empty_place / name, n=1)
    (empty_place / "w.h5").write_text("weights")
    (empty_place / "link.png").symlink_to("b/L2_2/0.png")
    before = snapshot(empty_place)
    assert main(arguments.split()) == 2
    assert "is an input" in capsys.readouterr().err
    assert snapshot(empty_place) == before


@pytest.mark.parametrize("arguments", [["run"], ["run", "--recipe"]])
def test_run_builds_emoji20_where_it_is_missing(arguments, empty_place, monkeypatch, capsys):
    def build(out):
        raise ValueError(f"{out} would be built")

    monkeypatch.setattr("illus.emoji20.command.build_data_set", build)
    monkeypatch.setenv("PROFILE", "full")
    assert main(arguments) == 2
    assert "data/emoji20 would be built" in capsys.readouterr().err


def test_emoji20_is_scored_with_its_weights_however_its_path_is_written(empty_place, monkeypatch, capsys):
    from illus import pipeline

    folder, scored = write_class_folders(empty_place / "data" / "emoji20" / "training", n=2), []
    (folder.parent / "truth.csv").touch()
    Path("link").symlink_to(folder.parent)

    def score(tests, weights, *_):
        scored.append(weights)
        raise ValueError("stop")

    monkeypatch.setattr(assemble, "score_folders", score)
    monkeypatch.setattr(pipeline, "run", lambda folder: pytest.fail("emoji20 would be trained on"))
    for spelled in ("data/../data/emoji20/training/", str(folder), "link/training"):
        assert main(["run", spelled]) == 2
    assert scored == [work_folders.SHIPPED_WEIGHTS] * 3
    assert not work_folders.is_emoji20("data/emoji20/test")
    monkeypatch.setenv("PROFILE", "full")
    write_notebook(empty_place / "01_a.ipynb", new_code_cell("1"))
    assert "01_a.html" in write_report(folder).read_text("utf-8"), "the recorded notebooks"
    assert main(["emoji20", "--limit", "5", "--out", str(folder.parent)]) == 2


def write_notebook(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


@pytest.mark.parametrize(
    ("source", "why"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("import os\nos._exit(9)", "the kernel died")],
)
def test_a_cell_that_fails_is_named_and_what_ran_is_kept(source, why, tmp_path, monkeypatch):
    def die(self, **settings):
        raise DeadKernelError("Kernel died before replying to kernel_info")

    cells = [new_code_cell("print(1)"), new_markdown_cell("text"), new_code_cell(source)]
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    with pytest.raises(NotebookError, match=rf"a\.ipynb, code cell 2: {why}.* failed/b\.ipynb"):
        execute_notebook(path, Path("b.ipynb"))
    assert nbformat.read(tmp_path / "failed" / "b.ipynb", 4).cells[0].outputs[0].text == "1\n"
    assert not (tmp_path / "b.ipynb").exists()
    monkeypatch.setattr("illus.report.pages.NotebookClient.execute", die)
    with pytest.raises(NotebookError, match=r"a\.ipynb, code cell 1: the kernel died"):
        execute_notebook(path, Path("b.ipynb"))


def test_a_failed_notebook_runs_again_and_is_not_shown_nor_changed(class_folder_tree, tmp_path, monkeypatch):
    monkeypatch.setenv("PROFILE", "quick")
    path = write_notebook(tmp_path / "01_a.ipynb", new_code_cell("print(open('wanted.txt').read())"))
    folder, before = class_folder_tree, path.read_bytes()
    failed = Path("work/images/notebooks/quick/failed/01_a.ipynb")
    for _ in range(2):
        with pytest.raises(NotebookError, match=r"code cell 1: FileNotFoundError"):
            run_notebooks(folder)
    assert failed.exists()
    assert "01_a.html" not in write_report(folder).read_text("utf-8")
    Path("wanted.txt").write_text("there")
    run_notebooks(folder)
    assert not failed.exists()
    executed = nbformat.read(assemble.executed_dir(folder) / "01_a.ipynb", 4)
    assert executed.cells[0].outputs[0].text == "there\n"
    assert path.read_bytes() == before
    assert "01_a.html" in write_report(folder).read_text("utf-8")


def test_notebooks_run_again_when_an_image_or_a_decision_changes(class_folder_tree, tmp_path, monkeypatch):
    folder, ran = class_folder_tree, []
    write_notebook(tmp_path / "01_a.ipynb", new_code_cell("1"))

    def execute(path, out, _):
        ran.append(path.name)
        out.parent.mkdir(parents=True, exist_ok=True)
        time.sleep(0.02)  # longer than a tick of the file system's clock
        out.write_bytes(path.read_bytes())
        return 0.0

    monkeypatch.setattr(assemble, "execute_notebook", execute)
    image, decisions = folder / "L2_2" / "0.png", Path("work/images/overrides.csv")
    decide = partial(decisions.write_text, "sha256,decision,value,path,date\n")
    old = partial(os.utime, decisions, (0, 0))  # as a file that was copied: its content counts, not its date
    Path("results").mkdir()
    weights, recorded = Path("work/images/best.h5"), Path("results/photos.csv")
    inputs = (image.touch, image.unlink, decide, old, decisions.unlink, weights.touch, recorded.touch)
    for number, change in enumerate((lambda: None, *inputs)):
        change()
        for _ in range(2):
            run_notebooks(folder)
        assert len(ran) == (1, 2, 3, 4, 4, 5, 6, 7)[number]


def test_a_page_needs_no_network_has_contents_and_hides_set_up(tmp_path):
    setup = new_code_cell("import secret_setup", metadata={"tags": ["hide-input"]})
    plain = new_code_cell("x = 1")
    markdown = "# Title & more\n\n## 1. First part\n\n```\n## no heading\n```\n\n## 2. 둘째\n\n"
    text = new_markdown_cell(f"{markdown}[n](b.ipynb#x) [d](README.md#y)")
    paths = [
        write_notebook(tmp_path / f"{name}.ipynb", text, setup, plain, new_code_cell("<script>alert(1)"))
        for name in "ab"
    ]
    pages = render_notebooks(paths, tmp_path / "out", note="a <note>")
    assert pages == [("a.html", "Title & more"), ("b.html", "Title & more")]
    page = (tmp_path / "out" / "a.html").read_text(encoding="utf-8")
    assert "https://" not in page.split("<body")[1]
    assert 'src="http' not in page
    assert page.count('<details class="setup">') == 1
    assert '<a href="#1.-First-part">' in page
    assert 'id="1.-First-part"' in page
    assert "no heading</a>" not in page
    assert "a &lt;note&gt;" in page
    assert '<a href="b.html#x">n</a>' in page
    (link,) = re.findall('<a href="([^"#]+)#y">d</a>', page)
    assert (tmp_path / "out" / link).read_bytes() == (ROOT / "README.md").read_bytes()
    plain = write_notebook(tmp_path / "plain.ipynb", new_code_cell("1"))
    pages = render_notebooks([plain], tmp_path / "out")
    assert pages == [("plain.html", "plain")], "the file's name for want of a title"


def test_what_a_killed_process_left_of_a_file_is_not_shown(class_folder_tree):
    report, executed = assemble.report_dir(class_folder_tree), assemble.executed_dir(class_folder_tree)
    executed.mkdir(parents=True)
    (report / ".test.7.partial.json").write_text("{")
    (executed / ".01_a.7.partial.ipynb").write_text("{")
    assert "partial" not in write_report(class_folder_tree).read_text("utf-8")


def test_scores_of_folders_that_are_not_scored_any_more_go(tmp_path):
    for name in ("test.json", "test.txt", "test_old.json", "test_old.png", "review.html", "mine.csv"):
        (tmp_path / name).touch()
    assemble.drop_scores(tmp_path, [Path("data/test")])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"mine.csv", "review.html", "test.json", "test.txt"}


def test_the_index_escapes_names_and_leaves_empty_sections_out(tmp_path):
    pages = [("a.html", "<i>A"), ("test #2%.html", "B")]
    sections = [Section("<b>Notebooks", "note", pages), Section("Nothing", "", [])]
    page = write_index(tmp_path, "<script>", sections).read_text(encoding="utf-8")
    assert not [text for text in ("<script>", "<b>", "<i>", "Nothing", "Scores") if text in page]
    assert 'href="test%20%232%25.html"' in page
