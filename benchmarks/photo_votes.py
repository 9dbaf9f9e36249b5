"""Which statistics vote in the photo filter: forward selection among 36. Writes results/photo_votes.csv.

    python -m benchmarks.photo_votes --photo-bench FOLDER

FOLDER and the sets are described in ``benchmarks/photo_sets.py``. Each step adds the vote that gives the
lowest mean of log(1 - average precision + 0.003) over the development sets (the objective), all votes equal.
A vote is allowed if its sign stays the same whichever of the collections in view the levels are read without.

Votes and levels are chosen with all collections in view (``left_out`` is "none") and with each left out; on
that one's development sets, ``held_out_ap`` is the mean average precision of the votes chosen so far,
``shipped_ap`` of the filter's six at the same levels, though those six were chosen with all in view.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.fft import dctn
from sklearn.metrics import average_precision_score

from benchmarks.photo_sets import COLLECTIONS, LEVEL_SETS, LabelledSet, find_levels, labelled_sets, pool_table
from illus import config
from illus.files.photo_statistics import FLAT_PATCH, LEVELS, foreground, image_statistics, open_reduced, votes
from illus.hashing import code_of
from illus.parallel import in_parallel, write_table

DEVELOPMENT = (*LEVEL_SETS, "cartoon, no sketches", "scenes, no sketches")
STEPS = len(LEVELS)  # as many votes as the filter has
NO_ERROR = 0.003  # added to 1 - average precision, so that a set without mistakes does not decide alone
SIDE = 8  # px, of patches
SOURCES = ("illus/files/photo_statistics.py", "benchmarks/photo_sets.py", "benchmarks/photo_votes.py")


# --- Candidates, each a number of one image; "inside": of its foreground only -------------------------


def candidates_of(path: str) -> dict[str, float]:
    """Every candidate of an image file: the filter's own six, then the others."""
    rgb = open_reduced(path)
    gray, inside = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), foreground(rgb)
    others = flatness(rgb, inside) | gradients(gray, inside) | colours(rgb, inside)
    return image_statistics(rgb) | others | patches(gray)


def flatness(rgb: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Shares of pixels by the largest difference (span) within 3 x 3 pixels; size of areas without edges."""
    square = np.ones((3, 3), np.uint8)
    span = cv2.subtract(cv2.dilate(rgb, square), cv2.erode(rgb, square)).max(2)
    busy = span[span > 4]
    far = inside & (cv2.dilate((span > 50).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    return {
        "foreground": log_odds(inside.mean()),
        "flat_everywhere": log_odds((span == 0).mean()),
        "nearly_flat": log_odds((span <= 3).mean()),
        "gentle": log_odds(((span > 4) & (span < 40)).mean()),
        "steep_of_busy": log_odds((busy > 60).sum() / (busy.size + 20)),
        "far_from_edges": log_odds(far.mean()),
    }


def gradients(gray: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Gradients; the structure tensor (how far they share a direction); what a 3 x 3 median takes away."""
    dx, dy = (cv2.Sobel(gray, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    size = cv2.magnitude(dx, dy)
    logs = np.log2(1 + size)
    xx, yy, xy = (cv2.GaussianBlur(product, (5, 5), 1.2) for product in (dx * dx, dy * dy, dx * dy))
    across = np.maximum(xx + yy - np.sqrt((xx - yy) ** 2 + 4 * xy**2), 0)
    texture, noise = np.log2(0.1 + across), np.abs(gray - cv2.medianBlur(gray, 3))
    return {
        "gradient_spread": logs.std(),
        "gradient_quartile": np.percentile(logs, 25),
        "gradient_evenness": evenness(size),
        "gradient_evenness_inside": evenness(size[inside]),
        "coherence": log_odds(1 - across.sum() / ((xx + yy).sum() + 1e-6)),
        "incoherence_inside": np.sqrt(across / (xx + yy + 0.5))[inside].mean(),
        "texture_quartile": np.percentile(texture, 25),
        "texture_quartile_inside": np.percentile(texture[inside], 25),
        "noise_evenness": evenness(noise),
        "noise_evenness_inside": evenness(noise[inside]),
        "laplacian_evenness": evenness(np.abs(cv2.Laplacian(gray, cv2.CV_32F))),
    }


def colours(rgb: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Numbers and shares of colours, 5 bits a channel ("exact": 8); black and white; chroma beside luma."""
    codes = (rgb >> 3).astype(np.int32) @ np.array([1024, 32, 1], np.int32)
    share = np.bincount(codes.ravel()) / codes.size
    exact = np.unique(rgb.astype(np.int32) @ np.array([65536, 256, 1], np.int32), return_counts=True)[1]
    steps = np.diff(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb).astype(np.float32), axis=1)
    luma, red, blue = np.abs(steps).mean((0, 1))
    return {
        "colour_entropy": entropy(share),
        "colour_entropy_inside": entropy(np.bincount(codes[inside]) / inside.sum()),
        "colour_count": np.log2((share > 0).sum()) - np.log2(codes.size) / 2,
        "commonest_sixteen": log_odds(np.sort(share)[-16:].sum()),
        "commonest_exact": log_odds(exact.max() / codes.size),
        "exact_colours": np.log2(len(exact) / codes.size),
        "black_or_white": log_odds(((rgb.max(2) < 12) | (rgb.min(2) > 243)).mean()),
        "chroma_steps": np.log2((red + blue + 0.2) / (luma + 0.2)),
    }


def patches(gray: np.ndarray) -> dict[str, float]:
    """Patches of 8 x 8 pixels: how many have contrast, how much, and their cosine transforms."""
    rows, columns = (side // SIDE for side in gray.shape)
    blocks = gray[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    variance = blocks.var((2, 3))
    busy = variance > FLAT_PATCH
    energy = dctn(blocks[busy], axes=(1, 2), norm="ortho").reshape(-1, SIDE * SIDE)[:, 1:] ** 2
    energy /= energy.sum(1, keepdims=True)
    high = np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel()[1:] >= 6
    return {  # without contrast as drawings have it
        "busy_patches": log_odds(busy.mean()),
        "quiet_patches": np.log2(0.1 + np.percentile(np.sqrt(variance), 10)),
        "patch_contrast": np.log2(np.median(variance[busy])) if busy.any() else 12.0,
        "high_frequencies": np.log2(0.001 + np.median(energy[:, high].sum(1))) if busy.any() else -6.0,
        "frequency_entropy": np.median([entropy(row) for row in energy]) if busy.any() else 2.0,
    }


def log_odds(share: float) -> float:
    """Bounded by adding 2 %, as in the filter's statistics."""
    return float(np.log((share + 0.02) / (1.02 - share)))


def evenness(values: np.ndarray) -> float:
    """Log of squared mean over mean square: 0 where all values are equal."""
    return float(np.log(values.mean() ** 2 / ((values**2).mean() + 1e-6) + 1e-6))


def entropy(share: np.ndarray) -> float:
    """In bits."""
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


# --- Selection ---------------------------------------------------------------------------------------


def measure_candidates(table: pd.DataFrame, cache: Path) -> pd.DataFrame:
    """One row per image of the pool, one column per candidate; stored for the next run."""
    stored = cache / f"candidates-{code_of(SOURCES)}.pkl"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(in_parallel(candidates_of, table.path.tolist(), "candidates")).to_pickle(stored)
    return pd.read_pickle(stored)


def same_sign(statistics: pd.DataFrame, level_sets: list[LabelledSet]) -> list[str]:
    """Candidates whose spread has one sign, whichever collection the levels are read without."""
    signs = []
    for left_out in {one.collection for one in level_sets}:
        levels = find_levels(statistics, [one for one in level_sets if one.collection != left_out])
        signs.append([np.sign(spread) for _, spread in levels.values()])
    return statistics.columns[np.abs(np.sum(signs, 0)) == len(signs)].tolist()


def select(statistics: pd.DataFrame, sets: dict[str, LabelledSet], left_out: str) -> list[dict]:
    """The steps of the selection without a collection, one row each."""
    level_sets = [sets[name] for name in LEVEL_SETS if sets[name].collection != left_out]
    allowed = same_sign(statistics, level_sets)
    statistics = statistics[list(dict.fromkeys([*LEVELS, *allowed]))]
    ballots = pd.DataFrame(votes(statistics, find_levels(statistics, level_sets)), columns=statistics.columns)
    held_out = [sets[name] for name in DEVELOPMENT if sets[name].collection == left_out]
    in_view = [sets[name] for name in DEVELOPMENT if sets[name].collection != left_out]

    def precisions(chosen: list[str], where: list[LabelledSet]) -> pd.Series:
        score = ballots[chosen].to_numpy().mean(1)
        return pd.Series([average_precision_score(one.truth, score[one.rows]) for one in where], dtype=float)

    def objective(chosen: list[str]) -> float:
        return np.log(1 - precisions(chosen, in_view) + NO_ERROR).mean()

    chosen: list[str] = []
    rows = []
    for step in range(1, STEPS + 1):
        rest = [name for name in allowed if name not in chosen]
        chosen.append(min(rest, key=lambda name: objective([*chosen, name])))
        row = {"left_out": left_out, "step": step, "statistic": chosen[-1], "objective": objective(chosen)}
        row["held_out_ap"] = precisions(chosen, held_out).mean()
        rows.append(row | {"shipped_ap": precisions(list(LEVELS), held_out).mean()})
    print(f"{left_out}: {', '.join(chosen)}; objective of the filter's six {objective(list(LEVELS)):.4f}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER", required=True)
    photo_bench = parser.parse_args().photo_bench
    table = pool_table(photo_bench)
    statistics = measure_candidates(table, config.work_dir(photo_bench))
    sets = labelled_sets(table)
    rows = [row for left_out in ("none", *COLLECTIONS) for row in select(statistics, sets, left_out)]
    write_table(pd.DataFrame(rows).round(4).assign(code=code_of(SOURCES)), config.RESULTS / "photo_votes.csv")


if __name__ == "__main__":
    main()
