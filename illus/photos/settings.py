"""The settings of the photo filter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PhotoSettings:
    """Every setting of the photo filter; none says what a photograph looks like."""

    min_images: int = 50  # distinct images below which no density can be seen
    max_share: float = 0.5  # a larger share is not removed: then photos are not the rare strangers
    significance: float = 0.01  # of the test whether a mean gain lies below zero
    max_points: int = 6000  # that DBSCAN clusters, so that memory stays bounded
    min_samples: int = 10  # of DBSCAN; 20 can miss a handful of photographs
    min_photos: int = 5  # below which nothing is removed and no model is fitted: a handful is no group
    regularisation: float = 0.1  # C of the logistic regression
    bandwidth: float = 0.1  # of the density of scores, whose two kinds lie 2 apart


DEFAULTS = PhotoSettings()
