"""Findings about runs and scores: what they say follows from the tables, whichever way those turn out."""

import pandas as pd
import pytest

from illus.report.findings import runs, scores


def grid_runs(cells):
    """Runs of a grid: (block, augmentation, budget) to macro F1, of two seeds that agree."""
    rows = [(*cell, seed, value) for cell, value in cells.items() for seed in (0, 1)]
    return pd.DataFrame(rows, columns=["block", "augmentation", "budget", "seed", "val_macro_f1"])


CHANGING = {
    ("plain", "flip", 10): 0.5,
    ("plain", "strong", 10): 0.4,
    ("plain", "flip", 60): 0.5,
    ("plain", "strong", 60): 0.7,
    ("residual", "flip", 10): 0.5,
    ("residual", "strong", 10): 0.4,
    ("residual", "flip", 60): 0.6,
    ("residual", "strong", 60): 0.7,
}


def korean(text):
    return text.partition("**결과.** ")[2]


def test_a_grid_whose_best_augmentation_changes_with_the_budget():
    text = runs.grid(grid_runs(CHANGING), noise=0.01)
    assert "10-epoch budget: flip 0.500, strong 0.400; 60-epoch budget: strong 0.700, flip 0.550." in text
    assert "As expected, the best augmentation changes" in text
    assert "may be noise" not in text.partition("What parts")[0]
    assert "shortcuts +0.000 to +0.100 (mean +0.025)" in text
    assert "squeeze" not in text
    assert "differs most with flip, by 0.100, and least with strong, by 0.000" in text
    assert korean(text).startswith("10에폭: flip 0.500, strong 0.400.")


def test_a_lead_within_noise_is_said_to_be_one():
    text = runs.grid(grid_runs(CHANGING), noise=0.05)
    assert "only by 0.100, which may be noise" in text
    assert "노이즈일 수 있습니다. 블록 구성" in korean(text)


def test_a_grid_of_one_block_in_which_one_augmentation_is_always_best():
    cells = {cell: value for cell, value in CHANGING.items() if cell[0] == "plain"}
    cells["plain", "strong", 60] = 0.45
    text = runs.grid(grid_runs(cells), noise=0.01)
    assert "Not as expected, flip is best at both budgets." in text
    assert "What parts of the block" not in text
    assert "Between blocks" not in text
    assert "두 학습량 모두 가장 좋은 증강은 flip" in text


@pytest.mark.parametrize(("best", "edge"), [(0.002, True), (0.001, False)])
def test_rates_at_the_edge_of_their_search_are_named(best, edge):
    rows = [("residual", "flip", rate, int(rate == best), "d") for rate in (0.001, 0.002)]
    table = pd.DataFrame(rows, columns=["block", "augmentation", "learning_rate", "tuned", "data_hash"])
    text = runs.best_rates(table)
    assert f"In {int(edge)} of 1 cells" in text
    assert ("may lie beyond it" in text) == edge


def test_rounds_name_what_held_and_what_balancing_costs():
    names = ["classes as large as they are", "mean with the mirror image", "nearest training features"]
    values = dict(zip(["base", *names], (0.5, 0.45, 0.51, 0.49), strict=True))
    tried = pd.DataFrame(
        [(name, seed, value) for name, value in values.items() for seed in "01"],
        columns=["answer", "seeds", "val_macro_f1"],
    )
    change = pd.DataFrame({"change": [-0.05], "low": [-0.06], "high": [-0.04]}, index=names[:1])
    verdicts = {names[0]: "held", names[1]: "cannot be told", names[2]: "refuted"}
    text = runs.one_question_a_round(
        tried, {"val_macro_f1": change, "val_micro_f1": -change}, verdicts, {names[0]: "원래 크기"}
    )
    assert f"*held*: {names[0]}; *cannot be told*: {names[1]}; *refuted*: {names[2]}." in text
    assert "macro F1 changes by -0.050 (-0.060 to -0.040), micro F1 by +0.050" in text
    assert "mean with the mirror image +0.010, +0.010" in text
    assert f"예상대로 – 원래 크기; 판단 불가 – {names[1]}" in korean(text)


def larger(mild, longest):
    recorded = pd.DataFrame({
        "input_size": 64,
        "width": [28, 28, 32, 48],
        "augmentation": ["strong", "mild", "mild", "mild"],
        "mixing": ["either", "either", "none", "none"],
        "epochs": [80, 80, 100, 70],
        "multiply_adds": [9e7, 9e7, 2e8, 6e8],
        "val_macro_f1": [0.65, mild, 0.71, 0.8],
    })  # fmt: skip
    recorded.loc[longest, "epochs"] = 200
    tuned = pd.DataFrame(
        {"augmentation": ["affine+colour", "strong"], "budget": 60, "val_macro_f1": [0.6, 0.5]}
    )
    return runs.larger_networks(recorded, tuned, {"val_macro_f1": 0.75, "multiply_adds": 1.8e8}, 260e6)


def test_a_grid_carries_over_if_its_order_and_its_budget_do():
    text = larger(mild=0.7, longest=3)
    assert text.startswith("**Result.** The grid carries over: the longest run (200 epochs, mild) has 0.800")
    assert "mild changes are better than strong ones at 64 px (0.700, 0.650), as in the grid" in text
    assert "has 0.710 at 200 million, the average that ships 0.750 at 180 million." in text
    assert "Not all of the grid" in larger(mild=0.7, longest=2)
    other = larger(mild=0.6, longest=3)
    assert "Not all of the grid" in other
    assert "mild changes are worse than strong ones at 64 px (0.600, 0.650), unlike in the grid" in other


def test_one_network_is_no_average():
    text = runs.averaging([0.7, 0.7, 0.71], {}, 0.02)
    assert "It is one network; the mirror image would change it by +0.010" in text
    assert "temperature" not in text
    assert "networks" not in text


@pytest.mark.parametrize(("average", "word"), [(0.75, "As expected"), (0.68, "Not as expected")])
def test_an_average_is_compared_with_the_mean_of_its_members(average, word):
    card = {"temperature": 0.8, "ece_before": 0.1, "ece_after": 0.03}
    text = runs.averaging([0.7, 0.7, average, average], card, None)
    assert f"{word}, the average of 2 networks changes macro F1 by {average - 0.7:+.3f}" in text
    assert "from 0.100 to 0.030" in text
    assert "same augmentation" not in text
    assert "same augmentation changed it by +0.020" in runs.averaging([0.7, 0.7, 0.75, 0.75], card, 0.02)


def test_what_two_changes_gain_alone_and_together():
    score = pd.DataFrame({10: [0.4, 0.45], 60: [0.5, 0.62]}, index=["flip", "affine+colour"])
    text = runs.longer_and_colour(score, 0.1)
    assert "belong together: alone they gain +0.100 and +0.050, together +0.220." in text
    assert "The larger network gains +0.100" in text
    score.loc["affine+colour", 60] = 0.54
    assert "do not need each other" in runs.longer_and_colour(score, 0.1)


@pytest.mark.parametrize(("mixed", "word"), [(0.6, "As expected"), (0.95, "Not as expected")])
def test_overfitting_is_the_gap_at_the_end(mixed, word):
    def history(end):
        return pd.DataFrame({"epoch": [1, 2], "macro_f1": [0.1, end], "val_macro_f1": [0.2, 0.6]})

    text = runs.overfitting({"mild, none, width 16": history(0.9), "mild, either, width 16": history(mixed)})
    assert text.startswith(f"**Result.** {word}")
    assert "mild, none: gap +0.300 to +0.300, below until epoch 1 to 1" in text
    assert "No curves" in runs.overfitting({})
    assert "All runs are alike in mixing" in runs.overfitting({"mild, none": history(0.9)})


def test_hardest_and_easiest_classes():
    f1 = pd.Series({"a": 0.9, "b": 0.2, "c": 0.7, "d": 0.5})
    text = scores.classes(f1, "test", by_concept=True)
    assert "hardest classes are b 0.200, d 0.500, c 0.700; the easiest a 0.900, c 0.700, d 0.500." in text
    assert "2 of 4 classes reach an F1 of 0.70" in text
    assert "draw whole concepts" in text
    assert "draw whole clusters of look-alikes" in scores.classes(f1, "test", by_concept=False)


def test_mistakes_by_concept_and_the_score_where_each_counts_the_same():
    table = pd.DataFrame({"class_name": list("aaaab"), "predicted": list("bbbab")})
    concept = pd.Series(["dog", "dog", "dog", "cat", "sun"])
    text = scores.mistakes_by_concept(table, concept, "test")
    assert "3 of 3 mistakes are variants of one concept (*dog*), 1 of 3 concepts make half of them" in text
    assert "macro F1 is 0.667 instead of 0.400" in text  # weights: dogs 1/3 each, others 1
    right = table.assign(predicted=table.class_name)
    assert "no mistakes" in scores.mistakes_by_concept(right, concept, "test")


@pytest.mark.parametrize(("probability", "side"), [(0.9, "overconfident"), (0.3, "underconfident")])
def test_the_side_of_the_calibration_error(probability, side):
    table = pd.DataFrame({"class_name": list("ab"), "predicted": list("aa"), "probability": probability})
    text = scores.confidence(0.8, {"before": 0.1, "after": 0.02, "test": 0.4}, {"test": table})
    assert "temperature 0.800: 0.100 and 0.020 on validation" in text
    assert f"`test` 0.400, on average {side}" in text


@pytest.mark.parametrize(
    ("third", "answer"), [([0.8, 0.7, 0.6], "is the best"), ([0.7, 0.8, 0.6], "is not the best")]
)
def test_the_network_chosen_on_validation_and_the_test_folders(third, answer):
    table = pd.DataFrame(
        {"val: macro F1": [0.7, 0.6, 0.5], "test: macro F1": [0.8, 0.6, 0.7], "new: macro F1": third}
    )
    text = scores.ranking(table)
    assert f"The network chosen on validation {answer} on both test folders" in text
    assert "over 3 networks: 0.50 with test" in text


@pytest.mark.parametrize(("shift", "word"), [(0.01, "As expected"), (0.1, "Not as expected")])
def test_validation_beside_test(shift, word):
    f1 = pd.DataFrame({"validation": [0.5, 0.6, 0.7], "test": [0.5, 0.6, 0.7 + 3 * shift]}, index=list("abc"))
    text = scores.validation_and_test(f1)
    assert text.startswith(f"**Result.** {word} in section 2: macro F1 of the shipped model is 0.600")
    assert "Spearman correlation of 1.00" in text
    assert f"and c (0.700 and {0.7 + 3 * shift:.3f})" in text


@pytest.mark.parametrize(("share", "word"), [(0.25, "As expected"), (0.26, "Not as expected")])
def test_the_tutorial_is_passed_within_a_quarter_of_its_time(share, word):
    ours = ["ours", "ours, quarter", "ours, mixed"]
    others = pd.DataFrame({
        "test: macro F1": [0.7, 0.6, 0.69, 0.5, 0.61],
        "test unseen style: macro F1": [0.6, 0.5, 0.6, 0.4, 0.5],
    }, index=[*ours, "tutorial", "HOG"])  # fmt: skip
    goals = {"tutorial": pd.Series({"macro_f1": 0.5, "seconds": 400.0})}
    times = pd.DataFrame({"tutorial": [share, None, 0.5]}, index=ours)
    text = scores.standard_methods(others, goals, times)
    assert f"{word}: the best of *tutorial* (0.500 after 400 s) is passed after {share:.2f}" in text
    assert "+0.200 and +0.200 against *tutorial*, +0.090 and +0.100 against *HOG*" in text
    assert "mixing changes it by -0.010 and +0.000" in text
    assert "it has 0.600 on test, less than HOG (0.610)" in text


@pytest.mark.parametrize(
    ("networks", "start"), [(1, "One network, trained"), (2, "The average of 2 networks, trained")]
)
def test_the_conclusion(networks, start):
    scored = {"test": {"macro_f1": 0.8, "micro_f1": 0.9}}
    training = {"seconds": 90, "device": "gpu", "val_macro_f1": 0.7}
    table = pd.DataFrame({"seconds": [60, 120], "device": ["cpu", "gpu"]})
    text = scores.all_in_all(scored, training, networks, table, ["weights/best.h5", "best.json"])
    assert text.startswith(f"{start} from scratch for 1.5 minutes in all on one GPU: `test` macro F1 0.800")
    assert "2 runs of the grid and of section 5 took 3 minutes on CPU and GPU" in text
    assert "**결론.** 전이 학습 없이" in text
