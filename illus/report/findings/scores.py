"""What notebook 04 says of scores on validation and test folders. In: scores, predictions. Out: Markdown."""

from collections.abc import Mapping, Sequence

import pandas as pd
from sklearn.metrics import f1_score

from illus.report.findings.text import AS_EXPECTED, conclusion, finding

QUARTER = 0.25  # of the tutorial's time, in which its best score is expected to be passed


def classes(f1: pd.Series, folder: str, by_concept: bool, good: float = 0.7) -> str:
    """Which classes are hardest and easiest.

    Parameters
    ----------
    f1 : pandas.Series
        Indexed by class, as it is to be named.
    folder : str
        Name of the test folder.
    by_concept : bool
        Whether the intervals shown draw whole concepts; otherwise they draw clusters of look-alikes.
    good : float, default 0.7
        Classes of at least this F1 are counted.
    """
    order = f1.sort_values(kind="stable")
    hardest, easiest = (
        ", ".join(f"{name} {value:.3f}" for name, value in part.items())
        for part in (order.head(3), order.tail(3)[::-1])
    )
    drawn = "concepts" if by_concept else "clusters of look-alikes"
    count = (f1 >= good).sum()
    return finding(
        f"In `{folder}` the hardest classes are {hardest}; the easiest {easiest}. {count} of {len(f1)} "
        f"classes reach an F1 of {good:.2f}. The intervals draw whole {drawn} with replacement, since "
        "variants of one drawing are right or wrong together.",
        f"`{folder}`에서 가장 어려운 클래스는 {hardest}, 가장 쉬운 클래스는 {easiest}입니다. {len(f1)}개 중 "
        f"{count}개 클래스의 F1이 {good:.2f} 이상입니다.",
    )


def mistakes_by_concept(table: pd.DataFrame, concept: pd.Series, folder: str) -> str:
    """How few concepts the mistakes are, and the score where every concept counts the same.

    Parameters
    ----------
    table : pandas.DataFrame
        ``class_name``, ``predicted`` of each image.
    concept : pandas.Series
        What each image shows.
    folder : str
        Name of the test folder.
    """
    wrong = concept[(table.class_name != table.predicted).to_numpy()].value_counts()
    if wrong.empty:
        return finding(f"`{folder}`: no mistakes.", f"`{folder}`: 오답이 없습니다.")
    half = (wrong.cumsum() < wrong.sum() / 2).sum() + 1
    weight = 1 / concept.map(concept.value_counts())
    labels = sorted(set(table.class_name))
    score, once = (
        f1_score(
            table.class_name,
            table.predicted,
            average="macro",
            sample_weight=w,
            labels=labels,
            zero_division=0,
        )
        for w in (None, weight)
    )
    return finding(
        f"`{folder}`: {wrong.iloc[0]} of {wrong.sum()} mistakes are variants of one concept "
        f"(*{wrong.index[0]}*), {half} of {concept.nunique()} concepts make half of them. Where every "
        f"concept counts the same, macro F1 is {once:.3f} instead of {score:.3f}.",
        f"`{folder}`: 오답 {wrong.sum()}장 중 {wrong.iloc[0]}장이 한 개념(*{wrong.index[0]}*)의 변형이고, "
        f"개념 {concept.nunique()}개 중 {half}개가 오답의 절반을 차지합니다. 개념마다 같은 가중치를 준 "
        f"macro F1은 {once:.3f}, 이미지마다 같은 가중치를 준 macro F1은 {score:.3f}입니다.",
    )


def confidence(temperature: float, errors: Mapping[str, float], tables: Mapping[str, pd.DataFrame]) -> str:
    """Calibration errors before and after the temperature, and on which side of the truth they are.

    Parameters
    ----------
    temperature : float
    errors : mapping of str to float
        Calibration error on validation before it, on validation after it, then in each test folder.
    tables : mapping of str to pandas.DataFrame
        Test folder to ``class_name``, ``predicted``, ``probability`` of its images.
    """
    before, after = list(errors.values())[:2]
    sides = {
        name: ("underconfident", "과소 확신")
        if t.probability.mean() < (t.class_name == t.predicted).mean()
        else ("overconfident", "과신")
        for name, t in tables.items()
    }
    english = "; ".join(
        f"`{name}` {errors[name]:.3f}, on average {side}" for name, (side, _) in sides.items()
    )
    korean = ", ".join(f"`{name}` {errors[name]:.3f}({side})" for name, (_, side) in sides.items())
    return finding(
        f"Expected calibration error before and after the temperature {temperature:.3f}: {before:.3f} and "
        f"{after:.3f} on validation, to which it was fitted. On the test folders, after: {english}.",
        f"온도 {temperature:.3f} 적용 전후의 기대 보정 오차(ECE)는 온도를 맞춘 검증 데이터에서 "
        f"{before:.3f}, {after:.3f}입니다. 적용 후 테스트 폴더: {korean}.",
    )


def ranking(scores: pd.DataFrame) -> str:
    """Whether networks rank on validation as they do on the test folders.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row per network; validation in the first column, a test folder in each other one.
    """
    agreement = scores.corr("spearman").iloc[0, 1:]
    values = ", ".join(f"{value:.2f} with {name.split(':')[0]}" for name, value in agreement.items())
    korean = ", ".join(f"{value:.2f}" for value in agreement)
    answer, korean_answer = "is not", "두 테스트 폴더 모두에서 가장 좋지는 않으며"
    if scores.idxmax().nunique() == 1:
        answer, korean_answer = "is", "두 테스트 폴더에서도 가장 좋지만"
    return finding(
        f"Rank correlation (Spearman) of validation over {len(scores)} networks: {values}. The network "
        f"chosen on validation {answer} the best on both test folders; but {len(scores)} networks are too "
        "few for a rank correlation to mean much, and differences of 0.01 on validation do not settle an "
        "order.",
        f"신경망 {len(scores)}개에서 검증 점수와 테스트 점수의 스피어만 순위 상관은 {korean}입니다. "
        f"검증에서 고른 신경망이 {korean_answer}, 표본이 너무 적어 검증 점수 0.01 정도의 차이로는 순위를 "
        "확정할 수 없습니다.",
    )


def validation_and_test(f1: pd.DataFrame, same: float = 0.02) -> str:
    """Whether validation predicts the test score, over all and by class.

    Parameters
    ----------
    f1 : pandas.DataFrame
        Indexed by class, as it is to be named: validation in the first column, a test folder in the second.
    same : float, default 0.02
        Macro F1 that differs by less is called as expected.
    """
    test = f1.columns[1]
    validation, tested = f1.iloc[:, 0], f1.iloc[:, 1]
    as_expected = AS_EXPECTED[bool(abs(tested.mean() - validation.mean()) < same)]
    rank = validation.corr(tested, "spearman")
    gap = (tested - validation).sort_values()
    less, more = (f1.loc[name] for name in (gap.index[0], gap.index[-1]))
    return finding(
        f"{as_expected[0]} in section 2: macro F1 of the shipped model is {validation.mean():.3f} "
        f"on validation and {tested.mean():.3f} on `{test}`. By class the two agree with a Spearman "
        f"correlation of {rank:.2f}; they differ most for {less.name} ({less.iloc[0]:.3f} and "
        f"{less.iloc[1]:.3f}) and {more.name} ({more.iloc[0]:.3f} and {more.iloc[1]:.3f}). No group of "
        "look-alikes is split, so a class with few groups is judged by one or two of them.",
        f"2절의 {as_expected[1]} 제공하는 모델의 macro F1은 검증 {validation.mean():.3f}, `{test}` "
        f"{tested.mean():.3f}입니다. 클래스별 F1의 스피어만 상관은 {rank:.2f}이며, 차이가 가장 큰 클래스는 "
        f"{less.name}({less.iloc[0]:.3f}, {less.iloc[1]:.3f}), {more.name}({more.iloc[0]:.3f}, "
        f"{more.iloc[1]:.3f})입니다. 비슷한 그림의 그룹을 나누지 않으므로, 그룹이 적은 클래스는 한두 "
        "그룹으로 평가됩니다.",
    )


def standard_methods(others: pd.DataFrame, goals: Mapping[str, pd.Series], times: pd.DataFrame) -> str:
    """How soon the tutorial's best score is passed, and how the methods compare on the test folders.

    Parameters
    ----------
    others : pandas.DataFrame
        Indexed by method: ``test: macro F1`` and ``test unseen style: macro F1``. Ours come first: for all
        of the time, a quarter of it, with mixed images.
    goals : mapping of str to pandas.Series
        A network of the tutorial to its best epoch: ``macro_f1``, ``seconds``.
    times : pandas.DataFrame
        Ours by the tutorial's networks: when each passes the goal, as a share of the goal's seconds.
    """
    ours, short, mixed = times.index[:3]
    fastest = times.min()
    as_expected = AS_EXPECTED[bool((fastest <= QUARTER).all())]
    passed = "; ".join(
        f"the best of *{name}* ({goal.macro_f1:.3f} after {goal.seconds:.0f} s) is passed after "
        f"{fastest[name]:.2f} of that time by *{times[name].idxmin()}*"
        for name, goal in goals.items()
    )
    korean = ", ".join(
        f"*{name}*의 최고 점수({goal.macro_f1:.3f}, {goal.seconds:.0f}초)를 그 시간의 {fastest[name]:.2f}배에"
        for name, goal in goals.items()
    )
    both = others[["test: macro F1", "test unseen style: macro F1"]]
    test = both.iloc[:, 0]
    hog = test[test.index.str.startswith("HOG")].idxmax()
    gaps = {name: both.loc[ours] - both.loc[name] for name in [*goals, hog]}
    against = ", ".join(
        f"{gap.iloc[0]:+.3f} and {gap.iloc[1]:+.3f} against *{name}*" for name, gap in gaps.items()
    )
    korean_gaps = ", ".join(
        f"*{name}* 대비 {gap.iloc[0]:+.3f}, {gap.iloc[1]:+.3f}" for name, gap in gaps.items()
    )
    mixing = both.loc[mixed] - both.loc[ours]
    less = ("less", "낮습니다") if test[short] < test[hog] else ("more", "높습니다")
    return finding(
        f"{as_expected[0]}: {passed}. On the test folders the macro F1 of *{ours}* differs by "
        f"{against}; mixing changes it by {mixing.iloc[0]:+.3f} and {mixing.iloc[1]:+.3f}. In a quarter of "
        f"the seconds it has {test[short]:.3f} on test, {less[0]} than {hog} ({test[hog]:.3f}).",
        f"{as_expected[1]} {korean} 넘습니다. 테스트 폴더 두 개의 macro F1 차이: {korean_gaps}. 4분의 1의 "
        f"시간만 학습한 점수는 {test[short]:.3f}이며, {hog}({test[hog]:.3f})보다 {less[1]}.",
    )


def all_in_all(
    scored: Mapping[str, Mapping[str, float]],
    training: Mapping,
    networks: int,
    runs: pd.DataFrame,
    files: Sequence[str],
) -> str:
    """The conclusion of notebook 04: what was trained for how long, and its scores.

    Parameters
    ----------
    scored : mapping of str to mapping
        Test folder to ``macro_f1`` and ``micro_f1``.
    training : mapping
        Of the card of the weights: ``seconds``, ``device``, ``val_macro_f1``.
    networks : int
        Number of networks in the weights.
    runs : pandas.DataFrame
        All recorded runs: ``seconds``, ``device``.
    files : sequence of str, length 2
        The weights and their card.
    """
    scores = ", ".join(
        f"`{name}` macro F1 {result['macro_f1']:.3f}, micro F1 {result['micro_f1']:.3f}"
        for name, result in scored.items()
    )
    shipped, korean = "One network", "신경망 하나가"
    if networks > 1:
        shipped, korean = f"The average of {networks} networks", f"신경망 {networks}개의 평균이"
    minutes, all_minutes = training["seconds"] / 60, runs.seconds.sum() / 60
    devices = sorted(set(runs.device.str.upper()))
    validation = f"{training['val_macro_f1']:.3f}"
    weights, card = files
    return conclusion(
        f"{shipped}, trained from scratch for {minutes:.1f} minutes in all on one "
        f"{training['device'].upper()}: {scores}. The {len(runs)} runs of the grid and of section 5 took "
        f"{all_minutes:.0f} minutes on {' and '.join(devices)}. Validation macro F1 is {validation}. "
        f"`{weights}` and its card `{card}` hold the model and its settings.",
        f"전이 학습 없이 처음부터 총 {minutes:.1f}분 동안 학습한 {korean} 얻은 점수는 다음과 "
        f"같습니다. {scores}. 격자와 5절의 학습 {len(runs)}회는 모두 {all_minutes:.0f}분 "
        f"걸렸습니다({', '.join(devices)}). 검증 macro F1은 {validation}입니다. 모델과 설정은 `{weights}`와 "
        f"`{card}`에 있습니다.",
    )
