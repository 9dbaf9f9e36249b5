"""What notebook 04 says of recorded runs. In: tables of runs, of one block or network too. Out: Markdown."""

from collections.abc import Mapping, Sequence

import pandas as pd

from illus.report import effects
from illus.report.findings.text import AS_EXPECTED, finding

NOISE_FACTOR = 2.6  # standard deviations: two-sided 1 %, since several differences are compared
SEED_NOISE = 0.02  # macro F1 by which single runs of the recipe may differ by chance


def shared_concepts(share: float) -> str:
    """Of the share of validation images whose concept training has by the same artist (0 to 1)."""
    return finding(
        f"The truth says which concept and which artist an image is: {share:.0%} of these validation images "
        "have their own concept by the same artist in training too, in another shape. Whether validation "
        "predicts the test score: [section 7](#ranking).",
        f"검증 이미지의 {share:.0%}는 같은 작가가 같은 개념을 다른 모양으로 그린 그림이 학습 데이터에도 "
        "있습니다. 검증 점수가 테스트 점수를 예측하는지는 [7절](#ranking)에서 확인합니다.",
    )


def grid(tuned: pd.DataFrame, noise: float) -> str:
    """Which augmentation is best at which budget, and how much the block matters.

    Parameters
    ----------
    tuned : pandas.DataFrame
        Runs at the best learning rate: ``block``, ``augmentation``, ``budget``, ``val_macro_f1``.
    noise : float
        Standard deviation between seeds.
    """
    score = tuned.pivot_table("val_macro_f1", "augmentation", "budget", sort=False)
    short, long = score.columns.min(), score.columns.max()
    order = {
        budget: ", ".join(f"{name} {value:.3f}" for name, value in ordered(score[budget]).items())
        for budget in (short, long)
    }
    least = NOISE_FACTOR * noise  # of means of two seeds
    answer, korean = _best_at_both(score, short, long, least)
    parts, korean_parts = _parts_of_the_block(tuned)
    spans, korean_spans = _spans_between_blocks(tuned[tuned.budget == long])
    return finding(
        f"{short}-epoch budget: {order[short]}; {long}-epoch budget: {order[long]}. {answer}.{parts}{spans} "
        f"Differences between two cells of two seeds below about {least:.3f} may be noise.",
        f"{short}에폭: {order[short]}. {long}에폭: {order[long]}. {korean}. "
        f"{korean_parts}{korean_spans}시드 2개의 평균 사이에서 {least:.3f}보다 작은 차이는 노이즈일 수 "
        "있습니다.",
    )


def ordered(scores: pd.Series) -> pd.Series:
    """Scores with the best first; equal ones stay in their order."""
    return scores.sort_values(ascending=False, kind="stable")


def _best_at_both(score: pd.DataFrame, short: int, long: int, least: float) -> tuple[str, str]:
    """Whether the same augmentation is best at both budgets, and whether noise can tell at the short one."""
    best = ordered(score[short]).index[0]
    if best == ordered(score[long]).index[0]:
        answer = f"Not as expected, {best} is best at both budgets"
        korean = f"예상과 달리 두 학습량 모두 가장 좋은 증강은 {best}입니다"
    else:
        answer = "As expected, the best augmentation changes with the budget"
        korean = "예상대로 가장 좋은 증강이 학습량에 따라 바뀝니다"
    lead = score[short].nlargest(2).diff().abs().iloc[-1]
    if lead < least:
        answer += f", but at the shorter one only by {lead:.3f}, which may be noise"
        korean += f". 다만 {short}에폭에서의 차이({lead:.3f})는 노이즈일 수 있습니다"
    return answer, korean


def _parts_of_the_block(tuned: pd.DataFrame) -> tuple[str, str]:
    """What shortcuts and squeeze-and-excitation change, where both sides of a comparison were run."""
    scores = tuned.pivot_table("val_macro_f1", ["augmentation", "budget"], "block")
    pairs = {"shortcuts": ("residual", "plain"), "squeeze-and-excitation": ("squeeze-excite", "residual")}
    gains = {name: scores[new] - scores[old] for name, (new, old) in pairs.items() if {new, old} <= {*scores}}
    if not gains:
        return "", ""
    parts = (
        f"{name} {gain.min():+.3f} to {gain.max():+.3f} (mean {gain.mean():+.3f})"
        for name, gain in gains.items()
    )
    korean = (
        f"{name.removesuffix('s')} {gain.min():+.3f}~{gain.max():+.3f}(평균 {gain.mean():+.3f})"
        for name, gain in gains.items()
    )
    return (
        f" What parts of the block change, over augmentations and budgets: {', '.join(parts)}.",
        f"블록 구성의 효과: {', '.join(korean)}. ",
    )


def _spans_between_blocks(longest: pd.DataFrame) -> tuple[str, str]:
    """How much the block matters after the longest budget, where several were run."""
    if longest.block.nunique() < 2:
        return "", ""
    scores = longest.pivot_table("val_macro_f1", "augmentation", "block")
    span = scores.max(axis=1) - scores.min(axis=1)
    most, least = span.idxmax(), span.idxmin()
    return (
        f" Between blocks macro F1 after {longest.budget.max()} epochs differs most with {most}, by "
        f"{span[most]:.3f}, and least with {least}, by {span[least]:.3f}.",
        f"{longest.budget.max()}에폭 후 블록 사이의 차이가 가장 큰 것은 {most}({span[most]:.3f})입니다. ",
    )


def best_rates(runs: pd.DataFrame) -> str:
    """In how many cells of a grid the highest learning rate that was tried is the best."""
    edge, cells = effects.at_the_edge(runs)
    beyond = (
        ", so the optimum may lie beyond it: one of the rounds below tries twice the rate" if edge else ""
    )
    return finding(
        f"In {edge} of {cells} cells the highest rate that was tried is the best{beyond}.",
        f"{cells}개 조합 중 {edge}개에서 시도한 가장 높은 학습률이 가장 좋았습니다.",
    )


def one_question_a_round(
    tried: pd.DataFrame,
    changes: Mapping[str, pd.DataFrame],
    verdicts: Mapping[str, str],
    korean_names: Mapping[str, str],
) -> str:
    """Which expectations about macro F1 held, and what balancing costs.

    Parameters
    ----------
    tried : pandas.DataFrame
        Rows of rounds.csv.
    changes : mapping of str to pandas.DataFrame
        ``val_macro_f1`` and ``val_micro_f1`` to changes from :func:`illus.report.effects.against_control`.
    verdicts : mapping of str to str
        Answer to one of the words of :func:`illus.report.effects.verdict`.
    korean_names : mapping of str to str
        Answers in Korean; one that is missing is named in English.
    """
    words = {"held": "예상대로", "refuted": "예상과 반대", "cannot be told": "판단 불가"}
    found = {
        word: [name for name in verdicts if verdicts[name] == word]
        for word in dict.fromkeys(verdicts.values())
    }
    answers = "; ".join(f"*{word}*: {', '.join(names)}" for word, names in found.items())
    korean = "; ".join(
        f"{words[word]} – {', '.join(korean_names.get(name, name) for name in names)}"
        for word, names in found.items()
    )
    macro, micro = (
        changes[f"val_{kind}_f1"].loc["classes as large as they are"] for kind in ("macro", "micro")
    )
    scores = tried.pivot_table("val_macro_f1", "seeds", "answer")
    paired = {
        name: (scores[name] - scores["base"]).dropna()
        for name in ("mean with the mirror image", "nearest training features")
    }
    pairs = "; ".join(
        f"{name} {', '.join(f'{gain:+.3f}' for gain in gains)}" for name, gains in paired.items()
    )
    return finding(
        f"The expectation about macro F1, answer by answer: {answers}. Without balancing macro F1 changes by "
        f"{macro.change:+.3f} ({macro.low:+.3f} to {macro.high:+.3f}), micro F1 by {micro.change:+.3f} "
        f"({micro.low:+.3f} to {micro.high:+.3f}). Paired with its own network, seed by seed: {pairs}.",
        f"macro F1에 대한 예상: {korean}. 균형을 맞추지 않았을 때의 변화는 macro F1 {macro.change:+.3f}, "
        f"micro F1 {micro.change:+.3f}입니다.",
    )


def larger_networks(
    recorded: pd.DataFrame, tuned: pd.DataFrame, training: Mapping[str, float], most_operations: float
) -> str:
    """Whether the grid carries over to larger networks, and how the average compares with one network.

    Parameters
    ----------
    recorded : pandas.DataFrame
        Runs of the recipe, the best last; mild and strong changes with mixed images among them.
    tuned : pandas.DataFrame
        Runs of the grid, as for :func:`grid`.
    training : mapping of str to float
        ``val_macro_f1`` and ``multiply_adds`` of the average that ships.
    most_operations : float
        Largest number of multiply-adds that may ship.
    """
    longest, best = recorded.loc[recorded.epochs.idxmax()], recorded.iloc[-1]
    mixed = recorded[recorded.mixing == "either"]
    mixed = mixed.pivot_table("val_macro_f1", ["input_size", "width"], "augmentation").dropna()
    side, mild, strong = mixed.index[0][0], mixed.mild.iloc[0], mixed.strong.iloc[0]
    in_grid = tuned[tuned.budget == tuned.budget.max()].groupby("augmentation").val_macro_f1.mean()
    same = (mild > strong) == (in_grid["affine+colour"] > in_grid["strong"])
    all_of_it = same and longest.val_macro_f1 == best.val_macro_f1
    one = recorded[recorded.multiply_adds <= most_operations].iloc[-1]
    average, by_chance = (
        training["val_macro_f1"],
        abs(training["val_macro_f1"] - one.val_macro_f1) < SEED_NOISE,
    )
    return finding(
        f"{'The grid carries over' if all_of_it else 'Not all of the grid carries over'}: the longest run "
        f"({longest.epochs} epochs, {longest.augmentation}) has {longest.val_macro_f1:.3f}, the best "
        f"({best.epochs} epochs, {best.augmentation}) {best.val_macro_f1:.3f}; mild changes are "
        f"{'better' if mild > strong else 'worse'} than strong ones at {side} px ({mild:.3f}, "
        f"{strong:.3f}), {'as' if same else 'unlike'} in the grid. Within 20 MB and "
        f"{most_operations / 1e6:.0f} million multiply-adds the best network has {one.val_macro_f1:.3f} at "
        f"{one.multiply_adds / 1e6:.0f} million, the average that ships {average:.3f} at "
        f"{training['multiply_adds'] / 1e6:.0f} "
        f"million{'; the difference may be due to the seed' if by_chance else ''}.",
        f"{'격자의 결과가 모두 성립합니다' if all_of_it else '격자의 결과가 모두 성립하지는 않습니다'}. "
        f"가장 긴 학습({longest.epochs}에폭, {longest.augmentation})은 {longest.val_macro_f1:.3f}, 가장 "
        f"좋은 학습({best.epochs}에폭, {best.augmentation})은 {best.val_macro_f1:.3f}입니다. {side}픽셀에서 "
        f"mild는 {mild:.3f}, strong은 {strong:.3f}이며, 격자와 {'같은' if same else '다른'} 순서입니다. "
        f"제한 안에서 신경망 하나는 {one.val_macro_f1:.3f}(곱셈-덧셈 {one.multiply_adds / 1e6:.0f}백만 회), "
        f"제공하는 평균은 {average:.3f}({training['multiply_adds'] / 1e6:.0f}백만 "
        f"회)입니다.{' 이 차이는 시드 때문일 수 있습니다.' if by_chance else ''}",
    )


def averaging(scores: Sequence[float], calibration: Mapping[str, float], of_seeds: float | None) -> str:
    """What the average of the networks, their mirror images and the temperature change on validation.

    Parameters
    ----------
    scores : sequence of float
        Macro F1 of each network, of their average, and of their average with mirror images.
    calibration : mapping of str to float
        ``temperature``, ``ece_before`` and ``ece_after``, or nothing.
    of_seeds : float or None
        What averaging two seeds of one augmentation changed, where that is known.
    """
    *members, average, mirrored = scores
    gain, mirror = average - sum(members) / len(members), mirrored - average
    english, korean = "It is one network", "신경망 하나입니다"
    if len(members) > 1:
        as_expected = AS_EXPECTED[gain > 0]
        english = f"{as_expected[0]}, the average of {len(members)} networks changes macro F1 by "
        english += f"{gain:+.3f} against its members"
        korean = (
            f"{as_expected[1]} 신경망 {len(members)}개의 평균은 개별 신경망 대비 macro F1 {gain:+.3f}입니다"
        )
    if len(members) > 1 and of_seeds is not None:
        english += (
            f" (two seeds with the same augmentation changed it by {of_seeds:+.3f} in section 4, so it "
        )
        english += "need not be the different augmentations)"
        korean += f"(4절에서는 증강이 같은 두 시드의 평균도 {of_seeds:+.3f}이므로 증강이 달라서라고 할 수는 "
        korean += "없습니다)"
    english += f"; the mirror image would change it by {mirror:+.3f} at twice the cost."
    korean += f". 좌우 반전 이미지까지 평균하면 비용이 두 배이고 {mirror:+.3f}입니다."
    if calibration:
        temperature, ece = calibration["temperature"], [calibration[f"ece_{t}"] for t in ("before", "after")]
        english += (
            f" One temperature ({temperature:.3f}), fitted on validation, changes the calibration error "
        )
        english += f"(ECE) from {ece[0]:.3f} to {ece[1]:.3f}."
        korean += (
            f" 검증 데이터에 맞춘 온도({temperature:.3f})로 보정 오차(ECE): {ece[0]:.3f} → {ece[1]:.3f}."
        )
    return finding(english, korean)


def longer_and_colour(score: pd.DataFrame, larger: float) -> str:
    """What longer training and affine + colour gain alone and together, and what a larger network gains.

    Parameters
    ----------
    score : pandas.DataFrame
        Macro F1: augmentations ``flip`` and ``affine+colour`` by two budgets, the shorter first.
    larger : float
        The gain of the larger network.
    """
    start = score.loc["flip"].iloc[0]
    longer, colour = score.loc["flip"].iloc[1] - start, score.loc["affine+colour"].iloc[0] - start
    both = score.loc["affine+colour"].iloc[1] - start
    more = both > longer + colour
    return finding(
        f"Longer training and affine + colour {'belong together' if more else 'do not need each other'}: "
        f"alone they gain {longer:+.3f} and {colour:+.3f}, together {both:+.3f}. The larger network gains "
        f"{larger:+.3f}; what of it does is not known.",
        "긴 학습과 affine + colour는 "
        f"{'함께 쓸 때 효과가 더 큽니다' if more else '함께 써도 효과가 더 커지지 않습니다'}. 따로는 "
        f"{longer:+.3f}, {colour:+.3f}이고 함께 쓰면 {both:+.3f}입니다. 큰 신경망의 이득은 "
        f"{larger:+.3f}이지만, 그중 어떤 변경의 효과인지는 알 수 없습니다.",
    )


def overfitting(histories: Mapping[str, pd.DataFrame]) -> str:
    """How far training lies above validation at the end, and until when below, by changes and mixing.

    Parameters
    ----------
    histories : mapping of str to pandas.DataFrame
        ``changes, mixing, ...`` to ``epoch``, ``macro_f1``, ``val_macro_f1``.
    """
    if not histories:
        return "No curves of this data set are recorded."
    end = pd.DataFrame({
        "kind": [", ".join(name.split(", ")[:2]) for name in histories],
        "gap": [t.macro_f1.iloc[-1] - t.val_macro_f1.iloc[-1] for t in histories.values()],
        "below": [t.epoch[t.macro_f1 < t.val_macro_f1].max() for t in histories.values()],
    }).fillna(0)  # never below: until epoch 0  # fmt: skip
    kinds = end.groupby("kind")
    english = "; ".join(
        f"{kind}: gap {t.gap.min():+.3f} to {t.gap.max():+.3f}, below until epoch {t.below.min():.0f} to "
        f"{t.below.max():.0f}"
        for kind, t in kinds
    )
    korean = "; ".join(
        f"{kind}: 차이 {t.gap.min():+.3f}~{t.gap.max():+.3f}, "
        f"{t.below.min():.0f}~{t.below.max():.0f}에폭까지 아래"
        for kind, t in kinds
    )
    mixed = end.kind.str.endswith("either")
    if mixed.all() or not mixed.any():
        answer, korean_answer = "All runs are alike in mixing", "모든 실행의 혼합 여부가 같습니다"
    elif end.gap[mixed].max() < end.gap[~mixed].min():
        answer = "As expected, every run with mixed images overfits less than every run without"
        korean_answer = "예상대로 이미지를 혼합한 실행은 모두 혼합하지 않은 실행보다 과적합이 적습니다"
    else:
        answer = "Not as expected, mixing does not separate the runs"
        korean_answer = "예상과 달리 혼합 여부로 과적합이 갈리지 않습니다"
    return finding(
        f"{answer}. By changes and mixing, how far macro F1 on training images lies above validation at the "
        f"end, and until when it lies below: {english}.",
        f"{korean_answer}. 마지막 에폭의 학습–검증 macro F1 차이와 학습 곡선이 아래에 있는 구간: {korean}.",
    )
