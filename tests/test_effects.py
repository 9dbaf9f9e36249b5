"""What differences between runs mean, with answers known by hand."""

import pandas as pd
import pytest

from illus.report.effects import against_control, side_by_side, table_of_changes


def test_changes_against_a_control_by_hand():
    """Three candidates, two seeds each: the pooled standard deviation is 0.1 * sqrt(2)."""
    samples = {"none": [0.1, 0.3], "same": [0.1, 0.3], "more": [10.1, 10.3]}
    changes = against_control(samples, "none")
    assert changes.index.tolist() == ["same", "more"]
    assert changes.change.tolist() == pytest.approx([0, 10])
    assert changes.low["same"] < 0 < changes.high["same"]
    assert changes.low["more"] > 9
    # Dunnett's constant for two comparisons and three degrees of freedom is 3.866
    half = (changes.high - changes.low) / 2
    assert half.tolist() == pytest.approx([3.866 * 0.1 * 2**0.5] * 2, rel=0.02)


def test_candidates_that_agree_by_chance_get_no_narrow_interval():
    steady = against_control({"none": [0.0, 0.4, 1.1], "a": [0.5, 0.51, 0.49]}, "none")
    assert steady.change["a"] == pytest.approx(0), "it is that of the means"
    assert steady.high["a"] - steady.low["a"] > 0.5


def test_a_table_has_the_mean_of_each_answer_and_its_change():
    runs = pd.DataFrame({"answer": list("nnnaaa"), "f1": [0.5, 0.51, 0.49, 0.6, 0.61, 0.59]})
    _, control, answer = str(table_of_changes(runs, "answer", "f1", "n")).splitlines()
    assert control.split() == ["n", "0.500"]
    assert answer.split()[:3] == ["a", "0.600", "+0.100"]
    low, high = (float(bound.strip("[],")) for bound in answer.split()[3:])
    assert 0.05 < low < 0.1 < high < 0.15
    both = side_by_side(runs.assign(half=runs.f1 / 2), "answer", {"f1": "F1", "half": "half"}, "n")
    assert both["F1"].equals(table_of_changes(runs, "answer", "f1", "n"))
    assert both["half"]["mean"].tolist() == ["0.250", "0.300"]
