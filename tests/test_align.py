"""The map that lays one image upon another: known maps are found again."""

import cv2
import numpy as np
import pytest
from drawings import DRAWINGS, house

from illus.copies.align import NO_MOVE, Aligner, farthest_move, inverse, is_small, rescaled, warped

MAP = np.array([[1.03, 0.005, 1.5], [-0.006, 0.98, -2.0]])
KNOWN = np.ones((96, 96), np.float32)


def gray(image):
    return cv2.cvtColor(np.asarray(image).astype(np.float32), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("draw_one", DRAWINGS.values(), ids=DRAWINGS)
def test_a_known_map_is_found_at_once_and_from_a_coarse_start(draw_one):
    moving = gray(draw_one(side=96))
    fixed = warped(moving, MAP, cv2.INTER_CUBIC)
    found = Aligner(fixed, KNOWN).align(moving, NO_MOVE, 6)
    assert np.abs(found - MAP)[:, 2].max() < 0.1
    assert np.abs(found - MAP)[:, :2].max() < 0.005
    small, little = (cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in (fixed, moving))
    coarse = rescaled(Aligner(small, KNOWN[:32, :32]).align(little, NO_MOVE, 4), 3)
    refined = Aligner(fixed, KNOWN).align(moving, coarse, 1)
    assert np.abs(refined - MAP)[:, 2].max() < 0.3
    assert np.abs(coarse - MAP)[:, 2].max() > np.abs(refined - MAP)[:, 2].max()


def test_brightness_and_contrast_do_not_matter():
    moving = gray(house(side=96))
    fixed = warped(moving, MAP, cv2.INTER_CUBIC)
    relit = Aligner(fixed, KNOWN).align(0.8 * moving + 30, NO_MOVE, 6)
    assert np.abs(relit - MAP)[:, 2].max() < 0.1


def test_without_structure_nothing_moves():
    plain, drawn = np.full((96, 96), 90, np.float32), gray(house(side=96))
    assert Aligner(plain, KNOWN).align(drawn, NO_MOVE, 3) is NO_MOVE
    assert Aligner(drawn, KNOWN).align(plain, NO_MOVE, 3) is NO_MOVE


def test_the_inverse_leads_back_and_limits_are_kept():
    there, back = (np.vstack([one, [0, 0, 1]]) for one in (MAP, inverse(MAP)))
    np.testing.assert_allclose(there @ back, np.eye(3), atol=1e-12)
    assert is_small(MAP, 96, 0.006, 0.03, 0.021)
    for limits in ((0.004, 0.03, 0.021), (0.006, 0.02, 0.021), (0.006, 0.03, 0.02)):
        assert not is_small(MAP, 96, *limits)


def test_the_farthest_move_is_that_of_a_corner():
    assert farthest_move(NO_MOVE, 96) == 0
    assert farthest_move(np.array([[1, 0, 0.5], [0, 1, -2]]), 96) == 2
    assert farthest_move(np.array([[1, 0.01, 0.5], [0.02, 1, 0]]), 100) == pytest.approx(1)
