"""Clusters of points whose groups are known: scaling, embedding, the knee and DBSCAN."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from illus.photos.clusters import (
    CODE_DIRECTIONS,
    embed,
    find_clusters,
    k_distances,
    knee,
    principal_components,
    scale,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def blobs():
    """200 points, 400 points, and five by themselves."""
    rng = np.random.default_rng(0)
    far = [[20, 20], [-20, 20], [20, -20], [-20, -20], [2.5, 8]]
    points = np.concatenate([rng.normal((5, 0), 0.3, (200, 2)), rng.normal(0, 0.3, (400, 2)), far])
    return points, np.repeat([1, 0, -1], [200, 400, 5])


# --- Points ---------------------------------------------------------------------------------------


def test_features_are_scaled_by_their_spread_and_clipped():
    features = np.column_stack([np.linspace(0, 100, 101), np.linspace(0, 1, 101), np.full(101, 7.0)])
    features[100, 1] = 1000
    scaled = scale(features)
    np.testing.assert_allclose(scaled[:, 0], (np.arange(101) - 50) / 34)
    np.testing.assert_allclose(scaled[:100, 1], scaled[:100, 0], atol=1e-9)
    assert scaled[100, 1] == 4
    assert (scaled[:, 2] == 0).all()


def test_principal_components_are_the_longest_first():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 4)) * [0.1, 5, 1, 0]
    points = principal_components(features, 3)
    assert points.shape == (300, 3)
    assert np.abs(np.corrcoef(points[:, 0], features[:, 1])[0, 1]) > 0.999
    assert np.abs(np.corrcoef(points[:, 1], features[:, 2])[0, 1]) > 0.99
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(pdist(points), pdist(features), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 42), (5, 42), (40, 2)])
def test_nothing_differs_and_all_points_are_zero(shape):
    np.testing.assert_array_equal(principal_components(np.full(shape, 3.0), 3), np.zeros((shape[0], 3)))
    np.testing.assert_array_equal(
        embed(np.full((shape[0], 6), 2.0), np.full(shape, 3.0), 3), np.zeros((shape[0], 3))
    )


def test_fewer_images_or_features_than_dimensions_leave_zeros():
    rng = np.random.default_rng(0)
    assert (principal_components(rng.normal(size=(50, 2)), 5)[:, 2:] == 0).all()
    two = embed(rng.normal(size=(2, 6)), rng.normal(size=(2, 36)), 3)
    assert two.shape == (2, 3)
    assert (two[:, 2:] == 0).all()
    assert np.ptp(two[:, 0]) > 0


def test_votes_are_kept_as_they_are():
    ballots = np.random.default_rng(0).normal(size=(80, 6))
    points = embed(ballots, np.full((80, 36), 5.0), 6)
    np.testing.assert_allclose(pdist(points), pdist(ballots), rtol=1e-6)


def test_two_directions_of_the_code_weigh_as_much_as_a_vote():
    """Of 36 numbers 20 are one direction, 10 another, 6 a third: the first two count."""
    rng = np.random.default_rng(0)
    first, second, third = rng.uniform(-1, 1, (3, 500))
    codes = np.column_stack([first] * 20 + [second] * 10 + [third] * 6)
    points = embed(np.zeros((500, 6)), codes, 8)
    assert CODE_DIRECTIONS == 2
    assert points.std(0)[:2] == pytest.approx([1, np.sqrt(10 / 20)], rel=0.05)
    np.testing.assert_allclose(points[:, 2:], 0, atol=1e-9)
    assert np.abs(np.corrcoef(points[:, 0], first)[0, 1]) > 0.99
    assert np.abs(np.corrcoef(points[:, 1], second)[0, 1]) > 0.99
    both = embed(rng.normal(0, 3, (500, 1)) * np.ones((1, 6)), codes, 8)
    assert both.std(0)[:3] == pytest.approx([3 * np.sqrt(6), 1, np.sqrt(0.5)], rel=0.1)


def test_units_of_the_code_do_not_matter():
    rng = np.random.default_rng(0)
    ballots, codes = rng.normal(size=(60, 6)), rng.normal(size=(60, 36))
    np.testing.assert_allclose(
        pdist(embed(ballots, 1000 * codes - 7, 3)), pdist(embed(ballots, codes, 3)), rtol=1e-5
    )


# --- DBSCAN ---------------------------------------------------------------------------------------


def test_clusters_are_numbered_by_size_and_noise_is_in_none(blobs):
    points, expected = blobs
    cluster, gaps, eps = find_clusters(points, 20, 4000)
    assert (cluster == expected).mean() > 0.99
    assert (cluster[-5:] == -1).all()
    assert gaps.shape == (605,)
    assert (np.diff(gaps) >= 0).all()
    assert eps in gaps
    assert eps == knee(k_distances(points, 20))
    assert 0.2 < eps < 2


def test_points_beyond_the_sample_join_the_same_clusters(blobs):
    points, expected = blobs
    whole = find_clusters(points, 20, 4000)[0]
    cluster, gaps, _ = find_clusters(points, 20, 250)
    assert gaps.shape == (250,)
    assert (cluster == whole).mean() > 0.99
    assert (cluster == expected).mean() > 0.99
    assert (cluster[-5:] == -1).all()
    np.testing.assert_array_equal(find_clusters(points, 20, 250)[0], cluster)
    assert (find_clusters(points, 20, 250, seed=1)[1] != gaps).any()


def test_eps_is_a_multiple_of_the_knee(blobs):
    points, expected = blobs
    (half, _, short), (_, _, eps), (joined, _, far) = (
        find_clusters(points, 20, 4000, f) for f in (0.5, 1, 12)
    )
    assert [short, far] == pytest.approx([0.5 * eps, 12 * eps])
    assert (half == -1).sum() > (expected == -1).sum()
    assert set(half) == {-1, 0, 1}
    assert set(joined[:600]) == {0}, "both blobs are one"


def test_few_points_are_noise_and_equal_points_are_one_cluster():
    assert find_clusters(np.zeros((1, 2)), 20, 4000)[0].tolist() == [-1]
    assert find_clusters(np.zeros((19, 2)), 20, 4000)[0].tolist() == [-1] * 19
    assert find_clusters(np.zeros((20, 2)), 20, 4000)[0].tolist() == [0] * 20


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
