"""cleanvision's exact and near duplicates; runs in the peers' virtual environment.

In: a JSON list of files, and a kind and size of hash. Out: JSON, a list of sets of files.
"""

import argparse
import json
from pathlib import Path

from cleanvision import Imagelab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path)
    parser.add_argument("hash_type")
    parser.add_argument("hash_size", type=int)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    lab = Imagelab(filepaths=json.loads(options.files.read_text()), verbose=False)
    near = {"hash_type": options.hash_type, "hash_size": options.hash_size}
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": near}, verbose=False)
    sets = lab.info["exact_duplicates"]["sets"] + lab.info["near_duplicates"]["sets"]
    options.out.write_text(json.dumps(sets))


if __name__ == "__main__":
    main()
