"""Mutants that nothing catches, each with the reason; kept honest."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from mutation.mutants import Mutant

DEFAULT = Path(__file__).resolve().parent.parent / "mutation_survivors.toml"
FIELDS = {"file": str, "function": str, "equivalent": bool, "reason": str, "changes": list}

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Reason:
    """Why a mutant survives.

    Args:
        text: the reason.
        equivalent: whether nothing that the contract speaks of differs: no result, gradient or
            error, but at most time, memory or what is redundant.
    """

    text: str
    equivalent: bool


def read(path: Path) -> dict[Key, Reason]:
    """The reasons by :attr:`Mutant.key`.

    Raises:
        ValueError: an entry that is not whole, or one mutant twice.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if set(document) - {"survivors"}:
        raise ValueError(f"{path.name}: expected [[survivors]] only, received {sorted(document)}")
    found: dict[Key, Reason] = {}
    for number, entry in enumerate(document.get("survivors", []), 1):
        _check(f"{path.name}: entry {number}", entry)
        for old, new in entry["changes"]:
            key = (entry["file"], entry["function"], old, new)
            if key in found:
                raise ValueError(f"{path.name}: expected each mutant once, received {key} twice")
            found[key] = Reason(entry["reason"], entry["equivalent"])
    return found


def _check(where: str, entry: Mapping[str, Any]) -> None:
    if set(entry) != set(FIELDS):
        raise ValueError(f"{where}: expected {sorted(FIELDS)}, received {sorted(entry)}")
    for name, kind in FIELDS.items():
        if not isinstance(entry[name], kind):
            raise ValueError(f"{where}: expected {name} to be {kind.__name__}")
    if not entry["reason"].strip():
        raise ValueError(f"{where}: expected a reason, received none")
    pairs = [
        isinstance(pair, list) and [type(x) for x in pair] == [str, str]
        for pair in entry["changes"]
    ]
    if not pairs or not all(pairs):
        raise ValueError(f"{where}: expected changes to be pairs of texts, old and new")


def stale(
    reasons: Mapping[Key, Reason],
    all_mutants: Iterable[Mutant],
    caught: Mapping[Key, Optional[str]],
) -> list[str]:
    """What is wrong with the reasons, one line each.

    Args:
        reasons: by key.
        all_mutants: every mutant that there is.
        caught: for each key that was run, the check that caught all its mutants, or ``None``.
    """
    known = {mutant.key for mutant in all_mutants}
    found = []
    for key in reasons:
        if key not in known:
            found.append(f"there is no such mutant: {shown(key)}")
        elif caught.get(key) is not None:
            found.append(f"caught by {caught[key]}: {shown(key)}")
    return found


def shown(key: Key) -> str:
    """A key in one line."""
    file, function, old, new = key
    return f"{file}, {function or 'module'}: {old} -> {new}"
