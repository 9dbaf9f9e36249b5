"""What notebook 02 says of splits and of balancing. In: tables of runs and classes. Out: Markdown."""

from collections.abc import Mapping, Sequence

import pandas as pd
from scipy import stats

from illus.report.findings.text import change, conclusion, finding


def leakage(runs: pd.DataFrame, leaky: str, clean: str) -> str:
    """How much higher validation reads when look-alikes are in training too.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per split and seed: ``name``, ``seed``, ``macro_f1``, ``micro_f1``.
    leaky, clean : str
        Names of the two splits.
    """
    gains = {}
    for value in ("macro_f1", "micro_f1"):
        one, other = (runs[value][runs.name == name] for name in (leaky, clean))
        interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
        gains[value] = (one.mean() - other.mean(), interval.low, interval.high)
    macro, micro = gains.values()
    told = ("As expected", "예상대로입니다") if macro[1] > 0 else ("Not for sure", "확실하지 않습니다")
    seeds = runs.seed.nunique()
    return finding(
        f"{told[0]}: file by file, macro F1 reads {change(*macro)} and micro F1 {change(*micro)} higher "
        f"over {seeds} seeds, with 95 % intervals. They count the seeds, not the choice of the validation "
        "part: the two parts hold different images, so not all of it need be leakage.",
        f"{told[1]}. 파일 단위로 분할하면 macro F1이 {macro[0]:.3f}, micro F1이 {micro[0]:.3f} 높게 "
        f"나옵니다(시드 {seeds}개). 두 검증 집합의 이미지가 다르므로 차이가 모두 누출 때문이라고 할 수는 "
        "없습니다.",
    )


def whole_groups(training: int, validation: int, share: pd.Series) -> str:
    """The parts of a split by groups, and the class that hangs most on one group.

    Parameters
    ----------
    training, validation : int
        Numbers of images.
    share : pandas.Series
        Indexed by class: share of its validation images that are of one group.
    """
    name, largest = share.idxmax(), share.max()
    return finding(
        f"As expected, no group crosses: {training:,} images are for training, {validation:,} for "
        f"validation. In {name} one group of look-alikes is {largest:.0%} of the validation images, which "
        "can be right or wrong together.",
        f"예상대로 두 집합에 걸친 그룹은 없습니다. 학습 {training:,}장, 검증 {validation:,}장입니다. "
        f"{name}에서는 비슷한 그림의 그룹 하나가 검증 이미지의 {largest:.0%}를 차지하므로, 한꺼번에 맞거나 "
        "틀릴 수 있습니다.",
    )


def least_steady(name: str, f1: pd.Series, share: float | None, spread: pd.DataFrame) -> str:
    """How far the seed alone moves the least steady class.

    Parameters
    ----------
    name : str
        Of the class.
    f1 : pandas.Series
        Its F1 with each seed, without balancing.
    share : float or None
        Share of its validation images that are of one group, if no class has a larger one.
    spread : pandas.DataFrame
        Standard deviation over seeds of each strategy: ``macro_f1``, ``without_unsteady``.
    """
    pooled = spread.pow(2).mean() ** 0.5
    why = ""
    if share is not None:
        why = f", as one group is {share:.0%} of its validation images and can be right or wrong as a whole"
        why += " (section 6)"
    return finding(
        f"{name} is the least steady class: with no balancing its F1 lies between {f1.min():.2f} and "
        f"{f1.max():.2f}, by the seed alone{why}. Pooled over strategies the standard deviation of macro F1 "
        f"is {pooled.macro_f1:.4f}, and {pooled.without_unsteady:.4f} without this class.",
        f"시드에 따라 가장 크게 흔들리는 클래스는 {name}입니다(균형을 맞추지 않을 때 F1 "
        f"{f1.min():.2f}–{f1.max():.2f}). macro F1의 시드 간 표준편차는 {pooled.macro_f1:.4f}이고, 이 "
        f"클래스를 빼면 {pooled.without_unsteady:.4f}입니다.",
    )


def strategies(
    mean: pd.DataFrame,
    changes: Mapping[str, pd.DataFrame],
    spread: pd.Series,
    unsteady: str,
    codes: Sequence[str],
) -> str:
    """Which strategy of balancing is best, beyond noise, and at what price.

    Parameters
    ----------
    mean : pandas.DataFrame
        Indexed by strategy, ``none`` among them: means over seeds of ``macro_f1``, ``micro_f1``,
        ``five_smallest``.
    changes : mapping of str to pandas.DataFrame
        ``macro_f1``, ``without_unsteady`` and ``micro_f1`` to changes against ``none``, from
        :func:`illus.report.effects.against_control`.
    spread : pandas.Series
        Standard deviation over seeds of ``macro_f1``, by strategy.
    unsteady : str
        Name of the class that ``without_unsteady`` leaves out.
    codes : sequence of str
        Of all runs; of more than one code, that is said.
    """
    best = mean.macro_f1.idxmax()
    others = mean.drop(index=[best, "none"], errors="ignore")
    raised, clear = (changes["macro_f1"].change > 0).sum(), (changes["macro_f1"].low > 0).sum()
    paid = mean.micro_f1.drop("none") - mean.micro_f1["none"]
    second = mean.macro_f1.drop(best)
    text, korean = _best_strategy(best, changes, unsteady)
    cost = paid[others.index]
    mixed = ("", "")
    if len(set(codes)) > 1:
        mixed = (
            " Not all runs are of the same code (the line under their cell): older code is a source of "
            "error that no interval counts.",
            " 일부 실행은 이전 버전의 코드입니다.",
        )
    return finding(
        f"{raised} of {len(mean) - 1} strategies raise the mean macro F1, {clear} of them beyond noise, and "
        f"{(paid < 0).sum()} cost micro F1. {text}. It is {mean.macro_f1[best] - second.max():.3f} above "
        f"the second, {second.idxmax()}, where the standard deviation between seeds is "
        f"{spread.pow(2).mean() ** 0.5:.3f}. The five smallest classes go from "
        f"{mean.five_smallest['none']:.3f} to {mean.five_smallest[best]:.3f}. The other strategies change "
        f"micro F1 by {cost.min():+.3f} to {cost.max():+.3f}. The intervals count seeds, not the choice of "
        f"the validation part.{mixed[0]}",
        f"{len(mean) - 1}가지 방법 중 {raised}가지에서 평균 macro F1이 오르고, 그중 {clear}가지만 우연과 "
        f"구별됩니다. {korean}. 나머지 방법의 micro F1 변화는 {cost.min():+.3f}에서 "
        f"{cost.max():+.3f}입니다. 신뢰구간은 시드만 고려하며 검증 집합의 선택은 고려하지 "
        f"않습니다.{mixed[1]}",
    )


def _best_strategy(best: str, changes: Mapping[str, pd.DataFrame], unsteady: str) -> tuple[str, str]:
    """What the best strategy changes against doing nothing, unless it is that."""
    if best == "none":
        return "Nothing is better than doing nothing", "균형을 맞추지 않는 것보다 나은 방법은 없습니다"
    rows = [changes[value].loc[best] for value in ("macro_f1", "without_unsteady", "micro_f1")]
    macro, without, micro = (change(row.change, row.low, row.high) for row in rows)
    return (
        f"**{best}** has the best macro F1, {macro} against doing nothing, {without} without {unsteady}; "
        f"micro F1 changes by {micro}",
        f"macro F1이 가장 높은 방법은 **{best}**입니다(균형을 맞추지 않을 때보다 {rows[0].change:+.3f}, "
        f"micro F1은 {rows[2].change:+.3f})",
    )


def longer_trainings(macro: pd.Series, micro: pd.Series) -> str:
    """Whether longer trainings confirm the gain of balancing.

    Parameters
    ----------
    macro, micro : pandas.Series
        ``change``, ``low`` and ``high`` of drawing classes as large as they are, against balanced ones.
    """
    gains = [(-row.change, -row.high, -row.low) for row in (macro, micro)]
    told = ("confirm", "확인됩니다") if gains[0][1] > 0 else ("do not confirm", "확인되지 않습니다")
    texts = [change(*gain) for gain in gains]
    return (
        f"Trainings of 20 epochs ([notebook 04](04_experiments.ipynb#rounds), two seeds) {told[0]} the gain "
        f"over no balancing: macro F1 {texts[0]}, micro F1 {texts[1]}.\n\n20에폭 학습(노트북 04의 4절, 시드 "
        f"2개)에서는 macro F1의 이득이 {told[1]}. macro F1 {texts[0].replace(' to ', '~')}, micro F1 "
        f"{texts[1].replace(' to ', '~')}."
    )


def class_sizes(stages: pd.DataFrame) -> str:
    """How unequal classes are before and after balancing.

    Parameters
    ----------
    stages : pandas.DataFrame
        Indexed by class: numbers of images, as collected in the first column, as shown in the last.
    """
    before, after = (
        stages[name].max() / stages[name].min() for name in (stages.columns[0], stages.columns[-1])
    )
    return finding(
        f"The largest class has {before:.0f} times as many readable images as the smallest; in a pass it is "
        f"shown {after:.1f} times as often. Photographs are still in; notebook 03 takes them out.",
        f"가장 큰 클래스와 작은 클래스의 비율은 {before:.0f}:1에서 {after:.1f}:1로 줄어듭니다. 사진은 아직 "
        "남아 있으며, 노트북 03이 제거한 뒤 `dataset.csv`를 다시 씁니다.",
    )


def all_in_all(
    files: int,
    dropped: int,
    redundant: int,
    images: int,
    score: Mapping[str, float] | None,
    leaked: float,
    best: str,
) -> str:
    """The conclusion of notebook 02.

    Parameters
    ----------
    files, dropped, redundant, images : int
        Readable files, those that are dropped, the copies among these, and what the data set has.
    score : mapping of str to float or None
        ``recall`` and ``precision`` of the copies, where they are known.
    leaked : float
        By how much macro F1 reads higher where groups are split.
    best : str
        The strategy of balancing.
    """
    measured = "no truth to measure against"
    if score is not None:
        measured = f"recall {score['recall']:.3f}, precision {score['precision']:.3f}"
    lost = dropped - redundant
    return conclusion(
        f"Of {files:,} readable files {dropped:,} are dropped: {redundant:,} copies ({measured}) and "
        f"{lost:,} more whose label cannot be decided. Without groups validation would read {leaked:+.3f} "
        f"macro F1 higher. The classes are balanced by **{best}**. `duplicates.csv` and `dataset.csv` "
        f"({images:,} images) go to the next notebook, which looks for photographs.",
        f"읽을 수 있는 파일 {files:,}개 중 {dropped:,}개를 제외했습니다. 중복이 "
        f"{redundant:,}개이고({measured}), 라벨을 정할 수 없는 것이 {lost:,}개입니다. 그룹을 무시하고 "
        f"분할하면 검증 macro F1이 {leaked:.3f} 높게 나옵니다. 클래스 균형에는 **{best}**를 씁니다. "
        f"`duplicates.csv`와 `dataset.csv`({images:,}장)는 사진을 찾는 다음 노트북으로 이어집니다.",
    )
