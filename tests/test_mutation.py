"""The mutants, the reasons for survivors, the children that judge, and one small run."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

import mutation_score
import pages
from mutation import children, mutants, plan, survivors
from parameterized import parameterized

from conformance.cases import all_losses

ROOT = Path(__file__).parents[1]

# operator, a line as it is, the same line as each mutant has it
OPERATORS = [
    ("comparison", "a < b", {"a <= b", "a >= b"}),
    ("comparison", "a == b", {"a != b"}),
    ("comparison", "x is not None", {"x is None"}),
    ("comparison", "(a) not in (b)", {"(a) in (b)"}),
    ("comparison", "0 < x <= n", {"0 <= x <= n", "0 >= x <= n", "0 < x < n", "0 < x > n"}),
    ("arithmetic", "a - b", {"a + b"}),
    ("arithmetic", "(a) * (b)", {"(a) / (b)"}),
    ("arithmetic", "size += 1", {"size -= 1"}),
    ("unary", "y = -x", {"y = x"}),
    ("unary", "y = not (a and b)", {"y = (a and b)"}),
    ("boolean", "a and b", {"a or b"}),
    ("boolean", "band or land", {"band and land"}),
    ("operand", "a or b or c", {"b or c", "a or c", "a or b"}),
    ("condition", "y = a if f(x) else b", {"y = a if not f(x) else b"}),
    ("condition", "y = a if x > 0 else b", set()),
    ("number", "x = 1", {"x = 2", "x = 0"}),
    ("number", "x = 0", {"x = 1"}),
    ("number", "x = 1e-12", {"x = 2e-12"}),
    ("number", "x = 0.0", {"x = 1.0"}),
    ("constant", "x = True", {"x = False"}),
    ("constant", "f(None)", {"f(0)"}),
    ("constant", "x is None", set()),
    ("string", 'x = "mean"', {'x = "sum"'}),
    ("string", 'x = "float64"', {'x = "float32"'}),
    ("string", 'x = "label"', {'x = "mutant"'}),
    ("string", 'x = "at least 0"', set()),
    ("dtype", "x = paddle.int64", {"x = paddle.int32"}),
    ("function", "paddle.sum(x, axis=-1)", {"paddle.mean(x, axis=-1)"}),
    ("function", "maximum(a, b)", {"minimum(a, b)"}),
    ("name", "raise ValueError(x)", {"raise TypeError(x)"}),
    ("call", 'y = x.cast("float64")', {"y = x"}),
    ("call", "y = paddle.abs(a - b)", {"y = (a - b)"}),
    ("call", "y = where(c, a, b)", {"y = a", "y = b"}),
    ("call", "y = logical_and(a, b)", {"y = a", "y = b"}),
    ("call", "check(x)", set()),
    ("call", "y = tuple(x)", set()),
    ("call", "y = MappingProxyType(x)", set()),
    ("arguments", "f(a, b)", {"f(b, a)"}),
    ("arguments", "f(a, 1)", set()),
    ("arguments", "where(c, a, f(b))", {"where(c, f(b), a)"}),
    ("arguments", "maximum(a, b)", set()),
    ("arguments", "product_error(a, b, c)", set()),
    ("keyword", "f(a, axis=1, keep=2)", {"f(a, keep=2)", "f(a, axis=1)"}),
    ("keyword", 'torch_names(a="b")', {"torch_names()", 'torch_names(mutant="b")'}),
    ("keyword", "warn(x, stacklevel=2)", set()),
    ("element", "x = (a, b, c)", {"x = (b, c)", "x = (a, c)", "x = (a, b)"}),
    ("element", "x = (a, b)", {"x = (b,)", "x = (a,)"}),
    ("element", "x, y = a, b", set()),
    ("statement", "check(x)", {"pass"}),
    ("statement", "raise error", {"pass"}),
    ("statement", "self.margin = margin", {"pass"}),
]
FUNCTION = '''\
@torch_names(target="label")
def loss(input: Tensor, label: Tensor, margin: Any = 1.0, name: Optional[str] = None) -> Tensor:
    """Of a "mean" and 1."""
    label = label.cast("int64")
    if label is None:
        return input
    raise ValueError(f"expected 1, received {label + 1}")
'''
OF_FUNCTION = [
    ("decorator", "@torch_names", "#"),
    ("parameters", "input: Tensor, label: Tensor,", "label: Tensor, input: Tensor,"),
    (
        "parameters",
        "margin: Any = 1.0, name: Optional[str] = None)",
        "name: Optional[str] = None, margin: Any = 1.0)",
    ),
    ("statement", "return input", "pass"),
    ("statement", 'label = label.cast("int64")', "pass"),
    ("number", "margin: Any = 1.0", "margin: Any = 2.0"),
]
ENTRY = """
[[survivors]]
file = "a.py"
function = "f"
equivalent = true
reason = "x is 0 there"
changes = [["x + y", "x - y"]]
"""


def made(text: str, operator: str = "") -> list[mutants.Mutant]:
    """The mutants of a text, by one operator or all."""
    found = mutants.mutants(text, "a.py")
    return [each for each in found if operator in ("", each.operator)]


def mutant(old: str, new: str) -> mutants.Mutant:
    """A mutant of ``f`` in ``a.py``."""
    return mutants.Mutant("a.py", "arithmetic", "f", (1, 1), old, new, new)


def reasons(text: str) -> dict[survivors.Key, survivors.Reason]:
    """The reasons that a file of this text gives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "survivors.toml")
        path.write_text(text, encoding="utf-8")
        return survivors.read(path)


class TestMutants(TestCase):
    @parameterized.expand(OPERATORS)
    def test_each_operator(self, operator: str, line: str, expected: set[str]) -> None:
        found = made(f"{line}\n", operator)
        self.assertEqual({each.text.rstrip("\n") for each in found}, expected)
        self.assertLessEqual({each.old for each in found}, {line})
        self.assertEqual({each.new for each in found}, expected)

    @parameterized.expand(OF_FUNCTION)
    def test_each_operator_on_a_function(self, operator: str, old: str, new: str) -> None:
        texts = [each.text for each in made(FUNCTION, operator)]
        self.assertTrue(any(old in FUNCTION and old not in t and new in t for t in texts), texts)

    def test_every_operator_is_shown_above(self) -> None:
        shown = {operator for operator, *_ in [*OPERATORS, *OF_FUNCTION]}
        self.assertEqual(shown, set(mutants.OPERATORS))

    def test_documentation_types_and_messages_stay(self) -> None:
        for each in made(FUNCTION):
            ast.parse(each.text)
            self.assertIn('"""Of a "mean" and 1."""', each.text)
            message = 'Error(f"expected 1, received {label + 1}")'
            self.assertTrue(message in each.text or each.new == "pass", each.text)
            self.assertIn("Optional[str]", each.text)
        self.assertEqual(made('__all__ = ["a"]\nfrom a import b\nT = TypeVar("T")\n'), [])

    def test_the_line_the_function_and_the_place_are_named(self) -> None:
        text = (
            "class A:\n    def f(self):\n        y = (\n            x\n            + 1\n        )\n"
        )
        found = made(text, "arithmetic")[0]
        self.assertEqual(found.key, ("a.py", "A.f", "+ 1", "- 1"))
        self.assertEqual(found.lines, (3, 6))

    def test_bytes_before_a_place_do_not_move_it(self) -> None:
        self.assertEqual(made('x = "‖ ‖" + y\n', "arithmetic")[0].text, 'x = "‖ ‖" - y\n')

    def test_the_files_of_the_library_give_hundreds_all_different(self) -> None:
        every = []
        for file in mutation_score.files().values():
            text = (mutation_score.PACKAGE / file).read_text(encoding="utf-8")
            every += mutants.mutants(text, file)
            self.assertNotIn(text, [each.text for each in every])
        self.assertGreater(len(every), 300)
        self.assertEqual(max(Counter((each.file, each.text) for each in every).values()), 1)

    def test_a_sample_takes_as_much_of_each_file_and_repeats_itself(self) -> None:
        by_file = [[mutant(str(n), f"{f}") for n in range(9)] for f in range(3)]
        found = mutation_score.chosen(by_file, 6, seed=1)
        self.assertEqual(Counter(each.new for each in found), {"0": 2, "1": 2, "2": 2})
        self.assertEqual(found, mutation_score.chosen(by_file, 6, seed=1))
        self.assertNotEqual(found, mutation_score.chosen(by_file, 6, seed=2))
        self.assertEqual(len(mutation_score.chosen(by_file, None, seed=1)), 27)


class TestSurvivors(TestCase):
    def test_a_reason_belongs_to_a_mutant(self) -> None:
        found = reasons(ENTRY)
        self.assertEqual(found[mutant("x + y", "x - y").key].text, "x is 0 there")
        self.assertEqual(survivors.stale(found, [mutant("x + y", "x - y")], {}), [])

    @parameterized.expand(
        [
            ("field", ENTRY.replace('function = "f"\n', ""), "function"),
            ("unknown", ENTRY + 'because = "so"\n', "because"),
            ("kind", ENTRY.replace("true", '"yes"'), "equivalent to be bool"),
            ("reason", ENTRY.replace("x is 0 there", " "), "a reason"),
            ("changes", ENTRY.replace('[["x + y", "x - y"]]', '["x + y"]'), "pairs"),
            ("none", ENTRY.replace('[["x + y", "x - y"]]', "[]"), "pairs"),
            ("twice", ENTRY + ENTRY, "twice"),
            ("table", "[[survivor]]\n", "survivor"),
        ]
    )
    def test_an_entry_that_is_not_whole_is_refused(self, name: str, text: str, match: str) -> None:
        with self.assertRaisesRegex(ValueError, match):
            reasons(text)

    def test_a_reason_for_no_mutant_and_for_a_caught_one_is_an_error(self) -> None:
        found, known = reasons(ENTRY), mutant("x + y", "x - y")
        self.assertIn("no such mutant", survivors.stale(found, [], {})[0])
        self.assertIn("caught by h/r/v", survivors.stale(found, [known], {known.key: "h/r/v"})[0])
        self.assertEqual(survivors.stale(found, [known], {known.key: None}), [])

    def test_the_reasons_of_the_library_are_of_its_mutants(self) -> None:
        every = []
        for file in mutation_score.files().values():
            text = (mutation_score.PACKAGE / file).read_text(encoding="utf-8")
            every += mutants.mutants(text, file)
        self.assertEqual(survivors.stale(survivors.read(survivors.DEFAULT), every, {}), [])


FILE = "_losses/hinge_embedding.py"
AT_CALL, AT_FORMULA, AT_GRADIENT, NOWHERE = (1, 2), (3, 3), (4, 4), (5, 5)
LINES = """\
if (
    _fused.serves(input)):
    loss = margin - x
    gradient = -1
    pass
"""


class TestPlan(TestCase):
    def setUp(self) -> None:
        loss = all_losses()["hinge_embedding"]
        loss = replace(loss, cases=loss.cases[:1], layers=())
        unit = f"hinge_embedding/{loss.cases[0].id}/float32"
        lines = {"fused": (1, 2, 4), "composed": (1, 2, 3)}
        reaches = {
            (loss.stem, name): plan.Reach(
                (), {plan.IMPORT: frozenset(), unit: frozenset((FILE, n) for n in own)}
            )
            for name, own in lines.items()
        }
        self.plan = plan.Plan([loss], reaches, {FILE: LINES})

    @parameterized.expand(
        [
            ("call", AT_CALL, ["fused", "composed"], True),
            ("formula", AT_FORMULA, ["composed"], False),
            ("gradient", AT_GRADIENT, ["fused"], True),
            ("nowhere", NOWHERE, [], False),
        ]
    )
    def test_a_mutant_meets_the_backends_that_reach_it(
        self, name: str, lines: tuple[int, int], backends: list[str], tests: bool
    ) -> None:
        found = self.plan.steps(mutants.Mutant(FILE, "arithmetic", "f", lines, "a", "b", "b"))
        rows = [step for step in found.suite if step.check.name == "value"]
        self.assertEqual([step.backend for step in rows], backends)
        self.assertEqual(found.tests, tests)

    def test_a_graph_and_a_signature_are_alike_under_both(self) -> None:
        found = self.plan.steps(mutants.Mutant(FILE, "arithmetic", "f", AT_CALL, "a", "b", "b"))
        names = Counter(step.check.name for step in found.suite)
        self.assertEqual((names["signature"], names["to_static_sot"], names["value"]), (2, 1, 2))


class TestChildren(TestCase):
    def test_results_crashes_and_silence(self) -> None:
        def work(task: str, say: children.Say) -> str:
            say(f"began {task}")
            print("not seen")
            if task == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if task == "hangs":
                time.sleep(60)
            return task.upper()

        with patch.object(children, "PATIENCE", 1.0):
            found = dict(children.run(["works", "dies", "hangs"], work, 2))
        self.assertEqual((found["works"].result, found["works"].failure), ("WORKS", ""))
        self.assertEqual((found["dies"].failure, found["dies"].last), ("crash", "began dies"))
        self.assertEqual((found["hangs"].failure, found["hangs"].last), ("time-out", "began hangs"))

    def test_an_error_of_the_work_itself_is_no_result(self) -> None:
        def work(task: int, say: children.Say) -> float:
            return 1 / task

        with self.assertRaisesRegex(RuntimeError, "ZeroDivisionError"):
            list(children.run([0], work, 1))


class TestPages(TestCase):
    def test_a_part_is_replaced_and_the_rest_stays(self) -> None:
        page = "a\n<!-- t -->\nold\n<!-- end of t -->\nb\n"
        self.assertEqual(pages.with_part(page, "t", r"\1"), page.replace("old", r"\1"))

    def test_a_page_without_the_part_is_refused(self) -> None:
        with self.assertRaisesRegex(SystemExit, "<!-- t -->"):
            pages.with_part("a", "t", "b")


SMALL = """
import sys
from dataclasses import replace
from unittest.mock import patch
import mutation_score as score
from conformance.cases import all_losses
from mutation.mutants import Mutant

loss = all_losses()["hinge_embedding"]
small = {loss.stem: replace(loss, cases=loss.cases[:3], layers=())}
file = "_losses/hinge_embedding.py"
text = (score.PACKAGE / file).read_text(encoding="utf-8")
wrong = text.replace("- x)", "+ x)")
same = text.replace("x + hinge", "hinge + x")
made = [Mutant(file, "test", "f", (1, 200), "old", t[0], t) for t in (wrong, same)]
assert text not in (wrong, same)
score.AT_LEAST = 50.0
given = ["--only", "hinge_embedding", "--jobs", "2", *sys.argv[1:]]
with patch.multiple(score, all_losses=lambda: small, mutants=lambda *_: made):
    raise SystemExit(score.main(given))
"""


class TestRun(TestCase):
    def test_one_mutant_is_caught_and_one_survives(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "found.json")
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", SMALL, "--json", str(path)],
                env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}"},
                capture_output=True,
                text=True,
                timeout=240,
            )
            self.assertEqual(done.returncode, 1, done.stderr)
            text = path.read_text(encoding="utf-8")
        self.assertIn("1 of 2 mutants caught, 50.0 %", done.stdout)
        self.assertIn("survives: _losses/hinge_embedding.py:1 f", done.stdout)
        self.assertIn('"caught_by": "value"', text)
