"""What notebook 02 says of duplicates. In: tables of files and scores. Out: Markdown."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from illus.report.findings.text import AS_EXPECTED, finding


def pairs(
    n_files: int,
    n_images: int,
    close: np.ndarray,
    redundant: int,
    same: np.ndarray | None = None,
    scores: Mapping[str, np.ndarray] | None = None,
) -> str:
    """How many pairs were compared, and how well their distance separates copies from look-alikes.

    Parameters
    ----------
    n_files, n_images : int
        Readable files, and different arrays of pixels among them.
    close : numpy.ndarray
        bool, shape (p,): pairs that were compared, True where they are called copies.
    redundant : int
        Files called redundant.
    same : numpy.ndarray, optional
        bool, shape (p,): pairs of copies, where that is known.
    scores : mapping of str to numpy.ndarray, optional
        ``pixels`` and ``pHash``: float, shape (p,), higher for pairs that are alike.
    """
    separated = korean = ""
    if same is not None and scores and same.any() and not same.all():
        pixels, hashes = (roc_auc_score(same, scores[name]) for name in ("pixels", "pHash"))
        found, wrong = close[same].mean(), close[~same].mean()
        separated = (
            f" At the limit {found:.1%} of the pairs of copies and {wrong:.2%} of the look-alikes are "
            f"called copies; the area under the ROC curve is {pixels:.3f} by pixels and {hashes:.3f} by "
            "pHash."
        )
        korean = (
            f" 임계값에서 중복 쌍의 {found:.1%}와 닮은꼴의 {wrong:.2%}가 중복으로 판정됩니다. AUC는 픽셀 "
            f"비교 {pixels:.3f}, pHash {hashes:.3f}입니다."
        )
    return finding(
        f"{n_files:,} readable files show {n_images:,} different arrays of pixels. Of "
        f"{n_images * (n_images - 1) // 2:,} possible pairs {len(close):,} were compared and "
        f"{close.sum():,} are near, so that {redundant:,} files are redundant.{separated}",
        f"가능한 모든 쌍 가운데 {len(close):,}쌍만 픽셀로 비교했고, {redundant:,}개 파일이 중복으로 "
        f"판정되었습니다.{korean}",
    )


def recall_and_precision(score: Mapping[str, float], by_hash: pd.Series) -> str:
    """Scores at the chosen limit, beside those of pHash alone.

    Parameters
    ----------
    score : mapping of str to float
        From :func:`illus.emoji20.truth.score_duplicates`.
    by_hash : pandas.Series
        ``recall`` and ``precision`` of files of one pHash.
    """
    return finding(
        f"Recall **{score['recall']:.3f}** and precision **{score['precision']:.3f}** over "
        f"{score['flagged']:,} files called redundant ({score['redundant']:,} are). pHash alone at 0 bits: "
        f"recall {by_hash.recall:.3f}, precision {by_hash.precision:.3f}; wider radii chain different "
        "drawings together. The limit was chosen on another seed of the builder, as the smallest step with "
        "recall 0.98 there; other seeds draw the same icons into other files, so the drawings themselves "
        "are not new.",
        f"재현율 **{score['recall']:.3f}**, 정밀도 **{score['precision']:.3f}**입니다. pHash만 쓰면 재현율 "
        f"{by_hash.recall:.3f}, 정밀도 {by_hash.precision:.3f}에 그칩니다. 임계값은 다른 시드로 만든 "
        "데이터에서 정했습니다. 시드가 달라도 같은 아이콘으로 만들므로 그림 자체가 새롭지는 않습니다.",
    )


def ways_to_copy(recall: pd.Series, planted: pd.DataFrame, hard: frozenset[str]) -> str:
    """Which ways of making a copy are found least.

    Parameters
    ----------
    recall : pandas.Series
        Indexed by the way in which copies were made.
    planted : pandas.DataFrame
        Pairs of copies: ``transform``, ``found``.
    hard : frozenset of str
        Ways that are expected to have the lowest recall.
    """
    weak = recall.sort_values(kind="stable").head(len(hard))
    as_expected = AS_EXPECTED[set(weak.index) == hard]
    text = ", ".join(f"{kind} ({value:.3f})" for kind, value in weak.items())
    missed = planted[~planted.found]["transform"].value_counts()
    words = ", ".join(f"{kind} {number}" for kind, number in missed.items())
    return finding(
        f"{as_expected[0]}, recall is lowest for {text}. Of the {len(planted):,} pairs {missed.sum()} are "
        f"missed: {words}.",
        f"{as_expected[1]} 재현율이 가장 낮은 것은 {text}입니다. {len(planted):,}쌍 중 놓친 것은 "
        f"{missed.sum()}쌍입니다({words}).",
    )


def mistakes(difference: pd.Series, score: Mapping[str, float], alike: float = 1.0) -> str:
    """How many of the files wrongly called redundant are of drawings that an eye cannot tell apart.

    Parameters
    ----------
    difference : pandas.Series
        Share of pixels that differ between the two drawings, in percent; NaN for photographs.
    score : mapping of str to float
        From :func:`illus.emoji20.truth.score_duplicates`.
    alike : float, default 1.0
        Percent below which drawings count as alike.
    """
    same = int((difference < alike).sum())
    without = score["right"] / max(1, score["flagged"] - same)
    as_expected = AS_EXPECTED[2 * same > len(difference)]
    return finding(
        f"{as_expected[0]}: {len(difference)} files are called redundant against the truth; {same} of them "
        f"are of drawings that differ in less than {alike:g} % of their pixels, and without these precision "
        f"is {without:.3f}. The others differ in a small part or in the next skin tone, or are overlapping "
        "crops of one photograph. They cost little: the image that stays shows nearly the same.",
        f"{as_expected[1]} 잘못 판정한 파일 {len(difference)}개 중 {same}개는 픽셀 차이가 {alike:g}% "
        f"미만이라 눈으로도 구별하기 어렵습니다. 이를 빼면 정밀도는 {without:.3f}입니다.",
    )


def other_tools(peers: pd.DataFrame) -> str:
    """How the finder compares with other tools.

    Parameters
    ----------
    peers : pandas.DataFrame
        ``tool`` (``illus`` is ours), ``setting``, ``f1``, ``seconds``, ``peak_mb``.
    """
    ours, others = peers[peers.tool == "illus"], peers[peers.tool != "illus"]
    other = others.nlargest(1, "f1").iloc[0]
    as_expected = AS_EXPECTED[bool(others.f1.max() < ours.f1.max())]
    time, memory = (ours[value].max() / other[value] for value in ("seconds", "peak_mb"))
    return finding(
        f"{as_expected[0]}: F1 {ours.f1.max():.3f}, against at best {other.f1:.3f} ({other.tool}, "
        f"{other.setting}). It takes about {time:.1f} times as long and {memory:.0f} times the memory.",
        f"{as_expected[1]} F1은 {ours.f1.max():.3f}, 다른 도구의 최고값은 "
        f"{other.f1:.3f}입니다({other.tool}, {other.setting}). 대신 시간은 약 {time:.1f}배, 메모리는 약 "
        f"{memory:.0f}배를 씁니다.",
    )


def label_conflicts(conflicts: pd.DataFrame) -> str:
    """What becomes of sets of copies in several classes.

    Parameters
    ----------
    conflicts : pandas.DataFrame
        Rows of :func:`illus.copies.duplicates.find_duplicates` where labels conflict.
    """
    sets = conflicts.copy_of.nunique()
    if not sets:
        return finding(
            "As expected, every set of copies keeps one file: no labels conflict.",
            "예상대로 묶음마다 한 파일이 남습니다. 충돌하는 라벨은 없습니다.",
        )
    undecided = conflicts[~conflicts.groupby("copy_of").keep.transform("any")]
    outvoted = conflicts.reason.str.contains("outvoted").sum()
    number, files = undecided.copy_of.nunique(), len(undecided)
    return finding(
        f"Not as expected where labels conflict: {sets} images have copies in several classes. {number} of "
        f"these conflicts are undecided: all {files} files are dropped, so a set of copies does not always "
        f"keep one file. In the others {outvoted} files are outvoted.",
        f"라벨이 충돌하면 예상과 다릅니다. 이미지 {sets}장은 사본이 서로 다른 클래스에 들어 있습니다. 그중 "
        f"과반 클래스가 없는 {number}건은 파일 {files}개를 모두 제외하므로 한 파일도 남지 않는 묶음이 "
        f"있습니다. 나머지에서는 소수 라벨 {outvoted}개를 제외합니다.",
    )


def variants(sizes: pd.Series, kept: int, dropped: int, chained: bool) -> str:
    """How many files are variants of one another.

    Parameters
    ----------
    sizes : pandas.Series
        Kept files in each group of two and more.
    kept, dropped : int
        Files.
    chained : bool
        Whether plain outlines are known to chain, as on emoji20.
    """
    english = korean = ""
    if chained:
        english = (
            " Moons and clocks, or balls and rings, have nearly the same outlines and chain into one "
            "group, which costs the split some freedom and no image."
        )
        korean = " 윤곽이 단순한 그림은 서로 다른 것도 한 그룹으로 이어지지만, 이미지를 잃지는 않습니다."
    largest = sizes.max() if len(sizes) else 0
    return finding(
        f"{sizes.sum():,} kept files are in {len(sizes):,} groups of variants, the largest with {largest} "
        f"files.{english} How many variants are missed is not known. In all {dropped:,} files are dropped "
        f"and {kept:,} kept.",
        f"남긴 파일 중 {sizes.sum():,}개가 변형 그룹 {len(sizes):,}개에 속합니다.{korean} 모두 "
        f"{dropped:,}개를 제외하고 {kept:,}개를 남깁니다.",
    )
