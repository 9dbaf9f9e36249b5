"""Findings about files, copies, balance and photographs follow from the tables, whatever those say."""

import numpy as np
import pandas as pd
import pytest

from illus.report.findings import balance, copies, files, photos


def korean(text):
    return text.partition("**결과.** ")[2]


def flags(text):
    return np.array([mark == "1" for mark in text])


@pytest.mark.parametrize(("broken", "word"), [(2, "As expected"), (0, "Not as expected")])
def test_files_that_cannot_be_read(broken, word):
    assert f"{word}: {broken} of 400 files ({broken / 4:.2f}%) cannot be read" in files.unreadable(
        400, broken
    )


def test_classes_of_unequal_sizes():
    text = files.class_sizes(pd.Series({"faces": 80, "birds": 10, "flags": 10}))
    assert "by a factor of 8: faces has 80 images, flags 10; 2 of 3 classes have less than half" in text
    assert "is 58% of that of equal classes" in text
    assert "is 100% of" in files.class_sizes(pd.Series({"a": 5, "b": 5}))


@pytest.mark.parametrize(
    ("width", "word"), [(101, "As expected"), (200, "Not as expected"), (2000, "Not as expected")]
)
def test_sizes_of_icons_and_of_other_images(width, word):
    text = files.sizes_and_formats(pd.Series([width, width, 120]), pd.Series([100, 100, 100]), 7)
    assert f"{word}: longer sides of" in text
    assert f"{0.67 if width == 101 else 0:.0%} of the images square" in text


def test_light_images_of_few_colours_and_dark_ones_of_many():
    light = files.light_and_colour(pd.Series([0.8, 0.9]), pd.Series([10, 20]), 0.1)
    assert (
        "Light, yes: the median brightness is 0.85. Few colours, yes: half of the images have more than 15"
        in light
    )
    assert "10.0% have no colour" in light
    dark = files.light_and_colour(pd.Series([0.1, 0.2]), pd.Series([1000, 2000]), 0.1)
    assert "Light, no: the median brightness is 0.15. Few colours, less so" in dark
    assert korean(dark).startswith("예상과 달리 밝기의 중앙값은 0.15이고, 예상과 달리 색 수의 중앙값은")


def test_mean_images_with_most_and_least_contrast():
    text = files.mean_images(pd.Series({"a": 1.0, "b": 5.0, "c": 3.0, "d": 4.0, "e": 2.0}), styles=False)
    assert text.startswith(
        "**Result.** The mean images with most contrast are those of b, d, c: a typical layout; c, e, a have"
    )


@pytest.mark.parametrize(("copies", "word"), [(3, "As expected"), (0, "Not as expected")])
def test_repeated_files(copies, word):
    text = files.repeated(copies, 1, {0: 5, 4: 5000})
    assert f"{word}: {copies} files are byte copies of another; 1 images stand in more than one class" in text
    assert "pHash calls 5 pairs equal and 5,000 near" in text


@pytest.mark.parametrize(("share", "tails"), [(0.0021, "long"), (0.002, "short")])
def test_tails_of_noise(share, tails):
    assert f"The tails are {tails}: 0.2% of the images" in files.photographs(share)


def test_pairs_with_and_without_truth():
    close, same = flags("1100"), flags("1010")
    scores = {"pixels": np.array([4.0, 3, 2, 1]), "pHash": np.array([1.0, 2, 3, 4])}
    text = copies.pairs(7, 5, close, 2, same, scores)
    assert "7 readable files show 5 different arrays of pixels. Of 10 possible pairs 4 were compared" in text
    assert (
        "2 are near, so that 2 files are redundant. At the limit 50.0% of the pairs of copies and 50.00%"
        in text
    )
    assert "is 0.750 by pixels and 0.250 by pHash" in text
    for unknown in (None, flags("1111"), flags("0000")):
        assert "ROC" not in copies.pairs(7, 5, close, 2, unknown, scores)


def test_recall_and_precision_beside_those_of_a_hash():
    score = {"recall": 0.98, "precision": 0.97, "flagged": 1200, "redundant": 1300}
    text = copies.recall_and_precision(score, pd.Series({"recall": 0.5, "precision": 0.6}))
    assert "Recall **0.980** and precision **0.970** over 1,200 files called redundant (1,300 are)" in text
    assert "at 0 bits: recall 0.500, precision 0.600" in text


@pytest.mark.parametrize(("jpeg", "word"), [(0.8, "As expected"), (1.0, "Not as expected")])
def test_ways_to_copy_that_are_found_least(jpeg, word):
    recall = pd.Series({"resized": 0.99, "jpeg": jpeg, "brightness": 0.9, "padded": 0.95})
    planted = pd.DataFrame({"transform": ["jpeg", "jpeg", "padded"], "found": [False, False, True]})
    text = copies.ways_to_copy(recall, planted, frozenset({"jpeg", "brightness"}))
    assert text.startswith(f"**Result.** {word}, recall is lowest for")
    assert "brightness (0.900)" in text
    assert "Of the 3 pairs 2 are missed: jpeg 2." in text


@pytest.mark.parametrize(
    ("differences", "word"), [([0.5, 0.5, np.nan], "As expected"), ([0.5, 2, 3], "Not as expected")]
)
def test_mistakes_that_no_eye_can_see(differences, word):
    text = copies.mistakes(pd.Series(differences), {"right": 96, "flagged": 99})
    assert text.startswith(f"**Result.** {word}: 3 files are called redundant against the truth")
    same = sum(value < 1 for value in differences)
    assert f"{same} of them" in text
    assert f"precision is {96 / (99 - same):.3f}" in text


@pytest.mark.parametrize(("f1", "word"), [(0.9, "As expected"), (0.7, "Not as expected")])
def test_the_finder_beside_other_tools(f1, word):
    peers = pd.DataFrame({
        "tool": ["illus", "a", "b"],
        "setting": ["default", "best", "default"],
        "f1": [f1, 0.8, 0.5],
        "seconds": [30, 10, 5],
        "peak_mb": [400, 200, 100],
    })  # fmt: skip
    text = copies.other_tools(peers)
    assert f"{word}: F1 {f1:.3f}, against at best 0.800 (a, best). It takes about 3.0 times as long" in text
    assert "2 times the memory" in text


def test_conflicts_that_are_outvoted_or_undecided():
    rows = [("x", True, "majority"), ("x", False, "outvoted"), ("y", False, "tie"), ("y", False, "tie")]
    conflicts = pd.DataFrame(rows, columns=["copy_of", "keep", "reason"])
    text = copies.label_conflicts(conflicts)
    assert "2 images have copies in several classes. 1 of these conflicts are undecided: all 2 files" in text
    assert "In the others 1 files are outvoted" in text
    assert "no labels conflict" in copies.label_conflicts(conflicts[:0])


def test_groups_of_variants():
    text = copies.variants(pd.Series([2, 5]), kept=90, dropped=10, chained=True)
    assert "7 kept files are in 2 groups of variants, the largest with 5 files. Moons" in text
    assert "10 files are dropped and 90 kept" in text
    none = copies.variants(pd.Series(dtype=int), kept=90, dropped=10, chained=False)
    assert "0 kept files are in 0 groups of variants, the largest with 0 files. How many" in none


@pytest.mark.parametrize(("gain", "word"), [(0.2, "As expected"), (0.001, "Not for sure")])
def test_leakage_is_judged_by_its_interval(gain, word):
    clean = [0.40, 0.41, 0.42]
    runs = pd.DataFrame({
        "name": ["leaky"] * 3 + ["clean"] * 3,
        "seed": [0, 1, 2] * 2,
        "macro_f1": [value + gain for value in clean] + clean,
        "micro_f1": [0.5, 0.51, 0.52] * 2,
    })  # fmt: skip
    text = balance.leakage(runs, "leaky", "clean")
    assert text.startswith(f"**Result.** {word}: file by file, macro F1 reads {gain:+.3f} (")
    assert "micro F1 +0.000 (" in text
    assert "over 3 seeds" in text


def test_the_class_that_hangs_on_one_group():
    text = balance.whole_groups(800, 200, pd.Series({"birds": 0.2, "flags": 0.7}))
    assert "800 images are for training, 200 for validation. In flags one group of look-alikes is 70%" in text


def test_the_least_steady_class():
    spread = pd.DataFrame({"macro_f1": [0.03, 0.04], "without_unsteady": [0.0, 0.01]})
    text = balance.least_steady("flags", pd.Series([0.1, 0.7]), 0.7, spread)
    assert "its F1 lies between 0.10 and 0.70, by the seed alone, as one group is 70% of its" in text
    assert "standard deviation of macro F1 is 0.0354, and 0.0071 without this class" in text
    assert "as one group" not in balance.least_steady("flags", pd.Series([0.1, 0.7]), None, spread)


def strategies(best, codes="x"):
    mean = pd.DataFrame(
        {"macro_f1": [0.5, best, 0.49], "micro_f1": [0.7, 0.68, 0.69], "five_smallest": [0.3, 0.4, 0.3]},
        index=["none", "balanced", "weights"],
    )
    change = pd.DataFrame(
        {"change": [best - 0.5, -0.01], "low": [best - 0.52, -0.03], "high": [best - 0.48, 0.01]},
        index=["balanced", "weights"],
    )
    changes = dict.fromkeys(("macro_f1", "without_unsteady", "micro_f1"), change)
    return balance.strategies(mean, changes, pd.Series([0.03, 0.03, 0.03]), "flags", list(codes))


def test_the_best_strategy_of_balancing_and_its_price():
    text = strategies(best=0.55)
    assert "1 of 2 strategies raise the mean macro F1, 1 of them beyond noise, and 2 cost micro F1." in text
    assert "**balanced** has the best macro F1, +0.050 (+0.030 to +0.070) against doing nothing" in text
    assert "It is 0.050 above the second, none, where the standard deviation between seeds is 0.030" in text
    assert (
        "The five smallest classes go from 0.300 to 0.400. The other strategies change micro F1 by -0.010"
        in text
    )
    assert "same code" not in text
    assert "Not all runs are of the same code" in strategies(best=0.55, codes="xy")


def test_where_no_balancing_helps_that_is_said():
    text = strategies(best=0.48)
    assert "0 of 2 strategies raise the mean macro F1, 0 of them beyond noise" in text
    assert "Nothing is better than doing nothing." in text
    assert "나은 방법은 없습니다" in text


@pytest.mark.parametrize(("high", "word"), [(-0.01, "confirm"), (0.01, "do not confirm")])
def test_longer_trainings_confirm_a_gain_or_do_not(high, word):
    macro = pd.Series({"change": -0.03, "low": -0.05, "high": high})
    text = balance.longer_trainings(macro, macro)
    assert f"two seeds) {word} the gain over no balancing: macro F1 +0.030 ({-high:+.3f} to +0.050)" in text


def test_class_sizes_before_and_after():
    stages = pd.DataFrame({"readable": [100, 10], "shown in a pass": [60, 30]}, index=["a", "b"])
    text = balance.class_sizes(stages)
    assert "has 10 times as many readable images as the smallest; in a pass it is shown 2.0 times" in text


def test_the_conclusion_about_copies():
    score = {"recall": 0.98, "precision": 0.97}
    text = balance.all_in_all(100, 20, 15, 80, score, 0.05, "balanced")
    assert (
        "Of 100 readable files 20 are dropped: 15 copies (recall 0.980, precision 0.970) and 5 more" in text
    )
    assert "validation would read +0.050 macro F1 higher" in text
    assert "no truth to measure against" in balance.all_in_all(100, 20, 15, 80, None, 0.05, "balanced")


@pytest.mark.parametrize(
    ("gains", "word", "zero"),
    [
        ([0.1, 0.11, 0.12], "As", "excludes"),
        ([-0.1, 0.1, 0], "Not as", "includes"),
        ([-0.1, -0.11, -0.1], "Not as", "excludes"),
    ],
)
def test_short_trainings_without_photographs(gains, word, zero):
    text = photos.short_trainings(pd.Series(gains), 6, 1000)
    assert f"{word} expected: in these short runs (6 epochs)" in text
    assert f"without the 1,000 photographs; the interval {zero} zero" in text


@pytest.mark.parametrize(("high", "word"), [(-0.01, "As expected"), (0.01, "Not as expected")])
def test_longer_trainings_with_photographs(high, word):
    changes = pd.DataFrame(
        {"change": [-0.03, 0.0], "low": [-0.05, -0.02], "high": [high, 0.02]}, index=["planted crops", "real"]
    )
    text = photos.longer_trainings(changes, 3, {"real": "실제 사진"})
    assert f"{word}: in 20 epochs (3 seeds)" in text
    assert ("only planted crops can be told from chance" in text) == (high < 0)
    assert ("is not confirmed" in text) == (high > 0)
    assert "실제 사진 +0.000 (-0.020~+0.020)" in text


@pytest.mark.parametrize(
    ("error", "word", "contrast"), [([4.0, 3, 2, 1], "As", False), ([1.0, 2, 3, 4], "Not as", True)]
)
def test_photographs_by_their_reconstruction_error(error, word, contrast):
    text = photos.reconstruction(flags("1100"), np.array(error))
    assert f"{word} expected: the error's area under the ROC curve is {float(not contrast):.3f}" in text
    assert ("the error measures contrast" in text) == contrast


def test_clusters_with_most_photographs():
    truth = flags("111000")
    text = photos.named_clusters(truth, np.array([1, 1, -1, 0, 0, -1]), np.array([0, 0, 1, 1, 1, -1]))
    assert (
        "As expected: in the code alone the cluster with the most photographs has 2 of 3, and 100.0% of"
        in text
    )
    assert "named for 66.7% of the images, 100.00% of them correctly; 2 images lie in noise" in text
    assert "among them 1 of the 3 photographs. The clusters are pure" in text
    wrong = photos.named_clusters(truth, np.array([0, 1, -1, 0, 0, -1]), np.array([0, 1, 2, -1, -1, -1]))
    assert "Only in part as expected" in wrong
    assert "pure" not in wrong
    assert "there is no cluster" in photos.named_clusters(truth, np.full(6, -1), np.full(6, -1))


def test_what_the_filter_decides():
    truth, called = flags("1100"), flags("1010")
    text = photos.decision("2 photographs found", truth, called)
    assert "F1 0.500, precision 0.500, recall 0.500. 1 drawings are removed, 1 photographs stay." in text
    assert "no truth to measure against." in photos.decision("nothing found", None, called)
    assert photos.scores(truth, flags("0000")) == "F1 0.000, precision 0.000, recall 0.000"


@pytest.mark.parametrize(("f1", "word"), [(0.9, "As expected"), (0.8, "Not as expected")])
def test_the_filter_beside_a_fixed_threshold(f1, word):
    text = photos.fixed_threshold(f1, 0.85, 0.7)
    assert (
        f"{word}: a threshold of 0 on the mean vote has F1 0.850, the filter {f1:.3f}. With midpoints" in text
    )
    assert "Without" not in photos.fixed_threshold(f1, 0.85, None)


def test_parts_of_the_filter():
    rows = [("scenes", 0.9, 0.8, 0.9), ("cartoon", 0.8, 0.8, 0.9), ("scenes, no photos", None, None, None)]
    ablation = pd.DataFrame(
        [(name, rung, value) for name, *values in rows
         for rung, value in zip(("whole", "without autoencoder", "without dbscan"), values, strict=True)],
        columns=["set", "rung", "f1"],
    )  # fmt: skip
    text = photos.parts_of_the_filter(ablation, ["scenes"])
    assert text.startswith(
        "**Result.** Not as expected for DBSCAN. Change of F1 by each part, on the mean of the 1 sets"
    )
    assert "the autoencoder +0.100 and +0.050, from +0.000 (cartoon) to +0.100 (scenes)" in text
    assert "DBSCAN +0.000 and -0.050" in text
    assert "Mean over all 2 sets: whole 0.850, without autoencoder 0.800, without dbscan 0.900." in text


@pytest.mark.parametrize(("chosen", "word"), [(0.7, "As expected"), (0.9, "Not as expected")])
def test_the_filter_on_other_collections(chosen, word):
    rows = [
        ("a", 0, 9, 0.9, 0.1),
        ("a", 1, 9, 0.8, 0.1),
        ("b", 0, 9, 0.6, 0.1),
        ("b", 1, 9, 0.4, 0.1),
        ("c", 0, 0, None, 0.02),
    ]
    peers = pd.DataFrame(rows, columns=["set", "seed", "photos", "f1", "removed"]).assign(
        method="this project"
    )
    final = peers.iloc[2:4].assign(method="this project, final", f1=0.7)
    sweeps = pd.DataFrame({"setting": ["eps_factor"], "value": [1], "set": ["scenes"], "f1": [0.3]})
    text = photos.other_collections(pd.concat([peers, final]), pd.Series({"a": chosen}), sweeps, ["a"])
    assert "F1 is 0.850 to 0.850 on the sets in the figure" in text
    assert "0.500 at worst (b; 0.400 in one seed, 0.700 with the shipped ones)" in text
    assert "at most 2.00% is removed" in text
    assert f"{word}: where eps" in text
    assert "on `scenes` is 0.300" in text


def test_the_conclusion_about_photographs():
    dataset = pd.DataFrame({"split": ["train", "train", "validation"]})
    text = photos.all_in_all("2 photographs found", "F1 0.500", 10, 2, 3, dataset)
    assert text.startswith("2 photographs found (F1 0.500); with their copies 3 files go.")
    assert "(3 images, 2 for training)" in text
    assert "이미지 10장 가운데 2장" in text
