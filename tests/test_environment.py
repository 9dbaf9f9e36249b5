"""The locked environment and the image that installs it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pins(name):
    """Versions by name of package, of lines like ``numpy==2.4.6 \\`` or ``numpy==2.4.6``."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [re.match(r"([A-Za-z0-9._-]+)==(\S+)", line) for line in lines]
    return [(match[1].lower().replace("_", "-"), match[2]) for match in found if match]


def test_the_lock_has_the_pinned_versions_with_hashes_and_no_addresses():
    locked, text = pins("requirements.lock"), (ROOT / "requirements.lock").read_text("utf-8")
    assert set(pins("requirements.txt")) <= set(locked)
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert len(entries) == len(locked)
    assert all(" --hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("name", ["requirements-dev.txt", "requirements-extras.txt"])
def test_every_requirement_is_one_version(name):
    lines = [
        line for line in (ROOT / name).read_text("utf-8").splitlines() if not line.startswith(("#", "-r "))
    ]
    assert len(lines) == len(pins(name)) > 0


def test_the_image_installs_the_lock_and_runs_without_rights():
    steps = (ROOT / "Dockerfile").read_text("utf-8")
    version = re.search(r"^FROM python:(3\.\d+)-slim$", steps, re.MULTILINE)[1]
    assert version in {"3.11", "3.12", "3.13"}
    assert "--require-hashes -r requirements.lock" in steps
    assert re.findall(r"^USER (\S+)$", steps, re.MULTILINE) == ["illus"]
    copied = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert copied[0] == "*"
    assert all((ROOT / name[1:]).exists() for name in copied if name.startswith("!"))
