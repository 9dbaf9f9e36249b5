"""One data set -> its report: scores, executed notebooks and pages in ``work/<dataset>/report``.

In: weights, test folders, the notebooks of this repository, and what the stages left. Out: a folder to
open in a browser, ``index.html`` first.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

import evaluate
from evaluate import Description, Result, Row
from illus import profiles, work_folders
from illus.files.overrides import NAME as OVERRIDES
from illus.hashing import ROOT, digest
from illus.report.comparisons import confusion_matrix
from illus.report.pages import Section, execute_notebook, render_notebooks, write_index

REVIEW_PAGE = "review.html"
SCORE_FILES = (".json", ".csv", ".png", ".txt")  # of a test folder
RECORDED = "Recorded runs: the full profile, as committed."
QUICK = "A check that every cell runs on this machine: fewer images and epochs, so weaker numbers than above."
OWN = "Executed on this folder in the profile {}."
OF_EMOJI20 = "emoji20"  # tag of cells that say what the full profile finds on emoji20


def report_dir(folder: Path) -> Path:
    """Where the report of a data set goes; it is created."""
    report = work_folders.work_dir(folder) / "report"
    report.mkdir(exist_ok=True)
    return report


def notebooks() -> list[Path]:
    """The notebooks of this repository, in order."""
    return sorted(Path().glob("0*.ipynb"))


def score_folders(
    tests: Sequence[Path], weights: Path, report: Path, labels: Mapping[str, str] | None = None
) -> list[tuple[Result, list[Row]]]:
    """Score test folders as ``evaluate.py`` does, print the scores, and write them to the report.

    Result and rows of each folder, as :func:`evaluate.evaluate` gives them; ``labels`` are what figures call
    a class. evaluate.EvaluationError if a folder or the weights cannot be used.
    """
    scored = []
    drop_scores(report, tests)
    for test in tests:
        result, rows, description = evaluate.evaluate(test, weights)
        show_scores(report, result, rows, description, labels)
        scored.append((result, rows))
    return scored


def drop_scores(report: Path, tests: Sequence[Path]) -> None:
    """Delete the scores of other test folders from a report: earlier weights may have made them."""
    names = {test.name for test in tests}
    for path in [path for path in report.glob("[!.]*.json") if path.stem not in names]:
        for ending in SCORE_FILES:
            path.with_suffix(ending).unlink(missing_ok=True)


def show_scores(
    report: Path,
    result: Result,
    rows: list[Row],
    description: Description,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Print the scores of a test folder, and write them to a report: NAME.json, .csv, .png, and .txt last.

    ``result``, ``rows`` and ``description`` are from :func:`evaluate.evaluate`, ``labels`` what the figure
    calls a class.
    """
    test, names = Path(result["test_folder"]), description.class_names
    text = f"{evaluate.trained_on(description.training)}\n{evaluate.format_result(result, rows, names)}\n"
    print(f"\n== {test}\n{text}", flush=True)
    contents = (
        json.dumps(result, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        evaluate.format_csv(rows),
        matrix_image(rows, names, labels),
        text.encode("utf-8", "backslashreplace"),
    )
    for ending, content in zip(SCORE_FILES, contents, strict=True):
        with evaluate.atomic_write(report / f"{test.name}{ending}") as partial:
            partial.write_bytes(content)


def matrix_image(rows: list[Row], names: Sequence[str], labels: Mapping[str, str] | None = None) -> bytes:
    """The confusion matrix as a PNG file, see :func:`illus.report.comparisons.confusion_matrix`."""
    content = io.BytesIO()
    with rc_context({"font.family": evaluate.font_families()}):
        figure = Figure(figsize=(10, 10), layout="constrained")
        confusion_matrix(figure.subplots(), rows, names, labels)
        figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def run_notebooks(folder: Path) -> None:
    """Execute the notebooks on a data set; NotebookError if a cell failed.

    One that ran to its end is left out until it, the code, the recorded tables, the weights, the class
    folders, the test folders or a person's decisions change. Cells on what was found on emoji20 stay only
    where that is executed in full.
    """
    sources = [ROOT / "evaluate.py", *(ROOT / "illus").rglob("*.py"), *work_folders.RESULTS.glob("*.csv")]
    sources += filter(Path.exists, [work_folders.weights_path(folder)])
    for data in (folder, *work_folders.test_folders(folder)):
        sources += [data, *data.rglob("*")]  # a folder changes where a file is removed or renamed
    changed = max(map(_changed, sources))
    decisions = work_folders.work_dir(folder) / OVERRIDES
    decided = digest(decisions.read_text("utf-8-sig") if decisions.exists() else "")
    as_recorded = work_folders.is_emoji20(folder) and profiles.profile().name == "full"
    for path in notebooks():
        out = executed_dir(folder) / path.name
        stamp = out.with_suffix(".decisions")  # by content: the file may be deleted, or older than it looks
        is_current = out.exists() and out.stat().st_mtime > max(changed, _changed(path))
        if not (is_current and stamp.exists() and stamp.read_text() == decided):
            seconds = execute_notebook(path, out, "" if as_recorded else OF_EMOJI20)
            stamp.write_text(decided)
            print(f"{path.name} executed in {seconds:.0f} s", flush=True)


def executed_dir(folder: Path) -> Path:
    """Where executed notebooks of a data set and a profile lie."""
    return work_folders.work_dir(folder) / "notebooks" / profiles.profile().name


def write_report(folder: Path) -> Path:
    """Write the pages of a data set and their index; its path. Recorded notebooks of emoji20 come first."""
    report, name = report_dir(folder), work_folders.work_dir(folder).name
    executed = sorted(executed_dir(folder).glob("[!.]*.ipynb"))
    sections = []
    if work_folders.is_emoji20(folder):
        sections.append(Section("Notebooks", RECORDED, render_notebooks(notebooks(), report)))
    check, note = ("This machine", QUICK) if sections else ("Notebooks", OWN.format(profiles.profile().name))
    pages = render_notebooks(executed, report / "executed", "executed on this machine", index="../index.html")
    sections.append(Section(check, note, [(f"executed/{page}", title) for page, title in pages]))
    if (report / REVIEW_PAGE).exists():
        page = (REVIEW_PAGE, "Review page")
        sections.append(Section("Review", "Decide about copies, photos and labels.", [page]))
    return write_index(report, name, sections)


def _changed(path: Path) -> float:
    """When a file or folder was changed; of a link that, or what it leads to, whichever is later."""
    own = path.lstat().st_mtime
    return max(own, path.stat().st_mtime) if path.exists() else own
