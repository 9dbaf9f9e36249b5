"""imgeda's exact and near duplicates; settings: the largest Hamming distance, as in "PHash, 8 of 256 bits".

It calls what ``imgeda scan`` and ``imgeda check duplicates`` call.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from imgeda.core.duplicates import find_exact_duplicates, find_near_duplicates
from imgeda.io.manifest_io import read_manifest
from imgeda.models.config import ScanConfig
from imgeda.pipeline.runner import run_scan

from benchmarks.peers.groups import Groups, write_groups


def find(folder: str, files: list[str], settings: list[str]) -> Iterator[Groups]:
    with tempfile.TemporaryDirectory() as scratch:
        manifest = str(Path(scratch, "manifest"))
        run_scan(folder, manifest, ScanConfig())
        _, records = read_manifest(manifest)
    exact = list(find_exact_duplicates(records).values())
    for setting in settings:
        near = find_near_duplicates(records, int(setting.split()[1]))
        yield [[record.path for record in group] for group in exact + near]


if __name__ == "__main__":
    write_groups(find)
