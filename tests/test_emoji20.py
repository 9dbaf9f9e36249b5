"""The builder, on icons drawn here: same bytes twice, a correct truth, no leak between the parts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_class_folders
from PIL import Image

from evaluate import ImageDecodeError, decode_image, natural_key
from illus.__main__ import main
from illus.emoji20 import contaminate, photographs, render
from illus.emoji20.build import build, make_plan, tree_hash
from illus.emoji20.sources import FAMILIES, HERE, class_table, concept, load_icons, match_label, slug
from illus.emoji20.truth import contamination_by_class

SETS = {icon_set: family for family, sets in FAMILIES.items() for icon_set in sets}


def draw_icons(n=120):
    """Icons of two classes by every set; the emojione family repeats its drawings."""
    rows = []
    for i, (icon_set, family) in enumerate(SETS.items()):
        for k in range(n // len(SETS)):
            shape = k if family == "emojione" else 100 * i + k
            colour = f"rgb({shape * 37 % 200},{shape * 71 % 200},{shape * 13 % 200})"
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">'
                f'<circle cx="{10 + shape % 12}" cy="16" r="{6 + shape % 7}" fill="{colour}"/></svg>'
            )
            rows.append((icon_set, f"icon-{k}", family, f"concept-{k}", "L2_2" if k % 2 else "L2_10", svg))
    return pd.DataFrame(rows, columns=["icon_set", "icon", "family", "concept", "class_name", "svg"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three noisy pictures, one of them odd."""
    folder, rows = tmp_path_factory.mktemp("pictures"), []
    for number, size in enumerate([(300, 200), (200, 200), (200, 300)]):
        noise = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        rows.append((f"package/{number}.png", str(folder / f"{number}.png"), number == 2))
    return pd.DataFrame(rows, columns=["source", "file", "odd"])


@pytest.fixture(scope="module")
def built(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("emoji20") / "emoji20"
    tree = build(draw_icons(), pictures, folder, seed=5, jobs=1)
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    truth[["part", "class_name", "file"]] = truth.path.str.split("/", expand=True)
    return folder, tree, truth


def test_two_builds_give_the_same_bytes_and_another_seed_does_not(built, pictures, tmp_path):
    _, tree, _ = built
    again, other = tmp_path / "again", tmp_path / "other"
    assert build(draw_icons(), pictures, again, seed=5, jobs=2) == tree == tree_hash(again)
    assert build(draw_icons(), pictures, other, seed=6, jobs=1) != tree


def test_truth_lists_every_file_and_all_but_the_broken_are_readable(built):
    folder, _, truth = built
    files = {p.relative_to(folder).as_posix() for p in folder.glob("*/*/*")}
    assert files == set(truth.path)
    assert set(truth.kind) == {"original", "duplicate", "photo", "broken"}
    for row in truth.itertuples():
        if row.kind == "broken":
            with pytest.raises(ImageDecodeError):
                decode_image((folder / row.path).read_bytes())
        else:
            assert decode_image((folder / row.path).read_bytes()).shape[2] == 3


def test_parts_share_no_group_and_no_drawing_and_contamination_is_in_training_alone(built):
    truth = built[2]
    test, training = (truth[truth.part == part] for part in ("test", "training"))
    assert len(test) > 0
    assert not set(test.group) & set(training.group)
    assert not set(test.drawing) & set(training.drawing)
    assert set(truth.part[truth.kind != "original"]) == {"training"}
    unseen = truth.icon_set.isin(["fxemoji", "streamline-emojis"]) & (truth.kind == "original")
    assert (truth.part[unseen] == "test_unseen_style").all()
    assert not (truth.part[~unseen] == "test_unseen_style").any()


def test_equal_drawings_have_equal_hashes_copies_too_and_unlike_ones_differ(built):
    truth = built[2].set_index("path")
    originals = truth[(truth.kind == "original") & truth.icon_set.str.startswith("emojione")]
    assert (originals.groupby("concept").drawing.nunique() == 1).all()
    assert originals.drawing.nunique() == originals.concept.nunique()
    copies = truth[truth.kind == "duplicate"]
    assert (copies.drawing == truth.drawing[copies.source].to_numpy()).all()
    assert (truth.kind[copies.source] == "original").all()


def test_file_names_say_nothing_about_the_file(built):
    names = built[2].file.map(lambda f: Path(f).stem)
    assert names.str.fullmatch("[a-z]{20}").all()
    assert names.is_unique


def test_drawings_do_not_depend_on_the_photographs(built, pictures, tmp_path):
    folder, _, truth = built
    build(draw_icons(), pictures[:1], tmp_path / "one", seed=5, jobs=1)
    other = pd.read_csv(tmp_path / "one" / "truth.csv", keep_default_na=False)
    assert set(other.source[other.kind == "photo"]) == {"package/0.png"}
    kept, again = (
        {
            (str(Path(row.path).parent), row.source): (place / row.path).read_bytes()
            for row in table[table.kind == "original"].itertuples()
        }
        for place, table in ((folder, truth), (tmp_path / "one", other))
    )
    assert kept == again


def test_photographs_are_in_the_smallest_classes_alone(pictures):
    icons = pd.concat([draw_icons().assign(class_name=f"L2_{k}") for k in range(2, 12)])
    icons = icons[icons.index % 12 < icons.class_name.str[3:].astype(int)]
    icons = icons.reset_index(drop=True).assign(icon=[str(i) for i in range(len(icons))])
    plan = make_plan(icons, pictures, seed=0, jobs=1)
    training = plan[plan.split == "training"]
    with_photos = set(training.class_name[training.kind == "photo"])
    assert with_photos == {f"L2_{k}" for k in range(2, 7)}
    assert plan.side[plan.kind == "photo"].le(300).all()


def test_real_shares_leave_drawings_of_the_smaller_classes_out(pictures):
    icons = pd.concat([draw_icons(1200), draw_icons(120).assign(class_name="L2_5")], ignore_index=True)
    icons = icons.assign(icon=[str(i) for i in range(len(icons))])
    whole, left = (make_plan(icons, pictures, 0, real_shares, jobs=1) for real_shares in (False, True))
    sizes = [
        p.class_name[(p.split == "training") & (p.kind == "original")].value_counts() for p in (whole, left)
    ]
    assert sizes[0].max() == sizes[1].max()
    assert sizes[0].max() / sizes[0].min() < 12
    assert 25 < sizes[1].max() / sizes[1].min() < 45
    assert (whole.split == "test").sum() == (left.split == "test").sum()


def test_contamination_by_class_counts_what_the_truth_knows(built):
    folder, _, truth = built
    table = contamination_by_class(folder / "training")
    training = truth[truth.part == "training"]
    assert table.files.sum() == len(training)
    for column, kind in (("copies", "duplicate"), ("photographs", "photo"), ("unreadable", "broken")):
        assert table[column].sum() == (training.kind == kind).sum()
    originals = training[training.kind == "original"]
    repeated = originals.groupby(["class_name", "icon_set", "concept"]).size()
    assert table.variants.sum() == (repeated - 1).sum()


def test_nothing_is_overwritten_and_an_interrupted_build_starts_clean(pictures, tmp_path):
    folder = tmp_path / "emoji20"
    leftover = tmp_path / ".emoji20.building" / "training" / "x.png"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    build(draw_icons(), pictures, folder, limit=20, jobs=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["emoji20"]
    assert not list(folder.rglob("x.png"))
    assert (pd.read_csv(folder / "truth.csv").kind == "original").sum() == 20
    with pytest.raises(FileExistsError):
        build(draw_icons(), pictures, folder, limit=20, jobs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "5"], "need --out"),
        (["--seed", "1"], "need --out"),
        (["--limit", "0", "--out", "x"], "at least 1"),
        (["--out", "nowhere", "--image", "x.png"], "nowhere"),  # a sheet of no data set
        (["--out", "built", "--image", "built/A/1.png"], "is an input"),
    ],
)
def test_what_cannot_be_built_or_shown_is_one_line(arguments, message, capsys, tmp_path, empty_place):
    write_class_folders(tmp_path / "built", {"A": "red", "B": "blue"}, n=2)
    assert main(["emoji20", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


IMAGE = np.zeros((60, 100, 3), np.uint8) + 255
IMAGE[15:45, 30:70] = (200, 40, 40)


@pytest.mark.parametrize("transform", contaminate.TRANSFORMS)
def test_duplicates_are_similar_and_within_their_bounds(transform):
    source = render.encode(Image.fromarray(IMAGE), "png-rgb")
    for seed in range(8):
        rng = np.random.default_rng(seed)
        container = contaminate.duplicate_container(transform, "png-rgb", rng)
        data, strength = contaminate.duplicate(source, transform, container, rng)
        copy = decode_image(data)
        assert strength.startswith(transform)
        assert (data == source) == (transform == "byte-copy")
        scale = copy.shape[1] / 100
        assert {"rescale": 0.39 <= scale <= 0.91, "padding": 1.02 < scale <= 1.16}.get(transform, scale == 1)
        seen = np.asarray(Image.fromarray(copy).resize((100, 60))).astype(int)
        assert np.abs(seen - IMAGE).mean() < 25


@pytest.mark.parametrize("damage", contaminate.DAMAGES)
def test_no_damaged_file_can_be_read(damage):
    data = render.encode(Image.fromarray(IMAGE), "jpeg")
    with pytest.raises(ImageDecodeError):
        decode_image(contaminate.broken(data, damage, np.random.default_rng(0)))


@pytest.mark.parametrize(("size", "count"), [((600, 400), 26), ((300, 450), 12)])
def test_parts_of_a_picture_are_textured_and_no_two_show_the_same(size, count):
    picture = np.full((*size[::-1], 3), 200, np.uint8)
    picture[size[1] // 3 :] = np.random.default_rng(0).integers(0, 256, picture[size[1] // 3 :].shape)
    image = Image.fromarray(picture)
    boxes = photographs.draw_boxes(image, count, np.random.default_rng(1))
    assert len(boxes) == count
    assert boxes[0] == (0, 0, *size)
    for number, box in enumerate(boxes):
        assert photographs.cut(image, box, 100).size[box[3] - box[1] > box[2] - box[0]] == 100
        assert picture[box[1] : box[3], box[0] : box[2]].std() > 10
        assert all(photographs.intersection_over_union(box, other) <= 0.4 for other in boxes[:number])
    with pytest.raises(ValueError, match="told apart"):
        photographs.draw_boxes(image, 500, np.random.default_rng(1))


def test_every_picture_of_a_python_package_is_installed_and_every_other_package_pinned():
    pictures = photographs.load_pictures(Path("nowhere"))
    pinned = set(json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"])
    names = set(pictures.source.str.split("/").str[0])
    assert names - pinned == {"skimage.data", "sklearn.datasets", "matplotlib"}
    assert pictures.source.is_unique
    python = pictures[pictures.source.str.match("skimage|sklearn|matplotlib")]
    assert all(min(photographs.load(file).size) > 100 for file in python.file)


def test_names_of_icons_are_matched_to_labels_and_concepts():
    labels = {"cook", "traffic-light", "people-holding-hands", "cat-face"}
    assert match_label("cook-medium-dark-skin-tone", labels) == "cook"
    assert match_label("cook-light", labels) == "cook"
    assert match_label("traffic-light", labels) == "traffic-light"
    two_tones = "people-holding-hands-light-skin-tone-dark-skin-tone"
    assert match_label(two_tones, labels) == "people-holding-hands"
    assert match_label("cat-face-2", labels) == "cat-face"
    assert match_label("unknown-thing", labels) is None
    assert concept("women-holding-hands") == concept("man-and-woman-holding-hands") == "holding-hands"
    assert concept("man-running-facing-right") == concept("person-running")
    assert concept("cat") != concept("cat-face")
    assert slug("keycap: 1") == "keycap-1"


def test_icons_are_read_from_packages(tmp_path):
    packages = tmp_path / "node_modules"
    data = packages / "emojibase-data"
    (data / "en").mkdir(parents=True)
    (data / "meta").mkdir()
    (data / "meta" / "groups.json").write_text('{"subgroups": {"25": "person-role", "32": "skin-tone"}}')
    (data / "en" / "data.json").write_text(
        '[{"label": "woman cook", "subgroup": 25}, {"label": "light skin tone", "subgroup": 32}]'
    )
    for icon_set in SETS:
        folder = packages / "@iconify-json" / icon_set
        folder.mkdir(parents=True)
        (folder / "icons.json").write_text(
            '{"icons": {"woman-cook-dark-skin-tone": {"body": "<path/>", "width": 20}, '
            '"light-skin-tone": {"body": ""}, "logo": {"body": ""}}, "width": 32, "height": 32}'
        )
    icons = load_icons(tmp_path)
    assert len(icons) == len(SETS)
    assert (icons.icon == "woman-cook-dark-skin-tone").all()
    assert (icons.concept == "cook").all()
    assert (icons.class_name == "L2_8").all()
    assert icons.svg.str.contains('viewBox="0 0 20 32"').all()


def test_no_subgroup_is_in_two_classes_and_classes_are_in_order():
    table = class_table()
    subgroups = [group for row in table for group in row["unicode_subgroups"].split()]
    assert len(set(subgroups)) == len(subgroups)
    names = [row["class_name"] for row in table]
    assert names == sorted(names, key=natural_key)
