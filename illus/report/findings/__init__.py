"""What the tables of the notebooks say, in English and in Korean.

In: tables and scores. Out: Markdown, which says what follows from them whichever way they turn out.
"""

from illus.report.findings import balance, copies, files, photos, runs, scores

__all__ = ["balance", "copies", "files", "photos", "runs", "scores"]
