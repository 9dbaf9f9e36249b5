"""cleanvision's exact and near duplicates; settings: kind and size of hash, as in "phash 8"."""

from collections.abc import Iterator

from cleanvision import Imagelab

from benchmarks.peers.groups import Groups, write_groups


def find(folder: str, files: list[str], settings: list[str]) -> Iterator[Groups]:
    for setting in settings:
        kind, size = setting.split()
        lab = Imagelab(filepaths=files, verbose=False)  # of a folder it would leave out BMP files
        near = {"hash_type": kind, "hash_size": int(size)}
        lab.find_issues({"exact_duplicates": {}, "near_duplicates": near}, verbose=False)
        yield lab.info["exact_duplicates"]["sets"] + lab.info["near_duplicates"]["sets"]


if __name__ == "__main__":
    write_groups(find)
