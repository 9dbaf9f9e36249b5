"""What notebook 01 says of a folder as it was collected. In: the catalog and measures. Out: Markdown."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import entropy

from illus.report.findings.text import AS_EXPECTED, finding

SQUARE = (0.95, 1.05)  # width / height
ICON = 512  # pixels of the longer side up to which an image counts as small
LIGHT = 0.7  # mean brightness, 0 to 1
FEW_COLOURS = 64
LONG_TAIL = 0.002  # share of images


def unreadable(files: int, broken: int) -> str:
    """How many of the files cannot be read."""
    as_expected = AS_EXPECTED[broken > 0]
    return finding(
        f"{as_expected[0]}: {broken:,} of {files:,} files ({broken / files:.2%}) cannot be read. Each keeps "
        "its row with the reason; no later stage uses it.",
        f"{as_expected[1]} {files:,}개 중 {broken:,}개({broken / files:.2%})는 읽을 수 없습니다. 이유를 "
        "표에 남기고 이후 단계에서는 쓰지 않습니다.",
    )


def class_sizes(counts: pd.Series) -> str:
    """How unequal classes are.

    Parameters
    ----------
    counts : pandas.Series
        Images of each class, as it is to be named, the largest first.
    """
    evenness = entropy(counts / counts.sum()) / np.log(max(2, len(counts)))
    large, least = counts.index[0], counts.index[-1]
    ratio, small = counts.iloc[0] / counts.iloc[-1], (counts < counts.mean() / 2).sum()
    return finding(
        f"The sizes differ by a factor of {ratio:.0f}: {large} has {counts.iloc[0]:,} images, {least} "
        f"{counts.iloc[-1]:,}; {small} of {len(counts)} classes have less than half of the mean. (The "
        f"entropy of the shares is {evenness:.0%} of that of equal classes.)",
        f"가장 큰 클래스({large}, {counts.iloc[0]:,}장)는 가장 작은 클래스({least}, "
        f"{counts.iloc[-1]:,}장)의 {ratio:.0f}배이며, {len(counts)}개 중 {small}개 클래스가 평균의 절반에 "
        "못 미칩니다.",
    )


def sizes_and_formats(width: pd.Series, height: pd.Series, kinds: int) -> str:
    """Whether images are small and nearly square, and in how many kinds of file.

    Parameters
    ----------
    width, height : pandas.Series
        Of each image, in pixels.
    kinds : int
        Formats and colour modes.
    """
    longer = np.maximum(width, height)
    square = (width / height).between(*SQUARE).mean()
    as_expected = AS_EXPECTED[bool(longer.median() <= ICON and square > 0.5)]
    return finding(
        f"{as_expected[0]}: longer sides of {longer.min()} to {longer.max()} px (median "
        f"{longer.median():.0f}), {square:.0%} of the images square within 5 %. The {kinds} kinds of file, "
        "with palettes, gray and transparency, need one common reading, RGB on white; `evaluate.py` owns "
        "it, so that training and scoring cannot differ.",
        f"{as_expected[1]} 긴 변은 {longer.min()}–{longer.max()} px(중앙값 {longer.median():.0f})이고 "
        f"{square:.0%}가 거의 정사각형입니다. 파일 종류 {kinds}가지를 모두 흰 배경의 RGB로 읽으며, 학습과 "
        "채점이 같은 코드(`evaluate.py`)를 씁니다.",
    )


def light_and_colour(brightness: pd.Series, colours: pd.Series, gray: float) -> str:
    """Whether images are light and have few colours.

    Parameters
    ----------
    brightness, colours : pandas.Series
        Of each image: mean brightness, 0 to 1; number of distinct colours.
    gray : float
        Share of images without colour.
    """
    light, many = brightness.median(), colours.median()
    is_light, has_few = (
        "예상대로" if held else "예상과 달리" for held in (light > LIGHT, many <= FEW_COLOURS)
    )
    return finding(
        f"Light, {'yes' if light > LIGHT else 'no'}: the median brightness is {light:.2f}. Few colours, "
        f"{'yes' if many <= FEW_COLOURS else 'less so'}: half of the images have more than {many:.0f}, as "
        f"edges are blended. {gray:.1%} have no colour at all, so colour is a hint and not a label: "
        "training changes it at random.",
        f"{is_light} 밝기의 중앙값은 {light:.2f}이고, {has_few} 색 수의 중앙값은 윤곽선의 안티앨리어싱 "
        f"때문에 {many:.0f}개입니다. {gray:.1%}는 무채색이므로 색만으로는 클래스를 정할 수 없고, 학습할 때 "
        "색을 무작위로 바꿉니다.",
    )


def mean_images(contrast: pd.Series, styles: bool) -> str:
    """Which classes have a typical layout.

    Parameters
    ----------
    contrast : pandas.Series
        Of the mean image of each class, as it is to be named.
    styles : bool
        Whether classes are known to mix styles, as those of emoji20.
    """
    order = contrast.sort_values(ascending=False, kind="stable").index
    most, least = ", ".join(order[:3]), ", ".join(order[-3:])
    mixed = (
        ("As expected, every row mixes styles. ", "예상대로 한 클래스에 여러 화풍이 섞여 있습니다. ")
        if styles
        else ("", "")
    )
    return finding(
        f"{mixed[0]}The mean images with most contrast are those of {most}: a typical layout; {least} have "
        "least. We assume that flips and small shifts preserve the class (signs with text are the "
        "exception); notebook 04 tests augmentations.",
        f"{mixed[1]}평균 이미지의 대비가 가장 큰 클래스는 {most}, 가장 작은 클래스는 {least}입니다. 좌우 "
        "반전과 작은 이동은 클래스를 바꾸지 않는다고 가정하며, 증강은 노트북 04에서 시험합니다.",
    )


def repeated(copies: int, conflicts: int, near: Mapping[int, int]) -> str:
    """How many files repeat others.

    Parameters
    ----------
    copies, conflicts : int
        Files with the bytes of another; images of which such files stand in several classes.
    near : mapping of int to int
        Bits by which pHash may differ, 0 and 4 among them, to pairs of files.
    """
    as_expected = AS_EXPECTED[copies > 0]
    return finding(
        f"{as_expected[0]}: {copies:,} files are byte copies of another; {conflicts} images stand in more "
        f"than one class, where at most one label can be right. pHash calls {near[0]:,} pairs equal and "
        f"{near[4]:,} near, but flat drawings have so little structure that different ones can share a "
        "hash (see the largest groups above). To delete by hash can delete good drawings; notebook 02 "
        "measures this and does better.",
        f"{as_expected[1]} {copies:,}개 파일은 다른 파일과 바이트까지 같고, {conflicts}장은 둘 이상의 "
        f"클래스에 있어 라벨이 모순됩니다. pHash가 같다고 보는 쌍은 {near[0]:,}개지만, 평면적인 그림은 "
        "구조가 단순해서 서로 다른 그림도 해시가 같을 수 있습니다(위의 가장 큰 묶음 참고). 해시만으로 지우면 "
        "멀쩡한 그림을 잃을 수 있으므로 노트북 02에서 더 나은 방법을 씁니다.",
    )


def photographs(share: float) -> str:
    """Whether the tail of noisy images with little flat area (a share, 0 to 1) is long."""
    tail, korean = "The tails are short", "예상대로 꼬리가 짧아"
    if share > LONG_TAIL:
        tail, korean = "The tails are long", "예상과 달리 꼬리가 길어"
    return finding(
        f"{tail}: {share:.1%} of the images (more than {LONG_TAIL:.1%}, what we call long) are noisy, 3 "
        "levels above the median, and have flat area below one half. Photographs and textures can be among "
        "them, but so can drawings with many fine lines, and the flattest end can hold dark, smooth "
        "photographs: no single measure separates them. Notebook 03 combines several, without labels.",
        f"{korean} 이미지의 {share:.1%}(기준 {LONG_TAIL:.1%})가 노이즈가 많고(중앙값보다 3단계 이상) 평평한 "
        "영역이 절반보다 적습니다. 사진이 섞여 있을 수 있지만 통계량 하나로는 나눌 수 없으므로, 노트북 "
        "03에서 라벨 없이 여러 통계량을 결합합니다.",
    )
