"""How findings are written. In: sentences and numbers. Out: Markdown."""

AS_EXPECTED = {True: ("As expected", "예상대로"), False: ("Not as expected", "예상과 달리")}


def finding(english: str, korean: str) -> str:
    """A finding as two paragraphs of Markdown."""
    return f"**Result.** {english}\n\n**결과.** {korean}"


def conclusion(english: str, korean: str) -> str:
    """A conclusion as two paragraphs of Markdown."""
    return f"{english}\n\n**결론.** {korean}"


def change(mean: float, low: float, high: float) -> str:
    """A change with its interval."""
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
