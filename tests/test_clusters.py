"""Clusters of points whose groups are known: quantiles, the test against zero, the knee, DBSCAN, names."""

import numpy as np
import pytest

from illus.photos.clusters import (
    EPS_FACTORS,
    draw_points,
    embed,
    find_clusters,
    k_distances,
    knee,
    name_photos,
    reaches_zero,
    search_eps,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def blobs():
    """200 points, 400 points, and five by themselves."""
    rng = np.random.default_rng(0)
    far = [[20, 20], [-20, 20], [20, -20], [-20, -20], [2.5, 8]]
    points = np.concatenate([rng.normal((5, 0), 0.3, (200, 2)), rng.normal(0, 0.3, (400, 2)), far])
    return points, np.repeat([1, 0, -1], [200, 400, 5])


def test_a_gain_reaches_zero_if_it_cannot_be_told_from_it():
    """Of 100 blocks with a spread of 1 the mean has a standard error of 0.1, and 2.33 of these are 1 %."""
    spread = np.tile([-1.0, 1.0], 50)
    means = np.array([-1.0, -0.24, -0.22, 0.0, 2.0])
    assert reaches_zero(means[:, None] + spread, 0.01).tolist() == [False, False, True, True, True]
    assert reaches_zero(means[:, None] + spread, 0.05).tolist() == [False, False, False, True, True]
    assert reaches_zero(means[:, None] + 5 * spread, 0.01).tolist() == [True] * 5


@pytest.mark.parametrize("shape", [(1, 5), (40, 5)])
def test_nothing_differs_and_all_points_are_zero(shape):
    np.testing.assert_array_equal(embed(np.full(shape, 3.0)), np.zeros((shape[0], 2)))


@pytest.mark.parametrize(("most", "count"), [(1000, 605), (250, 250)])
def test_clusters_are_numbered_by_size_noise_is_in_none_and_points_beyond_the_sample_join(blobs, most, count):
    points, expected = blobs
    drawn = draw_points(points, most)
    assert drawn.shape == (count, 2)
    np.testing.assert_array_equal(draw_points(points, most), drawn)
    assert (draw_points(points, most, seed=1) != drawn).any()
    cluster = find_clusters(points, drawn, knee(k_distances(drawn, 20)), 20)
    assert (cluster == expected).mean() > 0.99
    assert (cluster[-5:] == -1).all()


def test_few_points_are_noise_and_equal_points_are_one_cluster():
    for n, expected in ((1, -1), (19, -1), (20, 0)):
        points = np.zeros((n, 2))
        assert find_clusters(points, points, 1e-6, 20).tolist() == [expected] * n


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([*np.linspace(0, 1, 91), *range(2, 12)], 1),
        ([0] * 50 + [5, 10], 0),
        ([1, 2, 3, 4, 40], 4),
        ([2, 2, 2], 2),
        ([3], 3),
    ],
    ids=["corner", "steps", "last but one", "constant", "one"],
)
def test_the_knee_of_a_curve(curve, expected):
    assert knee(np.array(curve, float)) == pytest.approx(expected)


def test_a_k_distance_counts_the_point_itself():
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert k_distances(points, 1).tolist() == [0, 0, 0, 0]
    assert k_distances(points, 2).tolist() == [1, 1, 2, 4]
    assert k_distances(points, 9).tolist() == [4, 6, 7, 7]


@pytest.mark.parametrize(
    ("cluster", "reaches", "photos"),
    [
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1]),
        ([0, 0, 0, 1, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]),
        ([0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]),
        ([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1]),
        ([0, 0, -1, -1, -1], [0, 1, 1, 0, 1], [0, 0, 1, 0, 1]),
        ([-1, -1], [0, 0], [0, 0]),
    ],
    ids=["most", "half", "never the largest", "two others", "noise by itself", "none"],
)
def test_clusters_most_of_which_reach_zero_are_photographs(cluster, reaches, photos):
    assert name_photos(np.array(cluster), np.array(reaches, bool)).tolist() == [bool(p) for p in photos]


def test_eps_is_where_most_images_are_taken_for_photographs(blobs):
    points, expected = blobs
    cluster, gaps, eps = search_eps(points, expected == 1, 20, 4000)
    assert (name_photos(cluster, expected == 1) == (expected == 1)).mean() > 0.99
    assert (np.diff(gaps) >= 0).all()
    assert eps / knee(gaps) == pytest.approx(EPS_FACTORS[np.abs(EPS_FACTORS - eps / knee(gaps)).argmin()])
    for factor in EPS_FACTORS:
        other = find_clusters(points, points, factor * knee(gaps), 20)
        assert name_photos(other, expected == 1).sum() <= name_photos(cluster, expected == 1).sum()


def test_without_photographs_the_largest_eps_is_taken(blobs):
    points, _ = blobs
    _, gaps, eps = search_eps(points, np.zeros(len(points), bool), 20, 300, seed=2)
    assert gaps.shape == (300,)
    assert eps == pytest.approx(max(EPS_FACTORS) * knee(gaps))


def test_equal_points_have_an_eps_above_zero():
    cluster, _, eps = search_eps(np.zeros((60, 2)), np.zeros(60, bool), 10, 300)
    assert eps > 0
    assert (cluster == 0).all()
