"""The locked environment."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def test_ranges_pins_and_locks_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    graders, developers = dict(pins("requirements.txt")), dict(pins("requirements-dev.lock"))
    ranges = [Requirement(text) for text in project["dependencies"]]
    assert {canonicalize_name(one.name) for one in ranges} == set(graders)
    ranges += [Requirement(text) for extra in project["optional-dependencies"].values() for text in extra]
    for one in ranges:
        version = developers[canonicalize_name(one.name)]
        assert version in one.specifier
        assert graders.get(canonicalize_name(one.name), version) == version


def test_the_console_script_is_the_command_line(capsys):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, function = scripts["illus"].split(":")
    with pytest.raises(SystemExit, match="0"):
        getattr(importlib.import_module(module), function)(["--help"])
    assert "leaks" in capsys.readouterr().out
