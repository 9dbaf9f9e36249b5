"""The command line: ``python -m illus COMMAND``.

Nothing heavy is imported until a command runs, so that ``--help`` answers at once. A command returns nothing,
or raises an error whose message is one sentence.
"""

import argparse
import importlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from illus import profiles, work_folders
from illus.files.layout import check_layout

Command = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """Answers wrong arguments in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def emoji20(options: argparse.Namespace) -> None:
    """Build the open data set, or draw a sheet of it."""
    from illus.emoji20 import command

    if options.image:
        check_output(options.image, options.out)
        command.draw_sheet(options.out, options.image)
    else:
        command.build_data_set(options.out, options.seed, options.limit, options.real_shares)


def data(options: argparse.Namespace) -> None:
    """Bring class folders from a URL."""
    from illus.files.archive import fetch

    fetch(options.url)


def run(options: argparse.Namespace) -> None:
    """All stages, the scores and the notebooks."""
    if options.recipe and profiles.profile().name != "full":
        raise ValueError("--recipe trains for hours: set PROFILE=full, as make weights does")
    folder = class_folders_of(options)
    pipeline = load_pipeline()
    from evaluate import read_description
    from illus.emoji20 import truth
    from illus.report import assemble

    if options.recipe:
        pipeline.run_weights(folder)
        return
    if not work_folders.is_emoji20(folder):
        pipeline.run(folder)
    else:
        weights, tests = work_folders.SHIPPED_WEIGHTS, work_folders.test_folders(folder)
        labels = truth.class_names(folder).label.to_dict()
        scored = assemble.score_folders(tests, weights, assemble.report_dir(folder), labels)
        pipeline.tell_leaks(folder, scored, read_description(weights).class_names)
    if not options.no_notebooks:
        assemble.run_notebooks(folder)
    print(f"\nreport: {assemble.write_report(folder)}")


def report(options: argparse.Namespace) -> None:
    """Notebooks, review page and scores as pages, without running anything."""
    folder = class_folders_of(options)
    from illus.report import assemble

    print(f"report: {assemble.write_report(folder)}")


def leaks(options: argparse.Namespace) -> None:
    """Which test images are copies of training images."""
    check_folder(options.training)
    check_folder(options.test)
    check_output(options.csv, options.training, options.test)
    from illus.copies.leaks import find_leaks, format_leaks
    from illus.parallel import write_table

    table = find_leaks(options.training, options.test)
    if options.csv:
        write_table(table, options.csv)
    print(format_leaks(table))


def labels(options: argparse.Namespace) -> None:
    """Which labels a network that was trained on the other images rejects."""
    folder = class_folders_of(options)
    pipeline = load_pipeline()
    print(pipeline.check_labels(folder))


def review(options: argparse.Namespace) -> None:
    """A page on which a person decides about copies, photos and labels."""
    folder = class_folders_of(options)
    pipeline = load_pipeline()
    print(f"review page: {pipeline.write_review_page(folder)}")


def clean(options: argparse.Namespace) -> None:
    """A folder of what is kept."""
    folder = class_folders_of(options)
    pipeline = load_pipeline()
    print(pipeline.write_cleaned_folder(folder, options.out))


def predict(options: argparse.Namespace) -> None:
    """Classes of images without a class."""
    check_output(options.csv, options.folder, options.weights)
    from evaluate import atomic_write, format_csv
    from illus.learn.predict import format_predictions
    from illus.learn.predict import predict as predict_folder

    table = predict_folder(options.folder, options.weights, options.top)
    if not options.csv:
        print(format_predictions(table))
        return
    with atomic_write(options.csv) as partial:
        partial.write_bytes(format_csv(table.to_dict("records")))
    if n_unreadable := int(table.error.ne("").sum()):
        print(f"{n_unreadable} of {len(table)} files not readable: see the column error", file=sys.stderr)


def load_pipeline() -> ModuleType:
    """The stages, imported without the notices that TensorFlow prints while it loads."""
    from evaluate import import_keras

    import_keras()
    return importlib.import_module("illus.pipeline")


def export(options: argparse.Namespace) -> None:
    """Weights in the format of another program."""
    check_output(options.out, options.weights)
    from evaluate import import_keras

    import_keras()
    from illus.learn.interchange import export_to

    description = export_to(options.weights, options.out, options.format)
    print(f"{options.out}: {len(description.class_names)} classes, {description.input_size} px")


def class_folders_of(options: argparse.Namespace) -> Path:
    """The folder that was named, else ``DATA_DIR``, else emoji20, which ``run`` builds if it is missing."""
    if options.folder:
        os.environ["DATA_DIR"] = str(options.folder)  # by which notebooks learn of it
    profiles.profile()  # an unknown one is told before the stages
    folder = work_folders.data_dir()
    if not work_folders.is_emoji20(folder):
        check_folder(folder)
    elif options.command is run:
        if not (work_folders.EMOJI20 / "truth.csv").exists():
            from illus.emoji20.command import build_data_set

            build_data_set(work_folders.EMOJI20)
    # report does without emoji20, as the recorded notebooks are there
    elif options.command is not report or not any(Path().glob("0*.ipynb")):
        check_folder(folder, "build it by python -m illus emoji20, or name your own folder")
    return folder


def check_folder(folder: Path, cure: str = "name a folder that has a sub-folder for each class") -> None:
    """ValueError if there is no such folder, or it is one of parts, with what to do about it."""
    if not folder.is_dir():
        raise ValueError(f"{'not a' if folder.exists() else 'no such'} folder: {folder}: {cure}")
    check_layout(folder)


def check_output(path: Path | None, *inputs: Path) -> None:
    """ValueError, before the work, if this file could not be written, or is one of the inputs."""
    from evaluate import check_outputs

    check_outputs([path] if path else [], *inputs)


def path_of(text: str) -> Path:
    """The path that an argument names; not of an empty one, as of an unset variable, which would be ``.``."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = Parser(
        prog="python -m illus",
        description="Check, clean and classify folders of illustrations, one sub-folder per class.",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def add(command: Command, text: str, example: str) -> argparse.ArgumentParser:
        name = command.__name__
        added = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example: python -m illus {name} {example}",
        )
        added.set_defaults(command=command)
        return added

    _add_data_commands(add)
    _add_folder_commands(add)
    return top


def _add_data_commands(add: Callable[[Command, str, str], argparse.ArgumentParser]) -> None:
    """Commands that bring data, or use finished weights."""
    to = add(emoji20, "build the open data set emoji20, in which the truth is known", "--out data/emoji20")
    folder: dict[str, Any] = {"type": path_of, "metavar": "FOLDER"}
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    to.add_argument("--out", default=work_folders.EMOJI20, help="must not exist (%(default)s)", **folder)
    to.add_argument("--limit", help="draw about N icons only; needs --out", **number)
    text = "leave drawings out, until the largest class is 34 times the smallest; needs --out"
    to.add_argument("--real-shares", action="store_true", help=text)
    text = "draw a sheet of the built data set and stop"
    to.add_argument("--image", type=path_of, metavar="FILE", help=text)
    text = "another seed gives another collection; needs --out (%(default)s)"
    to.add_argument("--seed", default=profiles.SEED, help=text, **number)
    to = add(data, f"download class folders into {work_folders.DOWNLOADED}", "https://…/images.zip")
    text = "an archive at http://, https:// or file://; or a folder or an archive at s3://, gs://, … (fsspec)"
    to.add_argument("url", metavar="URL", help=text)
    to = add(leaks, "list test images that are copies of training images", "images/training images/test")
    to.add_argument("training", type=path_of, metavar="TRAINING", help="class folders")
    to.add_argument("test", type=path_of, metavar="TEST", help="class folders")
    to.add_argument("--csv", type=path_of, metavar="FILE", help="write the table")
    to = add(predict, "predict the classes of images that have none", "new_images weights/best.h5 --top 3")
    to.add_argument("folder", type=path_of, metavar="FOLDER", help="images at any depth")
    to.add_argument("weights", type=path_of, metavar="WEIGHTS", help="what notebook 04 or run exported")
    to.add_argument("--csv", type=path_of, metavar="FILE", help="write the table instead of printing it")
    to.add_argument("--top", type=int, default=3, metavar="N", help="classes to show (%(default)s)")
    to = add(export, "write weights for another program", "weights/best.h5 best.onnx --format onnx")
    to.add_argument("weights", type=path_of, metavar="WEIGHTS", help="what notebook 04 or run exported")
    to.add_argument("out", type=path_of, metavar="OUT", help="file to write: .keras, .onnx or .tflite")
    to.add_argument("--format", required=True, choices=("keras", "onnx", "litert"), help="see docs/growth.md")


def _add_folder_commands(add: Callable[[Command, str, str], argparse.ArgumentParser]) -> None:
    """Commands that work on class folders and keep their tables in ``work/<dataset>``."""
    described = {
        run: "clean, train, score, and run the notebooks",
        labels: "list images whose label is doubtful, with the class suggested",
        review: "write a page on which a person decides what is removed",
        report: "put notebooks, review page and scores into one folder",
    }
    default = f"class folders (default: DATA_DIR, else {work_folders.EMOJI20 / 'training'})"
    for command, text in described.items():
        to = add(command, text, "path/to/class/folders")
        to.add_argument("folder", nargs="?", type=path_of, metavar="FOLDER", help=default)
        if command is run:
            recipe = "train what is shipped instead, from nothing; hours, resumable; with PROFILE=full"
            to.add_argument("--recipe", action="store_true", help=recipe)
            to.add_argument("--no-notebooks", action="store_true", help="leave the notebooks out")
    to = add(clean, "copy what is kept to a new folder of class folders", "path/to/class/folders cleaned")
    to.add_argument("folder", type=path_of, metavar="FOLDER", help="class folders; they are not changed")
    to.add_argument("out", type=path_of, metavar="OUT", help="must not exist")


def said_once(command: str) -> Callable[..., None]:
    """What prints a warning on one line, without the line of code that it comes from; the same one once."""
    said = set[str]()

    def show(message: Warning | str, *_: object) -> None:
        from evaluate import on_one_line

        if str(message) not in said:
            said.add(str(message))
            print(f"illus {command}: warning: {on_one_line(message)}", file=sys.stderr)

    return show


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success, 2 on an error, after one line that says it (130 for Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal cannot show
    options = parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notices, not a run's own warnings
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # about oddities of files that it reads
            warnings.showwarning = said_once(options.command.__name__)
            options.command(options)
    except (ValueError, OSError, FloatingPointError) as error:
        from evaluate import on_one_line

        print(f"illus {options.command.__name__}: error: {on_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nillus {options.command.__name__}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
