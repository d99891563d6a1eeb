"""The text of an issue for the project that a registered difference belongs to."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, Optional

from conformance import findings, register, reproduce, torch_reference
from conformance.arguments import Tensor, arguments
from conformance.case import FLOAT_DTYPES, Case, LayerState
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import FAIL, RANDOM, SHARDED, Check, Found, Verdict, checks_of
from conformance.implementation import Implementation, UsageError, load

TELLING = (
    *("value", "exact", "layer", "gradient", "printed", "second_gradient", "shape", "dtype"),
    *("state_dict", "extra_repr", "pickle", "deepcopy", "signature", "error", "error_layer"),
    *("unchanged", "warning", "saved", "inference", "program", "to_static_ast", "to_static_sot"),
    *("saved_batch", "program_batch", "to_static_ast_batch", "torch", "error_program"),
    *(RANDOM, SHARDED),
)
"""Properties that a script can show, the most telling first."""
TRIED = 16
"""How many checks are made to find the one that shows most."""
SECONDS = 120
"""How long the script may take."""
SOURCES = {
    "(formula": "the documented formula, evaluated in multiprecision on these inputs: {formula}",
    "torch": "torch {torch}",
    "(by hand)": "arithmetic by hand",
    "one process": "the same call on one process",
    "(eager)": "the same call, eagerly",
    "eager's": "the same call, eagerly",
    "the function": "the function, which the layer stands for",
    "Error`": "a wrong value or shape should raise `ValueError`, a wrong type `TypeError`",
    "`UserWarning`": "a result larger than every input is more often an accident than meant",
    "Warning`": "Python's category for spellings that are on their way out",
    "no warning": "nothing in these arguments is outdated or in doubt",
}
"""What an expectation rests on, by what its text contains."""
REPORT = """\
# {title}

{reason}

## Versions

{versions}

## To reproduce

```python
{script}```

## Expected

{expected}

Source: {source}.

## Actual

What this script gave:

```text
{actual}
```

{more}"""


def issue(entry_id: str, path: Path = register.DEFAULT) -> str:
    """A self-contained issue text in Markdown, with what its script gives now.

    Args:
        entry_id: the id of an entry of the register.
        path: the register.

    Raises:
        UsageError: there is no such entry, or it does not occur in what is installed.
    """
    table = next((table for table in register.tables(path) if table["id"] == entry_id), None)
    if table is None:
        raise UsageError(f"report-upstream {entry_id}: no such entry; --list prints their ids")
    made = load(table["implementation"], list(all_losses().values()))
    entries = register.read(path, made.name, made.version, made.paddle)
    entry = next((entry for entry in entries.entries if entry.id == entry_id), None)
    if entry is None:
        spoken, version = f"{made.name} {table['versions']}", made.version
        if "paddle" in table:
            spoken, version = f"Paddle {table['paddle']}", made.paddle
        raise UsageError(
            f"report-upstream {entry_id}: it speaks of {spoken}, installed is {version}"
        )
    check, verdict, script = _shown(candidates(entries, entry), made, entry_id)
    expected = _expected(check, verdict)
    return REPORT.format(
        title=f"{_subject(check, made)}: {entry.reason.partition(': ')[0].rstrip('.')}",
        reason=entry.reason,
        versions=_versions(made),
        script=script,
        expected=expected,
        source=_source(check, expected),
        actual=received(script),
        more=_more(entry),
    )


def listing(path: Path = register.DEFAULT) -> str:
    """The ids of a register, a line each, with whose difference it is and what it is."""
    return "".join(
        f"{table['id']}  {table['implementation']}  {table['reason'].partition(': ')[0]}\n"
        for table in register.tables(path)
    )


def _versions(made: Implementation) -> str:
    """What is installed, as far as it matters."""
    wanted = ("python", "platform", "numpy", "torch" if made.kind == "torch" else "paddlepaddle")
    installed = findings.environment()
    return "\n".join(f"- {name} {installed[name]}" for name in wanted if name in installed)


def candidates(entries: register.Register, entry: register.Entry) -> list[Check]:
    """The checks of an entry that a script can show, those first that show most for least."""
    own = register.Register([entry])
    found = [
        check
        for loss in all_losses().values()
        for check in checks_of(loss, "exhaustive")
        if check.name in TELLING and own.entry(check.id) and entries.entry(check.id) is entry
    ]
    return sorted(found, key=lambda check: (*_kind(check), _size(check), check.id))


def _kind(check: Check) -> tuple[int, int]:
    """How telling the property and the dtype are; float32 is what people use."""
    dtypes = ("", "float32", *(dtype for dtype in FLOAT_DTYPES if dtype != "float32"))
    return TELLING.index(check.name), dtypes.index(check.dtype)


def _size(check: Check) -> int:
    """How many elements its tensors have; those of no element show least."""
    if not isinstance(check.row, Case):
        return 0
    inputs, options = arguments(check.loss, check.row, check.dtype)
    given = [v.values.size for v in {**inputs, **options}.values() if isinstance(v, Tensor)]
    return sum(given) if all(given) else sys.maxsize


def _shown(
    candidates: Sequence[Check], made: Implementation, entry_id: str
) -> tuple[Check, Verdict, str]:
    """The check whose error is largest, what it found, and a script of it."""
    best: Optional[tuple[Any, Check, Verdict, str]] = None
    tried = 0
    for check in candidates:
        if tried == TRIED or (best is not None and _kind(check) != _kind(best[1])):
            break
        checker = Checker(made, False, [check])
        verdict = checker.run(check)
        checker.close()
        if isinstance(verdict, Found) and verdict.case is not None:
            check = Check(check.loss, verdict.case, check.dtype or verdict.dtype, verdict.name)
        script = _script(check, made)
        if verdict.status != FAIL or not script:
            continue
        tried += 1
        measure = verdict.measure
        is_finite = not re.search(r"(expected|received) -?(inf|nan)", verdict.text)
        rank = (is_finite, measure.ratio if measure else 0.0, -_size(check))
        if best is None or rank > best[0]:
            best = rank, check, verdict, script
    if best is None:
        raise UsageError(f"report-upstream {entry_id}: none of its checks fails here")
    return best[1:]


def _script(check: Check, made: Implementation) -> str:
    """The script of a check; none where it is of more than one call, or cannot be written."""
    several = isinstance(check.row, str) and check.name in (RANDOM, SHARDED)
    try:
        return "" if several else reproduce.of_check(check, made)
    except UsageError:
        return ""


def _subject(check: Check, made: Implementation) -> str:
    """The function or layer that the issue is about."""
    of_layer = not isinstance(check.row, Case) or check.name in ("layer", "error_layer")
    if of_layer and check.row != "function":
        return f"{made.name}.{check.loss.layer}"
    return made.function_path(check.loss).replace(": ", ".functional.")


def _expected(check: Check, verdict: Verdict) -> str:
    """What is expected, as the suite says it; of an error no more than any project would."""
    row = check.row
    if isinstance(row, Case) and check.name == "warning":
        return f"a `{row.warns.__name__}`" if row.warns else "no warning"
    if isinstance(row, Case) and row.raises is not None:
        kind = row.raises.kind.__name__
        return f"`{kind}` with a message that says what was expected and what was received"
    return re.sub(r"^(\w+: |.* axis \d: )?expected ", "", verdict.text.partition(", received")[0])


def _source(check: Check, expected: str) -> str:
    """Who says what is expected."""
    if check.name == "printed":
        return "the documentation's own example"
    found = next((text for key, text in SOURCES.items() if key in expected), None)
    if found is None and isinstance(check.row, LayerState):
        return "the options and tensors that the layer was made with"
    if found is None:
        return f"the documented formula, which these arguments fit: {check.loss.documentation}"
    return found.format(formula=check.loss.documentation, torch=_torch(check))


def _torch(check: Check) -> str:
    """What torch gave, as it is recorded."""
    assert isinstance(check.row, Case)
    answer = torch_reference.recorded(check.loss, check.row, check.dtype)
    if isinstance(answer, torch_reference.NotRecorded):
        return answer.reason
    gradients = "".join(f", gradient of {k} {v.tolist()}" for k, v in answer.gradients.items())
    return f"{answer.version} gives {answer.value.tolist()}{gradients}"


def received(script: str) -> str:
    """What a script prints or raises, run by itself.

    Args:
        script: Python's text.

    Raises:
        UsageError: it does not end.
    """
    # The implementation may be a module of the folder that this runs in.
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    settings = {"PYTHONPATH": path, "GLOG_minloglevel": "3", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        file = Path(folder, "issue.py")
        file.write_text(script, encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, str(file)],
                cwd=folder,
                env={**os.environ, **settings},
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise UsageError(f"report-upstream: the script took more than {SECONDS} s") from None
    return "\n".join([*done.stdout.rstrip().splitlines(), *_raised(done.stderr)])


def _raised(text: str) -> Iterable[str]:
    """The script's own line that raised and the error, without the calls between them."""
    lines = text.rstrip().splitlines()
    starts = [n for n, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)]
    if not starts:
        return []
    own = [n for n, line in enumerate(lines) if "issue.py" in line and "<module>" in line]
    return [*(f"raised by: {lines[n + 1].strip()}" for n in own[:1]), *lines[starts[-1] :]]


def _more(entry: register.Entry) -> str:
    """Other numbers, and what was said before."""
    parts = [f"Measured: {entry.measured}\n"] if entry.measured else []
    parts += [f"Related: {entry.link}\n"] if entry.link else []
    return "\n".join(parts)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        raise UsageError(message)


def main(argv: Sequence[str]) -> int:
    """Run ``python -m conformance report-upstream``."""
    parser = _Parser(prog="python -m conformance report-upstream", allow_abbrev=False)
    parser.add_argument("id", nargs="?", metavar="ID", help="of an entry of the register")
    parser.add_argument("--list", action="store_true", help="print the ids")
    parser.add_argument("--register", type=Path, default=register.DEFAULT, metavar="FILE")
    try:
        options = parser.parse_args(argv)
        if not options.list and options.id is None:
            parser.error("report-upstream: expected an ID or --list, received neither")
        path = options.register
        print(listing(path) if options.list else issue(options.id, path), end="")
    except UsageError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    return 0
