"""cleanlab's label issues, from probabilities that are there already; runs in the peers' environment.

In: a NumPy file with ``probabilities`` (n, k) and ``labels`` (n,). Out: another with its default score of
each label (``quality``, low: doubted) and a mask of the issues for each way to find them (``filter_by``).
"""

import sys

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

FILTERS = ("prune_by_noise_rate", "confident_learning")  # the first is its default


def main() -> None:
    judged_file, out = sys.argv[1:]
    with np.load(judged_file) as judged:
        labels, probabilities = judged["labels"], judged["probabilities"]
    masks = {name: find_label_issues(labels, probabilities, filter_by=name, n_jobs=1) for name in FILTERS}
    np.savez(out, quality=get_label_quality_scores(labels, probabilities), **masks)


if __name__ == "__main__":
    main()
