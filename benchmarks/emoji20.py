"""How many files of each kind emoji20 has. Writes results/emoji20.csv.

python -m benchmarks.emoji20
"""

import pandas as pd

from illus import work_folders
from illus.hashing import code_of
from illus.parallel import write_table

SOURCES = tuple(
    f"illus/emoji20/{name}.py" for name in ("build", "contaminate", "photographs", "render", "sources")
)


def main() -> None:
    truth = pd.read_csv(work_folders.EMOJI20 / "truth.csv", keep_default_na=False)
    part = truth.path.str.split("/").str[0].rename("part")
    files = truth.groupby([part, "kind"]).size().rename("files").reset_index()
    write_table(files.assign(code=code_of(SOURCES)), work_folders.RESULTS / "emoji20.csv")
    print(files.to_string(index=False))


if __name__ == "__main__":
    main()
