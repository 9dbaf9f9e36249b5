"""Photographs held out by source picture, doses of them in one class, what is measured and drawn of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, write_class_folders
from PIL import Image

from benchmarks import photo_harm
from benchmarks.photo_harm import DRAWING, Run, measure, with_dose, with_photos, with_repeats, without_photos
from illus.report.harm import change_by_class, dose_curve, f1_by_dose

PICTURES = 10  # two crops of each, one in L2_2 and one in L2_33
CLASS = "L2_2"


def picture(number):
    """Noise, as no drawing has it, so that two crops of it are unlike."""
    values = np.random.default_rng(number).integers(0, 256, (12, 12, 3), np.uint8)
    return Image.fromarray(values).resize((96, 96), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data of the benchmark, of drawn class folders beside their truth."""
    root = tmp_path_factory.mktemp("harm")
    folder = write_class_folders(root / "training", n=24)
    truth = [[f"training/{p.relative_to(folder).as_posix()}", "original", ""] for p in folder.rglob("*.png")]
    for number in range(PICTURES):
        for side, class_name in enumerate((CLASS, "L2_33")):
            path = folder / class_name / f"photo{number}.jpg"
            picture(number).crop((48 * side, 0, 48 * side + 48, 96)).save(path)
            truth.append([f"training/{class_name}/{path.name}", "photo", f"picture {number}"])
    truth = pd.DataFrame(truth, columns=["path", "kind", "source"])
    truth.assign(transform="", concept="", drawing="").to_csv(root / "truth.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_harm, "FOLDER", folder)
        (root / "work").mkdir()
        yield photo_harm.load_data(root / "work"), root / "work"


def photos(data):
    return data[data.fold != DRAWING]


def test_all_crops_of_a_picture_are_held_out_together(data):
    rows = photos(data[0])
    pictures = rows.path.str.extract(r"(\d+)\.jpg")[0]
    assert len(rows) == 2 * PICTURES
    assert (rows.groupby(pictures).fold.nunique() == 1).all()
    assert rows.fold.value_counts().to_dict() == dict.fromkeys(range(5), 4)  # two pictures of ten in each


def test_photographs_held_out_are_in_no_part_and_the_others_in_training_only(data):
    found = with_photos(data[0], held_out=2)
    held_out = found.fold == 2
    assert set(found.split[held_out]) == {"unused"}
    assert set(photos(found[~held_out]).split) == {"train"}
    assert set(photos(without_photos(data[0])).split) == {"unused"}


def test_the_drawings_are_the_same_in_every_training_set(data):
    everything, _ = data
    columns = ["path", "class_name", "class_id", "split", "copies"]
    expected = everything[everything.fold == DRAWING][columns]
    assert set(expected.split) == {"train", "validation"}
    sets = [without_photos(everything), with_photos(everything, 0), with_dose(everything, 0, CLASS, 0.5, 1)]
    for found in sets:
        pd.testing.assert_frame_equal(found[found.fold == DRAWING][columns], expected)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_dose_is_the_share_of_photographs_in_one_class_alone(data, share):
    found = with_dose(data[0], 3, CLASS, share, seed=0)
    drawings = (data[0][data[0].split == "train"].query("fold == @DRAWING").class_name == CLASS).sum()
    given = photos(found[found.split == "train"])
    assert given.copies.sum() == round(share / (1 - share) * drawings)
    assert set(given.class_name) == {CLASS}
    assert 3 not in set(given.fold)
    shares = photo_harm.share_of_photos(found)
    assert shares[CLASS] == pytest.approx(share, abs=0.5 / drawings)
    assert (shares.drop(CLASS) == 0).all()


def test_a_smaller_dose_is_part_of_a_larger_one_and_repeats_only_when_all_are_used(data):
    small, large = (with_dose(data[0], 3, CLASS, share, seed=0) for share in (0.25, 0.75))
    assert (small.copies <= large.copies)[small.fold != DRAWING].all()
    assert photos(small).copies.max() == 1
    times = photos(large).query("fold != 3").copies
    assert times.sum() > len(times)
    assert times.max() - times.min() <= 1


def test_the_control_is_as_large_as_with_photographs_and_has_none(data):
    found, dosed = with_repeats(data[0], CLASS, 0.75), with_dose(data[0], 3, CLASS, 0.75, seed=0)
    sizes = [one[one.split == "train"].groupby("class_name").copies.sum() for one in (found, dosed)]
    assert sizes[0][CLASS] == sizes[1][CLASS]
    assert (sizes[0].drop(CLASS) == sizes[1].drop(CLASS)).all()
    assert photos(found).split.eq("unused").all()


def test_what_is_measured_of_a_run(data):
    everything, work = data
    tiny = replace(photo_harm.SMALL, width=4, blocks=(1,), epochs=1, steps_per_epoch=2, batch_size=8, seed=1)
    tables = measure(Run("with", with_photos(everything, 1), tiny), everything, work)
    (row,) = tables["photo_harm"].itertuples()
    drawings = everything[everything.fold == DRAWING]
    assert row.photos == 16
    assert row.train_images == 16 + (drawings.split == "train").sum()
    classes = tables["photo_harm_classes"]
    assert classes.class_name.tolist() == list(COLOURS)
    assert (classes.photos > 0).tolist() == [True, False, True]
    assert row.macro_f1 == pytest.approx(classes.f1.mean(), abs=1e-4)
    shown = tables["photo_harm_answers"].groupby("shown").images.sum()
    assert shown[photo_harm.HELD_OUT] == 4
    assert shown.drop(photo_harm.HELD_OUT).sum() == (drawings.split == "validation").sum()


def runs_of(f1, condition, seed, epochs=10, share=0.0, with_photos=()):
    rows = pd.DataFrame({"class_name": list(f1), "f1": list(f1.values())})
    photos = share * rows.class_name.isin(with_photos)
    return rows.assign(condition=condition, seed=seed, epochs=epochs, share=share, photos=photos)


CLASSES = pd.concat(
    [
        runs_of({"a2": 0.5, "a10": 0.6}, "without", 0),
        runs_of({"a2": 0.7, "a10": 0.7}, "without", 1),
        runs_of({"a2": 0.9, "a10": 0.9}, "without", 0, epochs=5),
        runs_of({"a2": 0.6, "a10": 0.4}, "with", 0, share=0.5, with_photos=["a10"]),
        runs_of({"a2": 0.7, "a10": 0.5}, "with", 1, share=0.5, with_photos=["a10"]),
        runs_of({"a2": 0.6, "a10": 0.3}, "only a10", 0, share=0.75, with_photos=["a10"]),
        runs_of({"a2": 0.2, "a10": 0.8}, "only a2", 0, share=0.5, with_photos=["a2"]),
    ]
)


def test_changes_are_those_of_the_same_seed_classes_with_photographs_first():
    changes = change_by_class(CLASSES)
    assert changes.class_name.tolist() == ["a10", "a10", "a2", "a2"]
    assert changes.has_photos.tolist() == [True, True, False, False]
    assert changes.change.tolist() == pytest.approx([-0.2, -0.2, 0.1, 0.0])


def test_each_dose_curve_is_of_its_own_class_and_begins_without_photographs(axes):
    control = pd.DataFrame({"class_name": ["a10", "a2"], "f1": [0.4, 0.7]})
    dose_curve(axes, f1_by_dose(CLASSES), control)
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[-2, 0], [48, -0.3]], atol=1e-9)
    np.testing.assert_allclose(axes.lines[4].get_xydata(), [[0, 0], [75, -0.3]], atol=1e-9)
    np.testing.assert_allclose([axes.lines[k].get_ydata()[0] for k in (2, 5)], [0.2, -0.2])
