"""Images without classes: the answers of evaluate.py, and what is said about input that cannot be used."""

import numpy as np
import pytest
from conftest import COLOURS, draw, encoded, write_files

from evaluate import EvaluationError, evaluate, format_csv
from illus.learn.predict import format_predictions, likeliest, predict

RED, GREEN, BLUE = COLOURS


def test_the_answers_are_those_of_evaluate(class_folder_tree, colour_weights):
    folder = write_files(
        class_folder_tree,
        {
            f"{RED}/더 깊이/그림.webp": encoded(draw(COLOURS[BLUE], 77), "WEBP", lossless=True),
            f"{RED}/더 깊이/Thumbs.db": b"junk",
            f"{GREEN}/bad.png": b"text",
            f"{GREEN}/empty.jpg": b"",
        },
    )
    (folder / BLUE / "link.png").symlink_to(folder / BLUE / "0.png")
    rows = {row["path"]: row for row in evaluate(folder, colour_weights)[1]}
    table = predict(folder, colour_weights, top=1)
    assert sorted(table.path) == sorted(rows)
    assert "L2_2/더 깊이/그림.webp" in rows
    assert table.columns.tolist() == ["path", "class_1", "probability_1", "error"]
    for row in table.to_dict("records"):
        expected = rows[row["path"]]
        found = (row["class_1"], row["probability_1"], row["error"])
        assert found == (expected["predicted"], expected["probability"], expected["error"])
    assert (table.error != "").sum() == 3
    assert table.class_1.nunique() == 4, "three classes, and nothing for unreadable files"


def test_files_lie_at_any_depth_and_unreadable_ones_are_listed_in_order(tmp_path, colour_weights):
    files = {"10.png": draw(COLOURS[RED]), "2.png": draw(COLOURS[GREEN]), "a/b/1.png": draw(COLOURS[BLUE])}
    write_files(tmp_path, files | {"3.png": b"text"})
    table = predict(tmp_path, colour_weights)
    assert table.path.tolist() == ["2.png", "3.png", "10.png", "a/b/1.png"]
    assert table.class_1.tolist() == [GREEN, "", RED, BLUE]
    assert table.error.tolist()[::2] == ["", ""]
    assert "not a PNG" in table.error[1]
    assert set(table.loc[1, "class_1":"probability_3"]) == {""}
    assert b"3.png,,,,,,,not a PNG" in format_csv(table.to_dict("records")).replace(b'"', b"")


@pytest.mark.parametrize("top", [1, 2, 3, 20])
def test_the_likeliest_classes_come_first_and_there_are_no_more_than_the_model_knows(
    class_folder_tree, colour_weights, top
):
    table = predict(class_folder_tree, colour_weights, top)
    count = min(top, 3)
    assert table.filter(like="class").shape[1] == count
    values = table.filter(like="probability").astype(float).to_numpy()
    assert (np.diff(values, axis=1) <= 0).all()
    assert count < 3 or values.sum(1) == pytest.approx(1, abs=2e-4)
    assert (table.filter(like="class").nunique(axis=1) == count).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_bytes(b"a file"), "not a folder"),
        (lambda path: (path / "inside").mkdir(parents=True), "no files in"),
        (lambda path: write_files(path, {"1.png": b"text", "2.png": b""}), r"no readable image .* 1\.png"),
    ],
)
def test_a_folder_that_cannot_be_used_is_an_error_in_one_line(tmp_path, colour_weights, make, message):
    make(tmp_path / "images")
    with pytest.raises(EvaluationError, match=message) as error:
        predict(tmp_path / "images", colour_weights)
    assert "\n" not in str(error.value)


def test_less_than_one_class_and_weights_that_cannot_be_used_are_errors(class_folder_tree, tmp_path):
    with pytest.raises(EvaluationError, match="at least 1, not 0"):
        predict(class_folder_tree, "unread.h5", 0)
    with pytest.raises(EvaluationError, match="no such weights"):
        predict(class_folder_tree, tmp_path / "no.h5")


def test_equal_probabilities_are_in_class_order():
    table = likeliest(np.array([[0.25, 0.375, 0.375], [0.5, 0.5, 0.0]], np.float32), ["A", "B", "C"], 2)
    assert table.class_1.tolist() == ["B", "A"]
    assert table.class_2.tolist() == ["C", "B"]
    assert table.probability_2.tolist() == ["0.3750", "0.5000"]


def test_a_terminal_gets_the_classes_and_the_first_unreadable_files(tmp_path, colour_weights):
    red = {f"{i}.png": draw(COLOURS[RED], i) for i in range(3)}
    bad = {f"bad{i}\x1b[31m.png": b"text" for i in range(12)}
    write_files(tmp_path, red | {"blue.png": draw(COLOURS[BLUE])} | bad)
    lines = format_predictions(predict(tmp_path, colour_weights)).splitlines()
    assert sum("'bad" in line for line in lines) == 10
    assert [line.split()[::2] for line in lines[-2:]] == [["3", RED], ["1", BLUE]]
    assert all(line.isprintable() for line in lines)
