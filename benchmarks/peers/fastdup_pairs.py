"""fastdup's pairs of neighbours by the network that its package ships; one search serves all settings.

Settings: the least cosine similarity, as in "cosine 0.96", its default for connected components.
"""

import os
import tempfile
from collections.abc import Iterator

os.environ["SENTRY_OPT_OUT"] = "1"  # nothing is reported to its makers
import fastdup

from benchmarks.peers.groups import Groups, write_groups


def find(folder: str, files: list[str], settings: list[str]) -> Iterator[Groups]:
    limits = [float(setting.split()[1]) for setting in settings]
    with tempfile.TemporaryDirectory() as scratch:
        run = fastdup.create(work_dir=scratch, input_dir=folder)
        run.run(threshold=min(limits), overwrite=True, print_summary=False, verbose=False)
        found = run.similarity()
    for limit in limits:
        near = found[found.distance >= limit]
        yield near[["filename_from", "filename_to"]].to_numpy().tolist()


if __name__ == "__main__":
    write_groups(find)
