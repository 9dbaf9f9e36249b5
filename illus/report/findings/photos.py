"""What notebook 03 says of photographs. In: tables, scores and decisions. Out: Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from illus.report.findings.text import AS_EXPECTED, change, conclusion, finding


def short_trainings(gains: pd.Series, epochs: int, photographs: int) -> str:
    """What leaving photographs out changes in short trainings.

    Parameters
    ----------
    gains : pandas.Series
        Change of macro F1 without photographs, with each seed.
    epochs, photographs : int
        Of each training; number that is left out.
    """
    mean = gains.mean()
    half = stats.t.ppf(0.975, len(gains) - 1) * gains.std() / np.sqrt(len(gains))
    as_expected = AS_EXPECTED[bool(mean > half)]
    zero = ("excludes", "포함하지 않습니다") if abs(mean) > half else ("includes", "포함합니다")
    return finding(
        f"{as_expected[0]}: in these short runs ({epochs} epochs), macro F1 changes by {mean:+.3f} ± "
        f"{half:.3f} (95 % interval over {len(gains)} seeds) without the {photographs:,} photographs; the "
        f"interval {zero[0]} zero.",
        f"{as_expected[1]} 짧은 학습({epochs}에폭)에서 사진 {photographs:,}장을 뺐을 때 macro F1의 변화는 "
        f"{mean:+.3f} ± {half:.3f}이며, 95% 신뢰구간(시드 {len(gains)}개)은 0을 {zero[1]}.",
    )


def longer_trainings(changes: pd.DataFrame, seeds: int, korean_names: Mapping[str, str]) -> str:
    """What photographs in the training part change in longer trainings.

    Parameters
    ----------
    changes : pandas.DataFrame
        Indexed by condition, ``planted crops`` among them: against no photographs, from
        :func:`illus.report.effects.against_control`.
    seeds : int
    korean_names : mapping of str to str
        Conditions in Korean; one that is missing is named in English.
    """
    clear = changes.index[(changes.low > 0) | (changes.high < 0)].tolist()
    as_expected = AS_EXPECTED[bool(clear) and bool(changes.change[clear].max() < 0)]
    texts = {row.Index: change(row.change, row.low, row.high) for row in changes.itertuples()}
    english = "; ".join(f"{name}: {text}" for name, text in texts.items())
    korean = "; ".join(
        f"{korean_names.get(name, name)} {text.replace(' to ', '~')}" for name, text in texts.items()
    )
    told = (
        "none can be told from chance, so their effect on macro F1 is smaller than these intervals",
        "어느 조건도 우연과 구별되지 않습니다",
    )
    if clear:
        told = (
            f"only {', '.join(clear)} can be told from chance",
            f"{', '.join(korean_names.get(name, name) for name in clear)}만 우연과 구별됩니다",
        )
    confirmed = (
        ("", "")
        if "planted crops" in clear
        else ("; the gain of the six epochs is not confirmed", " 6에폭에서 보인 이득은 확인되지 않았습니다.")
    )
    return finding(
        f"{as_expected[0]}: in 20 epochs ({seeds} seeds) photographs in the training part change macro F1 "
        f"by: {english}; {told[0]}. They are removed because they do not belong, not for a gain in the "
        f"score{confirmed[0]}.",
        f"20에폭 학습하면(시드 {seeds}개) 사진이 macro F1에 주는 변화는 다음과 같습니다. {korean}. "
        f"{as_expected[1]} {told[1]}.{confirmed[1]} 사진은 점수를 높이기 위해서가 아니라 데이터에 속하지 "
        "않기 때문에 제거합니다.",
    )


def reconstruction(is_photo: np.ndarray, error: np.ndarray, good: float = 0.9) -> str:
    """Whether photographs have larger reconstruction errors.

    Parameters
    ----------
    is_photo : numpy.ndarray
        bool, shape (n,): the truth, of both kinds.
    error : numpy.ndarray
        float, shape (n,).
    good : float, default 0.9
        Area under the ROC curve from which the error is said to find them.
    """
    area = roc_auc_score(is_photo, error)
    share = is_photo[np.argsort(-error)[: is_photo.sum()]].mean()
    as_expected = AS_EXPECTED[bool(area > good)]
    why = korean = ""
    if area < 0.5:
        why = (
            " Below 0.5 means that photographs are reconstructed *better* than drawings, whose sharp edges "
            "are harder than the soft ones of photographs: the error measures contrast."
        )
        korean = " 오차는 사진 여부가 아니라 윤곽선의 대비를 나타냅니다."
    return finding(
        f"{as_expected[0]}: the error's area under the ROC curve is {area:.3f}, and of the "
        f"{is_photo.sum():,} images with the largest error {share:.1%} are photographs.{why}",
        f"{as_expected[1]} 복원 오차의 AUC는 {area:.3f}이고, 오차가 가장 큰 {is_photo.sum():,}장 가운데 "
        f"사진은 {share:.1%}입니다.{korean}",
    )


def named_clusters(is_photo: np.ndarray, label: np.ndarray, of_code: np.ndarray, pure: float = 0.99) -> str:
    """What DBSCAN finds in the code alone, and in votes and code.

    Parameters
    ----------
    is_photo : numpy.ndarray
        bool, shape (n,): the truth, with photographs.
    label : numpy.ndarray
        int, shape (n,): 1 in clusters named photographs, 0 in those named drawings, -1 elsewhere.
    of_code : numpy.ndarray
        int, shape (n,): clusters of the code alone, -1 for noise.
    pure : float, default 0.99
        Share of right names from which clusters are called pure.
    """
    clear, photographs = label >= 0, is_photo.sum()
    right = ((label[clear] == 1) == is_photo[clear]).mean() if clear.any() else float("nan")
    clusters = pd.Series(is_photo).groupby(of_code).agg(["sum", "mean"]).drop(-1, errors="ignore")
    alone, korean, together = "there is no cluster", "코드만으로는 군집이 없습니다", 0
    if len(clusters):
        together, share = clusters.loc[clusters["sum"].idxmax()]
        alone = (
            f"the cluster with the most photographs has {together:,.0f} of {photographs:,}, and {share:.1%} "
            "of its images are photographs"
        )
        korean = (
            f"코드만으로 만든 군집 가운데 사진이 가장 많은 것은 사진 {together:,.0f}장을 포함하고, 그 "
            f"군집의 {share:.1%}가 사진입니다"
        )
    as_expected = (
        ("As expected", "예상대로")
        if together > photographs / 2
        else ("Only in part as expected", "일부만 예상과 같습니다.")
    )
    pure_words = (
        " The clusters are pure but cover too little: section 5 decides the rest."
        if right >= pure
        else " Section 5 decides the rest."
    )
    return finding(
        f"{as_expected[0]}: in the code alone {alone}. With the votes, the clusters are named for "
        f"{clear.mean():.1%} of the images, {right:.2%} of them correctly; {(~clear).sum():,} images lie in "
        f"noise or in open clusters, among them {is_photo[~clear].sum():,} of the {photographs:,} "
        f"photographs.{pure_words}",
        f"{as_expected[1]} {korean}. 투표와 함께 군집으로 판정된 이미지는 {clear.mean():.1%}이고 그중 "
        f"{right:.2%}가 정답과 일치합니다. 나머지 {(~clear).sum():,}장(사진 {is_photo[~clear].sum():,}장 "
        "포함)은 5절에서 판정합니다.",
    )


def scores(is_photo: np.ndarray | None, called: np.ndarray) -> str:
    """F1, precision and recall of a decision, or that they are not known (bool arrays of shape (n,))."""
    if is_photo is None:
        return "no truth to measure against"
    f1, precision, recall = (
        score(is_photo, called, zero_division=0) for score in (f1_score, precision_score, recall_score)
    )
    return f"F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.3f}"


def decision(verdict: str, is_photo: np.ndarray | None, called: np.ndarray) -> str:
    """What the filter decides, and what of it is wrong.

    Parameters
    ----------
    verdict : str
        The filter's own words.
    is_photo : numpy.ndarray or None
        bool, shape (n,): the truth.
    called : numpy.ndarray
        bool, shape (n,): images that are called photographs.
    """
    wrong = korean = ""
    if is_photo is not None:
        drawings, missed = (called & ~is_photo).sum(), (~called & is_photo).sum()
        wrong = f" {drawings} drawings are removed, {missed} photographs stay."
        korean = f" 잘못 제거된 그림 {drawings}장, 남은 사진 {missed}장입니다."
    score = scores(is_photo, called)
    return finding(
        f"{verdict.capitalize()}; {score}.{wrong}",
        f"{len(called):,}장 가운데 {called.sum():,}장을 사진으로 판정했습니다({score}).{korean}",
    )


def fixed_threshold(f1: float, fixed: float, elsewhere: float | None) -> str:
    """Whether the filter decides better than a fixed threshold on the mean vote.

    Parameters
    ----------
    f1, fixed : float
        Of the filter; of the threshold.
    elsewhere : float or None
        Of the filter with midpoints and spreads that were measured on other collections.
    """
    as_expected = AS_EXPECTED[f1 > fixed]
    others, korean = "", "입니다"
    if elsewhere is not None:
        others = (
            ". With midpoints and spreads measured without this collection, the filter has F1 "
            f"{elsewhere:.3f}"
        )
        korean = f"이고, 이 데이터를 빼고 정한 기준값을 쓴 필터의 F1은 {elsewhere:.3f}입니다"
    return finding(
        f"{as_expected[0]}: a threshold of 0 on the mean vote has F1 {fixed:.3f}, the filter "
        f"{f1:.3f}{others}.",
        f"{as_expected[1]} 평균 투표에 임계값 0을 쓰면 F1은 {fixed:.3f}, 필터의 F1은 {f1:.3f}{korean}.",
    )


def parts_of_the_filter(ablation: pd.DataFrame, shown: Sequence[str]) -> str:
    """What the autoencoder and DBSCAN contribute.

    Parameters
    ----------
    ablation : pandas.DataFrame
        One row per set, variant (``rung``) and seed: ``set``, ``f1``, NaN for sets without photographs.
    shown : sequence of str
        Sets of the figure.
    """
    means = ablation[ablation.f1.notna()].pivot_table("f1", "set", "rung", sort=False)
    gains = {part: means["whole"] - means[f"without {part}"] for part in ("autoencoder", "dbscan")}
    held = {"autoencoder": gains["autoencoder"]["scenes"] > 0, "dbscan": gains["dbscan"].mean() > 0}
    names = {"autoencoder": ("the autoencoder", "오토인코더"), "dbscan": ("DBSCAN", "DBSCAN")}
    failed = [names[part] for part in gains if not held[part]]
    answer, korean_answer = "As expected", "예상대로입니다"
    if failed:
        answer = f"Not as expected for {' and '.join(name for name, _ in failed)}"
        korean_answer = f"예상과 다른 부분은 {', '.join(name for _, name in failed)}입니다"
    parts = [
        f"{names[part][0]} {gain[shown].mean():+.3f} and {gain.mean():+.3f}, from {gain.min():+.3f} "
        f"({gain.idxmin()}) to {gain.max():+.3f} ({gain.idxmax()})"
        for part, gain in gains.items()
    ]
    korean = [
        f"{names[part][1]} {gain[shown].mean():+.3f} / {gain.mean():+.3f}, 최소 "
        f"{gain.min():+.3f}({gain.idxmin()}), 최대 {gain.max():+.3f}({gain.idxmax()})"
        for part, gain in gains.items()
    ]
    over_all = ", ".join(
        f"{rung} {f1:.3f}" for rung, f1 in ablation.groupby("rung", sort=False).f1.mean().items()
    )
    return finding(
        f"{answer}. Change of F1 by each part, on the mean of the {len(shown)} sets of the figure and on "
        f"that of all {len(means)}: {'; '.join(parts)}. Mean over all {len(means)} sets: {over_all}.",
        f"{korean_answer}. 각 부분에 따른 F1의 변화(그림의 {len(shown)}개 세트 평균 / 전체 {len(means)}개 "
        f"세트 평균): {'; '.join(korean)}.",
    )


def other_collections(
    peers: pd.DataFrame, chosen: pd.Series, sweeps: pd.DataFrame, shown: Sequence[str]
) -> str:
    """How the filter does on collections that did not set its midpoints and spreads.

    Parameters
    ----------
    peers : pandas.DataFrame
        ``set``, ``method`` (``this project``: with midpoints and spreads of other collections; ``this
        project, final``: with the shipped ones), ``seed``, ``photos``, ``f1``, ``removed`` (share).
    chosen : pandas.Series
        Indexed by set: F1 where DBSCAN's settings too are chosen on other collections, seed 0.
    sweeps : pandas.DataFrame
        ``setting``, ``value``, ``set``, ``f1``: among them ``eps_factor`` 1, the whole knee.
    shown : sequence of str
        Sets of the figure of section 6.
    """
    ours = peers[peers.method == "this project"]
    nothing = ours.removed[ours.photos == 0].max()
    f1 = ours[ours.photos > 0].pivot_table("f1", "seed", "set", sort=False)
    of_set = f1.mean()
    worst = of_set.idxmin()
    final = peers.f1[(peers.method == "this project, final") & (peers.set == worst)].mean()
    shift = chosen - f1.loc[0, chosen.index]
    knee = sweeps.f1[(sweeps.setting == "eps_factor") & (sweeps.value == 1) & (sweeps.set == "scenes")].mean()
    as_expected = AS_EXPECTED[bool(shift.min() < -0.02)]
    low, high = of_set[list(shown)].min(), of_set[list(shown)].max()
    return finding(
        f"With midpoints and spreads of other collections F1 is {low:.3f} to {high:.3f} on the sets in the "
        f"figure of section 6, {of_set[worst]:.3f} at worst ({worst}; {f1[worst].min():.3f} in one seed, "
        f"{final:.3f} with the shipped ones); of sets without photographs at most {nothing:.2%} is removed. "
        f"{as_expected[0]}: where eps, min_samples and bandwidth too are chosen on the others, F1 changes "
        f"by {shift.min():+.3f} to {shift.max():+.3f} (same seed). They are chosen in the middle of the "
        f"plateau of F1; at the whole knee F1 on `scenes` is {knee:.3f}.",
        f"다른 데이터에서 정한 기준값으로도 6절 그림의 데이터에서 F1 {low:.3f}–{high:.3f}, 가장 낮은 경우는 "
        f"{of_set[worst]:.3f}({worst}, 시드 하나에서는 {f1[worst].min():.3f}, 제공하는 기준값으로는 "
        f"{final:.3f})이며, 사진이 없는 데이터에서는 최대 {nothing:.2%}만 제거됩니다. {as_expected[1]} eps, "
        "min_samples, bandwidth까지 다른 데이터에서 골랐을 때 같은 시드에서 F1의 변화는 "
        f"{shift.min():+.3f}에서 {shift.max():+.3f}입니다.",
    )


def all_in_all(verdict: str, score: str, images: int, called: int, files: int, dataset: pd.DataFrame) -> str:
    """The conclusion of notebook 03.

    Parameters
    ----------
    verdict : str
        The filter's own words.
    score : str
        From :func:`scores`.
    images, called, files : int
        Distinct images, those that are called photographs, and their files.
    dataset : pandas.DataFrame
        What stays: ``split``.
    """
    training = (dataset.split == "train").sum()
    return conclusion(
        f"{verdict.capitalize()} ({score}); with their copies {files:,} files go. Six votes and the "
        "autoencoder's code name clusters (DBSCAN), and a classifier that learns from these decides the "
        f"rest. `photos.csv` and `dataset.csv` ({len(dataset):,} images, {training:,} for training) go to "
        "notebook 04.",
        f"서로 다른 이미지 {images:,}장 가운데 {called:,}장을 사진으로 판정했습니다({score}). 중복을 "
        f"포함하면 {files:,}개 파일이 제외됩니다. `photos.csv`와 `dataset.csv`({len(dataset):,}장, 그중 "
        f"학습용 {training:,}장)는 노트북 04로 이어집니다.",
    )
