"""The builder, on icons drawn here: same bytes twice, a correct truth, no leak between the parts."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evaluate import ImageDecodeError, decode_image, natural_key
from illus.__main__ import main
from illus.emoji20 import contaminate, render
from illus.emoji20.build import build, connect_groups, tree_hash
from illus.emoji20.sources import FAMILIES, class_table, concept, load_icons, match_label, slug

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
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emoji20") / "emoji20"
    tree = build(draw_icons(), folder, seed=5, jobs=1)
    truth = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    truth[["part", "class_name", "file"]] = truth.path.str.split("/", expand=True)
    return folder, tree, truth


def test_two_builds_give_the_same_bytes_and_another_seed_does_not(built, tmp_path):
    _, tree, _ = built
    assert build(draw_icons(), tmp_path / "again", seed=5, jobs=2) == tree == tree_hash(tmp_path / "again")
    assert build(draw_icons(), tmp_path / "other", seed=6, jobs=1) != tree


def test_a_limit_builds_a_small_data_set_that_is_the_same_twice(tmp_path):
    trees = {build(draw_icons(), tmp_path / str(i), limit=30, jobs=1) for i in range(2)}
    assert len(trees) == 1
    truth = pd.read_csv(tmp_path / "0" / "truth.csv")
    assert (truth.kind == "original").sum() == 30


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


def test_contamination_is_in_training_alone(built):
    truth = built[2]
    assert set(truth.part[truth.kind != "original"]) == {"training"}
    unseen = truth.icon_set.isin(["fxemoji", "streamline-emojis"]) & (truth.kind == "original")
    assert (truth.part[unseen] == "test_unseen_style").all()
    assert not (truth.part[~unseen] == "test_unseen_style").any()


def test_no_group_and_no_drawing_of_the_test_part_is_in_training(built):
    truth = built[2]
    test, training = (truth[truth.part == part] for part in ("test", "training"))
    assert len(test) > 0
    assert not set(test.group) & set(training.group)
    assert not set(test.drawing) & set(training.drawing)


def test_equal_drawings_have_equal_hashes_and_unlike_ones_differ(built):
    truth = built[2]
    originals = truth[(truth.kind == "original") & truth.icon_set.str.startswith("emojione")]
    assert (originals.groupby("concept").drawing.nunique() == 1).all()
    assert originals.drawing.nunique() == originals.concept.nunique()


def test_a_duplicate_has_the_drawing_of_its_source(built):
    truth = built[2].set_index("path")
    copies = truth[truth.kind == "duplicate"]
    assert (copies.drawing == truth.drawing[copies.source].to_numpy()).all()
    assert (truth.kind[copies.source] == "original").all()


def test_file_names_say_nothing_about_the_file(built):
    names = built[2].file.map(lambda f: Path(f).stem)
    assert names.str.fullmatch(r"\d{6}").all()
    assert names.is_unique


def test_nothing_is_overwritten_and_an_interrupted_build_starts_clean(tmp_path):
    folder = tmp_path / "emoji20"
    leftover = tmp_path / ".emoji20.building" / "training" / "x.png"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    build(draw_icons(), folder, limit=20, jobs=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["emoji20"]
    assert not list(folder.rglob("x.png"))
    with pytest.raises(FileExistsError, match="remove it"):
        build(draw_icons(), folder, limit=20, jobs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "5"], "need --out"),
        (["--seed", "1"], "need --out"),
        (["--limit", "0", "--out", "x"], "at least 1"),
    ],
)
def test_a_partial_build_needs_a_folder_of_its_own(arguments, message, capsys):
    assert main(["emoji20", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_sheet_of_a_missing_folder_is_an_error_in_one_line(tmp_path, capsys):
    assert main(["emoji20", "--out", str(tmp_path / "nowhere"), "--image", str(tmp_path / "x.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("illus emoji20: error:")


def test_connect_groups_joins_through_names_and_drawings():
    names = pd.Series(["b", "b", "a", "c", "d"])
    drawings = pd.Series(["1", "2", "2", "3", "4"])
    assert connect_groups(names, drawings) == ["a", "a", "a", "c", "d"]


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


@pytest.mark.parametrize("source", contaminate.PHOTOS, ids=lambda s: Path(s[1]).stem)
def test_every_photo_is_installed_and_gives_textured_crops(source):
    photo = contaminate.load_photo(source)
    crop = contaminate.crop_photo(photo, 100, np.random.default_rng(1))
    assert max(crop.size) == 100
    assert np.asarray(crop.convert("L")).std() >= contaminate.FLAT


@pytest.mark.parametrize("container", render.CONTAINERS)
def test_containers_have_their_format_and_mode(container):
    image = Image.fromarray(np.dstack([IMAGE, np.full((60, 100), 128, np.uint8)]))
    image = image if container == "png-rgba" else image.convert("RGB")
    opened = Image.open(io.BytesIO(render.encode(image, container)))
    modes = {"png-rgba": "RGBA", "png-palette": "P", "png-gray": "L"}
    assert (opened.format.lower(), opened.mode) == (container.split("-")[0], modes.get(container, "RGB"))


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


def test_the_class_table_is_complete():
    table = class_table()
    assert len(table) == 20
    assert len({g for row in table for g in row["unicode_subgroups"].split()}) == sum(
        len(row["unicode_subgroups"].split()) for row in table
    )
    names = [row["class_name"] for row in table]
    assert names == sorted(names, key=natural_key)
