"""What a program costs, and which code a table was measured on: one way for all benchmarks.

In: a command. Out: its wall seconds, from start to exit, and its peak memory in megabytes (2**20 bytes).

Each program that is measured is a process of its own, so imports and decoding are in its seconds. Its peak
memory is the largest sum, over it and its children, of the proportional set size (PSS: a page that k
processes share counts 1/k in each), sampled every 0.1 s; where a system has no PSS, of the unique set size
(USS). Peaks shorter than the sampling step can be missed.

    python -m pip install -r benchmarks/requirements.txt
"""

import ast
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from joblib import cpu_count

import evaluate
from illus.learn.settings import HASH_DIGITS, READER, code_without_docstrings

STEP = 0.1  # s, between two samples of the memory
ROOT = Path(__file__).parent.parent
LOG_TAIL = 3000  # characters of a failed program's output that the error shows


def measure_command(command: Iterable[object]) -> dict[str, float]:
    """Run a command to its end.

    Returns
    -------
    dict
        ``seconds`` and ``peak_mb``, as the module's docstring defines them.

    Raises
    ------
    RuntimeError
        The command failed; the end of its output is in the message.
    """
    words = [str(word) for word in command]
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        child = psutil.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        while child.poll() is None:
            peak = max(peak, memory(child))
            time.sleep(STEP)
        seconds = time.perf_counter() - start
        if child.returncode:
            log.seek(0)
            raise RuntimeError(
                f"{' '.join(words)}\nexit status {child.returncode}:\n{log.read()[-LOG_TAIL:]}"
            )
    return {"seconds": round(seconds, 1), "peak_mb": round(peak / 2**20)}


def measure_program(name: str, *arguments: object, python: str | Path = sys.executable) -> dict[str, float]:
    """:func:`measure_command` of ``benchmarks/peers/<name>.py``, which reads its arguments with argparse."""
    return measure_command([python, "-m", f"benchmarks.peers.{name}", *arguments])


def memory(process: psutil.Process) -> int:
    """Bytes that a process and its children hold now."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            held = one.memory_full_info()
            total += getattr(held, "pss", held.uss)
    except psutil.Error:  # one of them has just ended
        pass
    return total


def load() -> str:
    """How busy the machine is, in words: seconds that were measured beside other work are too long."""
    return f"load {psutil.getloadavg()[0]:.1f}, {cpu_count()} of {os.cpu_count()} cores to use"


def code_of(paths: Iterable[str | Path]) -> str:
    """12 hex digits that change when code changes that decides a result; not with its comments.

    Of the syntax trees, without docstrings, of these files and of the functions of evaluate.py that read an
    image (:data:`illus.learn.settings.READER`). Paths are relative to the root of the repository.
    """
    trees = [ast.parse((ROOT / path).read_text("utf-8")) for path in paths]
    reader = ast.parse(Path(evaluate.__file__).read_text("utf-8"))
    reader.body = [node for node in reader.body if getattr(node, "name", None) in READER]
    code = "\n".join(code_without_docstrings(tree) for tree in [*trees, reader])
    return hashlib.sha256(code.encode()).hexdigest()[:HASH_DIGITS]
