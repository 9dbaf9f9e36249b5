"""imgeda's exact and near duplicates; runs in the peers' virtual environment.

In: a folder, and largest Hamming distances of its hashes, which have 256 bits. Out: JSON, for each distance a
list of groups of files, and the scan, which a second run reads again. It calls what `imgeda scan` and `imgeda
check duplicates` call.
"""

import argparse
import json
from pathlib import Path

from imgeda.core.duplicates import find_exact_duplicates, find_near_duplicates
from imgeda.io.manifest_io import read_manifest
from imgeda.models.config import ScanConfig
from imgeda.pipeline.runner import run_scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("bits", type=int, nargs="+")
    options = parser.parse_args()
    manifest = f"{options.out}.manifest"
    run_scan(options.folder, manifest, ScanConfig())
    _, records = read_manifest(manifest)
    exact = list(find_exact_duplicates(records).values())
    found = {
        bits: [[record.path for record in group] for group in exact + find_near_duplicates(records, bits)]
        for bits in options.bits
    }
    options.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
