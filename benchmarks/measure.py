"""What a program costs, measured in one way for all benchmarks.

In: a command. Out: its wall seconds, from start to exit, its processor seconds (user and system, of it and of
the children that it waited for; other work on the machine hardly changes them), and its peak memory in
megabytes (2**20 bytes).

Each program that is measured is a process of its own, so imports and decoding are in its seconds. Its peak
memory is the largest sum, over it and its children, of the proportional set size (PSS: a page that k
processes share counts 1/k in each), sampled every 0.1 s; where a system has no PSS, of the unique set size
(USS). Peaks shorter than the sampling step can be missed.

    python -m pip install -r benchmarks/requirements.txt
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from joblib import cpu_count

STEP = 0.1  # s, between two samples of the memory
LOG_TAIL = 3000  # characters of a failed program's output that the error shows


def measure_command(command: Iterable[object]) -> dict[str, float]:
    """Run a command to its end: ``seconds``, ``cpu_seconds`` and ``peak_mb``, as this module defines them.

    RuntimeError, with the end of the command's output, if it failed.
    """
    words = [str(word) for word in command]
    start, before, peak = time.perf_counter(), processor_seconds(), 0
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        child = psutil.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        while child.poll() is None:
            peak = max(peak, memory(child))
            time.sleep(STEP)
        seconds = time.perf_counter() - start
        if child.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(words)}\nstatus {child.returncode}:\n{log.read()[-LOG_TAIL:]}")
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(processor_seconds() - before, 1),
        "peak_mb": round(peak / 2**20),
    }


def processor_seconds() -> float:
    """Of all programs that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_program(name: str, *arguments: object, python: str | Path = sys.executable) -> dict[str, float]:
    """:func:`measure_command` of ``benchmarks/peers/<name>.py``."""
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
