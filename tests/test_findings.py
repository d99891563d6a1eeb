"""Reports as files: what was written is read, anything else is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase, mock

from parameterized import parameterized

from conformance.checks import FAIL, KNOWN, VERDICTS
from conformance.findings import Report, Stale, hashes, write_text
from tests.reports import finding, report

FULL = report(
    finding("soft_margin/at_0/float32/value", distance=0.25, ratio=0.125, histogram=(3, 1)),
    finding(
        "soft_margin/at_0/float32/gradient",
        FAIL,
        "C2",
        text="expected “-½”",
        distance=math.inf,
        ratio=math.inf,
        input="x=nan",
        inputs="x=[nan]",
        expected="0",
        received="nan",
        script="print()\n",
        seconds=0.5,
    ),
    finding("soft_margin/defaults/pickle", KNOWN, "layers", entry="no_pickle"),
    seed=3,
    whole=False,
    stale=[Stale("gone", "soft_margin/*", "2 pass")],
    broken=[("worker", "died")],
    register=[{"id": "no_pickle", "reason": "none"}],
    environment={"python": "3.11"},
    hashes={"suite": "ab"},
    seconds=1.5,
)


class Files(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "report.json")

    def test_what_was_written_is_read(self) -> None:
        FULL.write(self.path)
        self.assertEqual(Report.read(self.path), FULL)

    def test_the_schema_is_named(self) -> None:
        FULL.write(self.path)
        self.assertEqual(json.loads(self.path.read_text(encoding="utf-8"))["schema"], 1)

    def test_other_readers_of_json_can_read_it(self) -> None:
        FULL.write(self.path)
        text = self.path.read_text(encoding="utf-8")
        stored = json.loads(text, parse_constant=self.fail)["findings"][1]
        self.assertEqual((stored["distance"], stored["ratio"]), ("inf", "inf"))

    @parameterized.expand([(0,), (2,), ("1",), (None,)])
    def test_another_schema_is_refused(self, schema: object) -> None:
        FULL.write(self.path)
        document = json.loads(self.path.read_text(encoding="utf-8"))
        self.path.write_text(json.dumps({**document, "schema": schema}), encoding="utf-8")
        with self.assertRaisesRegex(ValueError, f"expected .* schema 1, received {schema!r}"):
            Report.read(self.path)

    @parameterized.expand([("[]",), ("{}",), ("3",), ("",), ('{"schema": 1',)])
    def test_what_is_no_report_is_refused(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")
        with self.assertRaises(ValueError):
            Report.read(self.path)

    @parameterized.expand([("write_text", OSError), ("replace", KeyboardInterrupt)])
    def test_an_interrupted_write_leaves_the_old_file(
        self, step: str, interruption: type[BaseException]
    ) -> None:
        write_text(self.path, "old")
        with (
            mock.patch.object(Path, step, side_effect=interruption),
            self.assertRaises(interruption),
        ):
            FULL.write(self.path)
        self.assertEqual(self.path.read_text(encoding="utf-8"), "old")
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["report.json"])


class Counts(TestCase):
    def test_scores_count_what_says_so_or_not_apart_for_drop_in(self) -> None:
        names = [f"soft_margin/row_{n}/float32/value" for n in range(len(VERDICTS))]
        found = [finding(name, verdict) for name, verdict in zip(names, VERDICTS)]
        dropped = finding("soft_margin/row/float32/drop_in", KNOWN, "drop-in")
        made = report(*found, dropped)
        self.assertEqual(made.score(drop_in=False), (1, 3))
        self.assertEqual(made.score(drop_in=True), (0, 1))
        self.assertEqual([made.count(verdict) for verdict in VERDICTS], [1, 2, 1, 1, 1, 1])

    def test_everything_that_is_wrong_is_a_failure(self) -> None:
        self.assertEqual(FULL.failures, 3)

    def test_hashes_are_of_both_parts(self) -> None:
        found = hashes()
        self.assertEqual(set(found), {"suite", "goldens"})
        self.assertEqual({len(digest) for digest in found.values()}, {64})
