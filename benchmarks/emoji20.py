"""How many files of each kind emoji20 has. Writes results/emoji20.csv.

python -m benchmarks.emoji20
"""

import pandas as pd

from benchmarks.records import write_record
from illus import work_folders


def main() -> None:
    truth = pd.read_csv(work_folders.EMOJI20 / "truth.csv", keep_default_na=False)
    part = truth.path.str.split("/").str[0].rename("part")
    files = truth.groupby([part, "kind"]).size().rename("files").reset_index()
    write_record(files, "emoji20")
    print(files.to_string(index=False))


if __name__ == "__main__":
    main()
