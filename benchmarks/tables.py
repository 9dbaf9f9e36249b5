"""What the recorded measurements say, as readable tables and as single numbers.

In: the CSV files in ``results/`` and ``weights/best.json``. Out: data frames with titles (:data:`TABLES`),
and numbers as text (:func:`values`); ``benchmarks/documents.py`` puts both into the documents.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import natural_key
from illus import work_folders

CARD = Path("weights/best.json")
CLASSES = Path("illus/emoji20/classes.csv")
PARTS = {"test": "test", "test_unseen_style": "unseen style"}
TOOLS = {"illus": "this project", "cleanvision": "CleanVision", "dataeval": "DataEval"}
WHOLE = {"seconds", "second", "MB"}  # last words of the titles whose numbers have no digits
CHALLENGE_FILES = 25_503
RUNGS = {
    "whole": "the whole filter",
    "without autoencoder": "without the autoencoder",
    "error instead of gain": "its error instead of its gain",
    "zero instead of dbscan": "gain that reaches zero, instead of DBSCAN",
    "otsu instead of dbscan": "Otsu's threshold instead of DBSCAN",
    "two gaussians instead of dbscan": "two Gaussians instead of DBSCAN",
    "hdbscan instead of dbscan": "HDBSCAN instead of DBSCAN",
    "without gains in the rounds": "rounds on the statistics alone",
    "without statistics": "rounds on the gains alone",
    "without rounds": "without rounds",
    "gain above zero": "mean gain above zero, nothing else",
}
TEXT = dict.fromkeys(("code", "run_id", "run_ids", "seeds", "data_hash"), str)


def read(name: str) -> pd.DataFrame:
    """``results/<name>.csv`` and the archived rows of it, as far as they are there; hashes stay text."""
    paths = [folder / f"{name}.csv" for folder in (work_folders.RESULTS, work_folders.ARCHIVE)]
    return pd.concat([pd.read_csv(path, dtype=TEXT) for path in paths if path.exists()], ignore_index=True)


def card() -> dict:
    """``weights/best.json``: how the shipped weights were trained, and their scores."""
    return json.loads(CARD.read_text(encoding="utf-8"))


def cell(value: object, title: str = "") -> str:
    """A cell as text: seconds and large numbers whole, others with up to three digits."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    number = float(value)  # type: ignore[arg-type]
    last = title.split()[-1] if title else ""
    if isinstance(value, int) or last in WHOLE or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3f}" if abs(number) <= 1 else f"{number:.2f}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with all cells as text, see :func:`cell`."""
    cells = {title: [cell(value, str(title)) for value in table[title].tolist()] for title in table}
    return pd.DataFrame(cells, columns=table.columns)


def selected(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Columns of a table under the titles that documents show."""
    return table[list(titles)].rename(columns=titles)


def scores() -> pd.DataFrame:
    """F1 of the shipped weights, then of what one would do otherwise, the best first: means over seeds."""
    runs = read("training")
    # at the learning rate that is best on validation with the first seed
    search = runs[runs.seed == runs.seed.min()]
    best = search.loc[search.groupby("method").validation_macro_f1.idxmax(), ["method", "rate"]]
    columns = ["seconds", *(f"{part}_{kind}_f1" for part in PARTS for kind in ("macro", "micro"))]
    each = runs.merge(best).groupby("method")
    means = each[columns].mean().assign(seconds=each.seconds.median())
    others = means.sort_values(columns[1], ascending=False)
    devices = np.unique(card()["training"]["device"])[::-1]  # of an average one for each network, if unlike
    method = f"`weights/best.h5` ({', '.join(devices).upper()})"
    ours: dict[str, object] = {"method": method, "seconds": float("nan")}
    titles = {"method": "method", "seconds": "seconds"}
    for part, title in PARTS.items():
        for kind in ("macro", "micro"):
            ours[f"{part}_{kind}_f1"] = card()["scores"][part][f"{kind}_f1"]
            titles[f"{part}_{kind}_f1"] = f"{title}: {kind} F1"
    return selected(pd.concat([pd.DataFrame([ours]), others.reset_index()]), titles)


def class_scores() -> pd.DataFrame:
    """F1 of each class on the test folders."""
    names = pd.read_csv(CLASSES).set_index("class_name").name_en
    per_class = {title: card()["scores"][part]["per_class"] for part, title in PARTS.items()}
    rows = []
    for name in next(iter(per_class.values())):
        row = {"class": name, "what it shows": names.get(name, "")}
        for title, scored in per_class.items():
            found = scored.get(name, {"f1": float("nan"), "support": 0})
            row |= {f"{title}: F1": found["f1"], f"{title}: images": found["support"]}
        rows.append(row)
    return pd.DataFrame(rows)


def copies_of_tools() -> pd.DataFrame:
    """Each tool at its default and at its best on emoji20, with the second contamination's columns beside."""
    table, second = read("duplicates"), read("duplicates_second")
    table = table.merge(second, "left", on=["tool", "setting"], suffixes=("", "_second"))
    best, default = table.groupby("tool").f1.transform("max").eq(table.f1), ~table.tool.duplicated()
    names = table.tool.replace(TOOLS)
    hindsight = pd.Series("", table.index).where(default, ", best in hindsight")
    table["tool"] = names.where(table.setting.eq("default"), names + " (" + table.setting + hindsight + ")")
    table["times ours"] = table.cpu_seconds / table.cpu_seconds.iloc[0]
    table["best"] = best
    return table[default | best]


def copies() -> pd.DataFrame:
    """Recall and precision of copies, by files and by pairs, this project beside other tools."""
    titles = {"tool": "tool", "recall": "recall", "precision": "precision", "f1": "F1"}
    titles |= {"pair_recall": "pairs: recall", "pair_precision": "pairs: precision"}
    titles |= {"recall_second": "second: recall", "precision_second": "second: precision"}
    return selected(copies_of_tools(), titles | {"f1_second": "second: F1"})


def copies_short() -> pd.DataFrame:
    """:func:`copies` with the best row of each tool."""
    table = copies_of_tools()
    titles = {"tool": "tool", "recall": "recall", "precision": "precision", "f1": "F1"}
    titles |= {"f1_second": "second: F1", "cpu_seconds": "processor seconds"}
    return selected(table[table.best], titles)


def copies_cost() -> pd.DataFrame:
    """What finding copies costs, this project beside other tools."""
    titles = {"tool": "tool", "cpu_seconds": "processor seconds", "times ours": "times ours"}
    titles |= {"seconds": "seconds", "peak_mb": "peak MB"}
    return selected(copies_of_tools().drop_duplicates(["seconds", "peak_mb"]), titles)


def copies_by_change() -> pd.DataFrame:
    """The share of the second contamination's copies that is found, by what was done to them."""
    table = read("duplicates_second")
    best = read("duplicates").groupby("tool", sort=False).f1.idxmax()
    chosen = read("duplicates").loc[best, ["tool", "setting"]].merge(table)
    ours = table[table.tool.eq("illus") & table.setting.ne("default")].assign(tool="in one group")
    table = pd.concat([chosen[:1], ours, chosen[1:]]).set_index("tool").filter(like="recall_").T
    table = table.drop(index="recall_natural")
    table.index = table.index.str.removeprefix("recall_").str.replace("_", " ")
    return table.rename(columns=TOOLS).rename_axis("change", axis=0).rename_axis(None, axis=1).reset_index()


def copy_settings() -> pd.DataFrame:
    """For each setting of the duplicate finder: its value, what else was tried, and what that would gain."""
    rows = []
    for name, tried in read("duplicates_settings").groupby("setting", sort=False):
        chosen, others = tried[tried.chosen].iloc[0], tried[~tried.chosen]
        best, worst = others.f1.max() - chosen.f1, others.f1.min() - chosen.f1
        rows.append({"setting": f"`{name}`", "value": f"{chosen.value:g}", "from": f"{tried.value.min():g}",
                     "to": f"{tried.value.max():g}", "F1": chosen.f1, "best other": f"{best:+.3f}",
                     "worst other": f"{worst:+.3f}"})  # fmt: skip
    return pd.DataFrame(rows)


def near_curve() -> pd.DataFrame:
    """Recall and precision of redundant files over the largest distance of a copy, on another seed."""
    table = read("duplicates_curve")
    table["near"] = table.near.map("{:g}".format)
    return selected(table, {"near": "largest distance", "recall": "recall", "precision": "precision"})


def photo_scores() -> pd.DataFrame:
    """F1 of photographs found, mean over seeds: a row for a set, a column for a method."""
    table = read("photos")[lambda rows: ~rows.set.str.contains("fifth")]  # those are parts of emoji20
    table = table.pivot_table("f1", "set", "method", sort=False).rename_axis(columns=None)
    return table.rename(columns={"this project, final": "this project, default"}).reset_index()


def photo_scores_short() -> pd.DataFrame:
    """:func:`photo_scores` with fewer rows and columns."""
    table = photo_scores().set_index("set")
    shown = ["this project", "k-means", "Gaussian mixture", "raw pixels, k-means"]
    rows = ["emoji20", "emoji20, real 5%", "vector", "cartoon", "scenes", "scenes, 1%"]
    return table.loc[rows, shown].reset_index()


def photo_parts() -> pd.DataFrame:
    """F1 of photographs found without parts of the filter, mean over seeds, and over sets."""
    table = read("photos_ablation")[lambda rows: ~rows.set.str.contains("fifth")]
    means = table.pivot_table("f1", "rung", "set", sort=False).loc[list(RUNGS)]
    means.insert(0, "mean", means.mean(axis=1))
    shown = means[["mean", "emoji20", "emoji20, real 1%", "vector", "cartoon", "scenes", "scenes, 1%"]]
    return shown.rename(RUNGS).rename_axis("F1").reset_index()


def scoring() -> pd.DataFrame:
    """What scoring costs, beside the import, decoding and prediction one after the other."""
    titles = {"what": "what", "files": "files", "seconds": "seconds"}
    titles |= {"times_the_unavoidable": "times all three in turn", "files_per_second": "files a second"}
    table = read("evaluate").replace({"unavoidable": "all three in turn"})
    return selected(table, titles | {"peak_mb": "peak MB"})


def damaged() -> pd.DataFrame:
    """What happened to seeded damage."""
    names = {"files": "damaged", "slowest_s": "slowest, s", "memory_mb": "memory, MB"}
    return read("fuzz").drop(columns="code").replace({"weights": "weights files"}).rename(columns=names)


def growth() -> pd.DataFrame:
    """The search for duplicates over the size of a collection; exponent: of the seconds, over that size."""
    table = read("growth").sort_values(["what", "stage", "n", "search"], ascending=[True, True, True, False])
    same = table.groupby(["what", "stage", "search"], sort=False)
    before = same.seconds.shift().where(lambda seconds: (seconds >= 0.5) & (table.stage != "compare"))
    table["exponent"] = np.log(table.seconds / before) / np.log(table.n / same.n.shift())
    table["kept"] = table.kept.where(table.stage == "candidates")
    titles = {"what": "what", "n": "number", "search": "neighbours", "stage": "stage", "seconds": "seconds"}
    titles |= {"exponent": "exponent", "pairs": "pairs", "found": "found", "kept": "copies kept"}
    return selected(table, titles | {"peak_mb": "peak MB"})


def leaks() -> pd.DataFrame:
    """Copies of training images in a test folder, planted ones found and false alarms."""
    rows = read("leaks")[lambda table: table.planted.notna()]
    rules = "distance below " + rows.near.astype(str) + np.where(rows.plain, ", plain ones less", "")
    found = rows[["planted", "right", "flagged"]].astype(int)
    found = found.set_axis(["planted", "found", "called copies"], axis=1).assign(precision=rows.precision)
    found.insert(0, "rule", rules)
    return found


def labels() -> pd.DataFrame:
    """Changed labels found, this project beside other ways to read the same probabilities."""
    titles = {"method": "method", "auroc": "AUROC", "precision": "precision", "flagged": "flagged"}
    titles |= {"flagged_precision": "right of these", "flagged_recall": "found by these"}
    return selected(read("labels"), titles)


TABLES: Mapping[str, tuple[Callable[[], pd.DataFrame], str]] = {  # and which recorded table each shows
    table.__name__: (table, recorded)
    for recorded, shown in {
        "": (class_scores,),  # of cards
        "training": (scores,),
        "duplicates": (copies, copies_short, copies_cost), "duplicates_second": (copies_by_change,),
        "duplicates_settings": (copy_settings,), "duplicates_curve": (near_curve,),
        "photos": (photo_scores, photo_scores_short), "photos_ablation": (photo_parts,),
        "leaks": (leaks,), "labels": (labels,),
        "growth": (growth,), "evaluate": (scoring,), "fuzz": (damaged,),
    }.items()
    for table in shown
}  # fmt: skip


def values() -> dict[str, str]:
    """Single numbers that prose states, by name."""
    parts = (values_of_weights, values_of_runs, values_of_cleaning, values_of_growth, values_of_real_size)
    return {name: text for part in parts for name, text in part().items()}


def values_of_runs() -> dict[str, str]:
    """What networks have on new concepts, and from a teacher; how validation and test folders rank them."""
    trials, ranked = read("trials"), read("ranking")
    decided = read("candidates").set_index("part").drop(["another draw", "a third draw"])
    means = decided[["mild", "strong", "half of each"]].mean()
    shipped = (card()["training"]["val_steps"]["average"] + decided["half of each"].iloc[1:].sum()) / 3
    correlation = ranked.drop(columns=["run_id", "question", "code"]).corr("spearman").val_macro_f1
    new = trials[trials.question == "new concepts"]
    harmed, classes = trials[trials.question == "photographs"], read("photo_harm_classes")
    by_class = pd.DataFrame(harmed.val_class_f1.str.split().tolist(), harmed.answer).astype(float)
    by_class.columns = pd.Index(sorted(classes.class_name.unique(), key=natural_key))
    five = classes.class_name[classes.condition.eq("with") & classes.photos.gt(0)].unique()
    f1 = by_class[five].mean(axis=1).groupby(level=0).mean()
    taught = trials[trials.question == "distillation, 20 epochs"].groupby("answer").val_macro_f1.mean()
    return {
        "gain of distillation": f"{taught.drop('base').item() - taught['base']:.3f}",
        "harm to the five": f"{f1['without photographs'] - f1['without copies']:.3f}",
        "new concepts": " / ".join(f"{f1:.3f}" for f1 in new.val_macro_f1),
        "networks ranked": str(len(ranked)),
        "rule, two and two": f"{shipped:.3f}",
        **{f"rule, {kind}": f"{mean:.3f}" for kind, mean in means.items()},
        **{f"rank correlation {part}": f"{correlation[f'{part}_macro_f1']:.2f}" for part in PARTS},
    }


def values_of_real_size() -> dict[str, str]:
    """Minutes of one processor that the challenge's files take, at their size."""
    minutes = read("real_size").set_index("what").ms_per_file * CHALLENGE_FILES / 60_000
    return {
        "minutes of cleaning": f"{minutes['clean without the autoencoder']:.0f}",
        "minutes of scoring": f"{minutes['evaluate.py']:.0f}",
    }


def values_of_weights() -> dict[str, str]:
    """Size of ``weights/best.h5``, what its training took, and how well it is calibrated."""
    training = card()["training"]
    runs = read("experiments").set_index("run_id").loc[training["run_ids"] + training["judges"]]
    at_once = runs[runs.device == "gpu"].astype({"seconds": float}).groupby("augmentation").seconds.max()
    return {
        "parameters": f"{training['parameters']:,}",
        "multiply-adds": f"{training['multiply_adds'] / 1e6:.1f}",
        "networks": str(len(training["run_ids"])),
        "minutes together": f"{at_once.sum() / 60:.0f}",
        "megabytes": f"{CARD.with_suffix('.h5').stat().st_size / 1e6:.1f}",
        "average on validation": f"{training['val_macro_f1']:.3f}",
        "ece before": f"{training['calibration']['ece_before']:.3f}",
        "ece after": f"{training['calibration']['ece_after']:.3f}",
    }


def values_of_cleaning() -> dict[str, str]:
    """What emoji20 holds, and how well copies and photographs are found."""
    ours = read("duplicates").iloc[0]
    twins, swept = read("duplicates_twins"), read("duplicates_settings")
    alike = int((twins.clean_difference < 1).sum())
    built = read("emoji20")
    of_part, of_kind = built.groupby("part").files.sum(), built.groupby("kind").files.sum()
    parts = photo_parts().set_index("F1")["mean"].rename({text: rung for rung, text in RUNGS.items()})
    table = read("photos")
    final = table[table.method.eq("this project, final")]
    fifths = final[final.set.str.contains("fifth")].groupby("set").f1.mean()
    rounding = read("photo_rounding")
    by_round = read("photo_rounds").groupby("rounds").f1.mean()
    ours_without = table[table.photos.eq(0) & table.method.str.startswith("this project")]
    return {
        "icons": f"{of_kind['original']:,}",
        **{f"{part} files": f"{count:,}" for part, count in of_part.items()},
        **{f"planted {kind}": f"{count:,}" for kind, count in of_kind.drop("original").items()},
        "redundant": f"{ours.redundant:,}",
        "wrong copies": str(len(twins)),
        "alike copies": str(alike),
        "precision without alike": f"{ours.right / (ours.flagged - alike):.3f}",
        "settings swept": str(swept.setting.nunique()),
        "largest gain": f"{swept.f1.max() - swept.f1[swept.chosen].iloc[0]:.4f}",
        **{f"f1 {rung}": f"{f1:.3f}" for rung, f1 in parts.items()},
        **{f"f1 after {stop} rounds": f"{f1:.3f}" for stop, f1 in by_round.items()},
        "f1 of fifths": f"{fifths.mean():.3f}",
        "least f1 of fifths": f"{fifths.min():.3f}",
        "most f1 of fifths": f"{fifths.max():.3f}",
        "decisions that rounding changes": f"{rounding.changed.max()} of {rounding.files.max():,}",
        "removed without photographs": f"{100 * ours_without.removed.max():.2f}",
    }


def values_of_growth() -> dict[str, str]:
    """What a million descriptors and 200,000 files take."""
    growth = read("growth")
    million = growth.query("what == 'images' and n == 1_000_000").set_index("stage")
    pair = million.seconds["compare"] / million.pairs["compare"]
    files = growth.query("what == 'files'").iloc[0]
    return {
        "minutes of a million": f"{(million.seconds['candidates'] + million.seconds['groups']) / 60:.1f}",
        "gigabytes of a million": f"{million.peak_mb.max() / 1024:.1f}",
        "pairs of a million": f"{million.pairs['candidates'] / 1e6:.1f}",
        "milliseconds of a pair": f"{1000 * pair:.1f}",
        "comparing a million": f"{pair * million.pairs['candidates'] / 60:.0f}",
        "tiny files": f"{files.n:,}",
        "minutes of tiny files": f"{files.seconds / 60:.0f}",
        "gigabytes of tiny files": f"{files.peak_mb / 1024:.1f}",
    }
