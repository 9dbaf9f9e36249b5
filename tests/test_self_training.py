"""Log odds by the model of the other half, and the emptiest place between two groups of scores."""

import numpy as np
import pytest

from illus.photos import self_training
from illus.photos.self_training import cross_judge, emptiest_place, halves, judge_in_rounds, standardise

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def test_each_kind_is_halved_however_rare():
    label = np.repeat([-1, 0, 1], [500, 90, 10])
    for seed in range(20):
        half = halves(label, seed)
        assert set(half) == {0, 1}
        assert [(half[label == kind] == 0).sum() for kind in (-1, 0, 1)] == [250, 45, 5]
    assert (halves(label, 0) != halves(label, 1)).any()
    np.testing.assert_array_equal(halves(label, 0), halves(label, 0))
    odd = np.repeat([-1, 0, 1], [7, 5, 3])
    assert {abs(2 * halves(odd, 0)[odd == kind].sum() - (odd == kind).sum()) for kind in (-1, 0, 1)} == {1}


def test_each_half_is_judged_by_the_model_of_the_other_half(monkeypatch):
    judged = []

    class Judge:
        def fit(self, features, label):
            self.taught, self.label = features[:, 0].tolist(), label

        def decision_function(self, features):
            judged.append((self.taught, self.label, features[:, 0].tolist()))
            return np.full(len(features), 10.0 ** len(judged))

    monkeypatch.setattr(self_training, "make_pipeline", lambda *_: Judge())
    label = np.random.default_rng(0).permutation(np.repeat([-1, 0, 1], [40, 40, 20]))
    odds = cross_judge(np.arange(100)[:, None], label, 0.1, seed=7)
    assert len(judged) == 2 * self_training.HALVINGS == 4
    for taught, taught_label, asked in judged:
        assert not set(taught) & set(asked)
        assert len(asked) == 50
        np.testing.assert_array_equal(taught_label, label[taught])
        assert sorted(taught_label) == [0] * 20 + [1] * 10, "open ones teach nothing"
    for first in (0, 2):
        assert sorted(judged[first][2] + judged[first + 1][2]) == list(range(100))
    assert sorted(judged[0][2]) not in (sorted(judged[2][2]), sorted(judged[3][2])), "halved anew"
    expected = np.zeros(100)
    for number, (_, _, asked) in enumerate(judged, start=1):
        expected[asked] += 10.0**number / self_training.HALVINGS
    np.testing.assert_allclose(odds, expected)


@pytest.fixture(scope="module")
def two_kinds():
    """200 illustrations and 20 photos that differ in two of ten features; half of each have labels."""
    truth = np.repeat([0, 1], [200, 20])
    features = np.random.default_rng(0).normal(size=(220, 10))
    features[:, :2] += 4 * truth[:, None]
    label = np.where(np.arange(220) % 2, truth, -1)
    return features, label, truth


@pytest.mark.parametrize("wrong", [[], [1, 201]])
def test_open_images_get_the_odds_of_their_kind_and_wrong_labels_are_outvoted(two_kinds, wrong):
    features, label, truth = two_kinds
    label = label.copy()
    label[wrong] = 1 - truth[wrong]
    odds = cross_judge(features, label, 0.1)
    assert ((odds > 0) == truth).mean() > 0.98
    assert (odds[truth == 1] > 0).all(), "the rare kind weighs as much"
    assert ((odds > 0) == truth)[wrong].all()


def test_one_seed_gives_the_same_odds_and_units_do_not_matter(two_kinds):
    features, label, _ = two_kinds
    odds = cross_judge(features, label, 0.1, 3)
    np.testing.assert_array_equal(cross_judge(features, label, 0.1, 3), odds)
    assert np.abs(cross_judge(features, label, 0.1, 4) - odds).max() > 1e-3
    other_units = features * np.logspace(-3, 3, 10) + 50
    np.testing.assert_allclose(cross_judge(other_units, label, 0.1, 3), odds, atol=1e-2)


def test_medians_of_the_two_kinds_are_at_minus_one_and_one():
    values = np.array([10.0, 20, 90, 70, 80, 500, 50])
    label = np.array([0, 0, 0, 1, 1, 1, -1])
    assert standardise(values, label).tolist() == [-4 / 3, -1, 1 + 1 / 3, 2 / 3, 1, 15, 0]


def blobs(*centres, spread=0.1, n=300):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, spread, n) for centre in centres])


@pytest.mark.parametrize("shift", [-0.3, -0.15, 0, 0.15, 0.3])
def test_the_emptiest_place_lies_between_two_groups_and_shifts_with_them(shift):
    place = emptiest_place(blobs(-0.7 + shift, 0.7 + shift), 0.15)
    assert place == pytest.approx(shift, abs=0.05)


FALLING = np.random.default_rng(0).exponential(0.5, 5000) - 1.5


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        (np.concatenate([blobs(-1, n=900, spread=0.3), blobs(1, n=9)]), 0.2, 0.9),
        (blobs(-1.0, 0.0, 0.5, 1.0), -0.6, -0.4),
        (FALLING, 0.99, 1.01),
        (-FALLING, -1.01, -0.99),
    ],
    ids=["nearer to the smaller group", "the wider gap", "an end without a gap", "the other end"],
)
def test_where_the_emptiest_place_lies(scores, low, high):
    assert low < emptiest_place(scores, 0.15) < high


def test_scores_far_away_do_not_matter():
    scores = blobs(-1, 0.6)
    place = emptiest_place(scores, 0.15)
    assert emptiest_place(np.concatenate([scores, [-500.0, 80.0]]), 0.15) == place


@pytest.fixture(scope="module")
def evidence():
    """400 illustrations and 40 photos: three statistics and two features that tell them apart."""
    truth = np.repeat([False, True], [400, 40])
    rng = np.random.default_rng(0)
    return *(rng.normal(3 * truth[:, None], 1, (440, columns)) for columns in (3, 2)), truth


def test_wrong_proposals_are_put_right_and_missing_ones_found(evidence):
    statistics, features, truth = evidence
    proposed = truth & (np.arange(440) % 2 == 0)
    proposed[:8] = True
    scores = judge_in_rounds(statistics, features, proposed, 0.1, 0.1, 5)
    wrong = [((score > 0) != truth).sum() for score in scores]
    assert wrong[-1] <= 2
    assert wrong[-1] <= wrong[0] < (proposed != truth).sum()
    assert 2 <= len(scores) < self_training.ROUNDS, "they agree before the last round"


def test_the_first_round_sees_the_statistics_alone(evidence):
    statistics, features, truth = evidence
    one, other = (judge_in_rounds(statistics, f, truth, 0.1, 0.1, 5) for f in (features, features[::-1]))
    np.testing.assert_array_equal(one[0], other[0])
    assert np.abs(one[1] - other[1]).max() > 0.1


@pytest.mark.parametrize("count", [0, 4, 437, 440])
def test_with_too_few_of_a_kind_nothing_is_judged(evidence, count):
    statistics, features, _ = evidence
    assert judge_in_rounds(statistics, features, np.arange(440) < count, 0.1, 0.1, 5) == []
