"""The thresholds of the photo filter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PhotoSettings:
    """Every threshold of the photo filter.

    ``results/photos_settings.csv`` shows F1 around each chosen value, where it says "sweep". Where the levels
    of the votes come from, :data:`illus.files.photo_statistics.LEVELS` says.
    """

    min_images: int = 50  # distinct images below which no density can be seen; by reasoning
    max_share: float = 0.5  # a larger share is not removed: then photos are not the rare strangers
    dimensions: int = 3  # that DBSCAN sees; sweep: F1 of 2 to 6 within 0.03
    max_points: int = 6000  # that DBSCAN clusters, so that memory stays bounded
    min_samples: int = 20  # of DBSCAN; sweep: F1 of 15 to 30 within 0.02
    eps_factor: float = 0.6  # of the k-distance knee; sweep: 0.6 to 0.9 within 0.02, at 1 merged
    photo_vote: float = 1.0  # median vote from which a cluster is of photos: one spread beyond half way
    illustration_vote: float = 0.0  # median vote below which it is of illustrations: half way
    min_pseudo_labels: int = 5  # of either kind, below which no model is fitted; by reasoning
    regularisation: float = 0.1  # C of the logistic regression; sweep: 0.03 to 0.3 within 0.02
    bandwidth: float = 0.1  # of the density of scores; sweep: 0.05 to 0.15 within 0.02


DEFAULTS = PhotoSettings()
