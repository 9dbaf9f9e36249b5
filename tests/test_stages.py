"""The data set as collected and after each cure, on tables with known answers."""

import pandas as pd

from illus.dataset.stages import stages_of_cleaning


def test_each_stage_lacks_what_its_cure_removes_and_all_have_one_validation_part():
    paths = ["a/1", "a/1copy", "a/2", "a/photo", "b/1", "b/2", "b/2copy", "b/broken"]
    catalog = pd.DataFrame({"path": paths, "class_name": [p[0] for p in paths], "sha256": paths, "error": ""})
    catalog.loc[7, "error"] = "truncated"
    rows = [("a/1", 1, True), ("a/1copy", 1, False), ("b/2", 2, True), ("b/2copy", 2, False)]
    duplicates = pd.DataFrame(rows, columns=["path", "group", "keep"])
    photos = pd.DataFrame({"path": paths[:-1], "is_photo": [path == "a/photo" for path in paths[:-1]]})
    kept = ["a/1", "a/2", "b/1", "b/2"]
    dataset = pd.DataFrame({"path": kept, "class_name": [p[0] for p in kept], "class_id": [0, 0, 1, 1],
                            "group": kept, "split": ["train", "train", "train", "validation"],
                            "copies": [1, 2, 3, 1], "sha256": kept})  # fmt: skip
    stages = stages_of_cleaning(catalog, duplicates, photos, dataset)
    training = {name: rows.path[rows.split == "train"].tolist() for name, rows in stages.items()}
    assert training == {
        "as collected": ["a/1", "a/1copy", "a/2", "a/photo", "b/1"],
        "without copies": ["a/1", "a/2", "a/photo", "b/1"],
        "without photographs": ["a/1", "a/2", "b/1"],
        "balanced": ["a/1", "a/2", "b/1"],
    }, "b/2copy would show a validation image in training"
    for name, rows in stages.items():
        assert rows.path[rows.split == "validation"].tolist() == ["b/2"]
        assert rows.columns.tolist() == dataset.columns.tolist()
        assert (rows.copies == 1).all() or name == "balanced"
    held = dataset.assign(split=dataset.split.mask(dataset.path == "a/1", "test"))
    for rows in stages_of_cleaning(catalog, duplicates, photos, held).values():
        assert rows.path[rows.split == "test"].tolist() == ["a/1"]
        assert "a/1copy" not in set(rows.path), "it would show an image of the part test in training"
