"""Runs the command as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOSTILE = "tests.implementations.hostile"
HINGE = "tests.implementations.hinge"


def environment(project: Path = ROOT) -> dict[str, str]:
    """An environment in which a project's folder can be imported from."""
    return {**os.environ, "PYTHONPATH": str(project), "PYTHONWARNINGS": "ignore"}


def run(
    *arguments: str, folder: str = str(ROOT), project: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, the project importable."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(project), capture_output=True, text=True
    )


def conformance(
    *arguments: str, folder: str = str(ROOT), project: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return run("-m", "conformance", *arguments, folder=folder, project=project)


def findings(path: Path) -> dict[str, dict[str, Any]]:
    """What a JSON report says of each check, by its id."""
    found = json.loads(path.read_text(encoding="utf-8"))["findings"]
    by_id = {each["id"]: each for each in found}
    assert len(by_id) == len(found), "a check has two findings"
    return by_id
