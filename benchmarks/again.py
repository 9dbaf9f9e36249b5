"""What a run on emoji20 costs after 100 files were added, beside a fresh run. Writes results/again.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.again

Three runs, each in processes of its own: *first*, without the 100 files, fills the cache; *again*, with them,
uses it; *fresh* has them and no cache. ``tables`` is scan and find_duplicates, ``photo features`` what the
photo filter measures of each distinct image before it trains. ``share`` is of the fresh run, of processor
time, because wall time depends on what else runs. Fails unless *again* and *fresh* give the same bytes.
"""

import argparse
import os
import resource
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import pandas as pd

from benchmarks.measure import load, measure_command
from illus import config
from illus.copies.duplicates import find_duplicates
from illus.files.catalog import scan
from illus.files.reading import kept_statistics
from illus.hashing import code_of
from illus.parallel import write_table

ADDED = 100  # files
STEPS = ("tables", "photo features")
SOURCES = (
    "illus/parallel.py",
    "illus/files/cache.py",
    "illus/files/catalog.py",
    "illus/files/descriptors.py",
    "illus/copies/compare.py",
    "illus/copies/duplicates.py",
    "illus/files/reading.py",
    "illus/files/photo_statistics.py",
    "benchmarks/again.py",
)


def link_files(source: Path, folder: Path, paths: list[str]) -> None:
    """Hard links with the same relative paths."""
    for path in paths:
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link((source / path).resolve(), link)


def make_tables(folder: Path, out: Path, cache: Path | None) -> None:
    """Catalog and duplicates of a folder, as CSV files."""
    catalog = scan(folder, cache=cache)
    write_table(catalog, out / "catalog.csv")
    write_table(find_duplicates(catalog, folder, cache=cache), out / "duplicates.csv")


def make_features(folder: Path, out: Path, cache: Path | None) -> None:
    """A hash of the statistics and patches of each distinct image of the tables in ``out``."""
    catalog = pd.read_csv(out / "catalog.csv", keep_default_na=False)
    duplicates = pd.read_csv(out / "duplicates.csv", keep_default_na=False)
    copies = duplicates.path[(duplicates.copy_of != "") & (duplicates.copy_of != duplicates.path)]
    files = catalog[(catalog.error == "") & ~catalog.path.isin(copies)].drop_duplicates("sha256")
    statistics, patches = kept_statistics(files, folder, cache)
    digest = sha256(statistics.to_numpy().tobytes() + patches.data)
    (out / "features.txt").write_text(digest.hexdigest())


def processor_seconds() -> float:
    """User and system time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_run(name: str, folder: Path, out: Path, cache: Path | None) -> list[dict[str, object]]:
    """Rows of the table for one run."""
    out.mkdir()
    rows = []
    for step in STEPS:
        before = processor_seconds()
        command = [sys.executable, "-m", "benchmarks.again", "--step", step, "--folder", folder, "--out", out]
        cost = measure_command([*command, *(["--cache", cache] if cache else [])])
        used = round(processor_seconds() - before, 1)
        files = sum(len(names) for _, _, names in os.walk(folder))
        rows.append({"step": step, "run": name, "files": files, "cpu_seconds": used, **cost})
        print(rows[-1], load(), flush=True)
    return rows


def measure(source: Path, scratch: Path) -> pd.DataFrame:
    """The table, without the column ``code``."""
    folder, cache = scratch / "images", scratch / "cache"
    paths = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    added = pd.Series(paths).sample(ADDED, random_state=0).tolist()
    link_files(source, folder, sorted(set(paths) - set(added)))
    rows = measure_run("first", folder, scratch / "first", cache)
    kept = {path.name.split("-")[0]: path.stat().st_size for path in cache.iterdir()}
    print({name: f"{size / 1e6:.0f} MB" for name, size in kept.items()}, flush=True)
    link_files(source, folder, added)
    rows += measure_run("again", folder, scratch / "again", cache)
    rows += measure_run("fresh", folder, scratch / "fresh", None)
    for name in ("catalog.csv", "duplicates.csv", "features.txt"):
        if (scratch / "again" / name).read_bytes() != (scratch / "fresh" / name).read_bytes():
            raise SystemExit(f"{name} differs")
    table = pd.DataFrame(rows)
    fresh = table[table.run == "fresh"].set_index("step").cpu_seconds
    disk = {"tables": sum(kept.values()) - kept["photo_features"], "photo features": kept["photo_features"]}
    cache_mb = (table.step.map(disk) / 1e6).round().where(table.run == "again")
    return table.assign(share=(table.cpu_seconds / table.step.map(fresh)).round(3), cache_mb=cache_mb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", choices=STEPS, help="used by the program itself, with the following three")
    for name in ("--folder", "--out", "--cache"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    if options.step:
        make = make_tables if options.step == "tables" else make_features
        return make(options.folder, options.out, options.cache)
    Path("work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="work") as scratch:
        table = measure(config.EMOJI20 / "training", Path(scratch))
    table = table.assign(code=code_of(SOURCES))
    write_table(table, config.RESULTS / "again.csv")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
