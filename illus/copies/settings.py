"""The thresholds of the duplicate finder: what decides about descriptors that are measured once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DuplicateSettings:
    """Every threshold by which the duplicate finder decides; what it measures depends on none of them.

    *Swept* fields were chosen on emoji20 built with seed 1, which no result is reported on;
    ``benchmarks/threshold.py`` varies each of them there, in ``results/duplicates_settings.csv``.
    """

    # Which pairs are compared
    hash_radius: int = 4  # bits of 64 in which two pHashes may differ; swept
    largest_bucket: int = 20  # files; a hash that more files share is of images without structure; swept
    colour_neighbours: int = 4  # nearest images by colour grid; swept: more find no more copies
    max_exact: int = 100_000  # images of which all are compared with all: about a minute; of more, by faiss
    max_cell_difference: float = 75.0  # levels, in any cell of the colour grid; swept
    max_margin_ratio: float = 1.19  # padding by 8 % on each side, which emoji20 plants, and rounding
    max_aspect: float = 0.05  # difference of log aspect ratios, on top of a pixel of rounding; swept
    # How different two images are
    smallest_side: int = 24  # px, of the comparison: a third of the smallest file that emoji20 has
    window: int = 8  # px, over which a difference is averaged; swept
    edge_allowance: float = 0.1  # share of the edge strength that is forgiven: resampling blurs edges; swept
    gain: tuple[float, float] = (0.85, 1.18)  # range of contrast changes: the mild ones that emoji20 plants
    offset: tuple[float, float] = (-30.0, 30.0)  # levels, range of brightness changes: as emoji20 plants
    light_penalty: float = 0.2  # per level of brightness or contrast change that was fitted; swept
    margin_penalty: float = 20.0  # per log ratio of the shares of the image that content fills; swept
    detail: float = 20.0  # mean gradient at which twice a flat drawing's difference is allowed; swept
    max_scale: float = 0.06  # of an alignment; swept
    max_shear: float = 0.015  # of an alignment; swept
    max_shift: float = 0.035  # of an alignment, as a share of the side; swept
    sure: float = 1.0  # distance below which no other attempt is made; swept
    max_retry_distance: float = 25.0  # above it no light is fitted: saves time; swept
    # What is a duplicate, and what a variant
    near: float = 6.0  # distance up to which two files are duplicates: the smallest with recall 0.98; swept
    unlike: float = 12.0  # distance above which a chain is cut, and a coarse comparison is enough; swept
    shape_neighbours: int = 6  # nearest shapes that may be variants; by eye, as no variants are planted
    mirror_neighbours: int = 3  # nearest mirrored shapes that may be variants; by eye
    min_shape_cosine: float = 0.95  # of the shape descriptors of two variants; by eye


DEFAULTS = DuplicateSettings()
