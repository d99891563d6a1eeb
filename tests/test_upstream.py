"""Issue texts for registered differences: complete, and true where they are written."""

from __future__ import annotations

import contextlib
import io
import unittest
import unittest.mock

from parameterized import parameterized

from conformance import register, upstream
from conformance.implementation import UsageError


def printed(*arguments: str) -> tuple[int, str, str]:
    """What the command prints, and its exit status."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = upstream.main(arguments)
    return status, out.getvalue(), err.getvalue()


class TestUpstream(unittest.TestCase):
    def test_lists_every_entry(self):
        status, out, _ = printed("--list")
        self.assertEqual(status, 0)
        ids = [line.split()[0] for line in out.splitlines()]
        self.assertEqual(ids, [table["id"] for table in register.tables(register.DEFAULT)])

    @parameterized.expand(
        [
            ((), "neither"),
            (("no_such_entry",), "no_such_entry"),
            (("--bad",), "--bad"),
            (("tensors_are_not_pickled",), "installed is 3.3"),
            (("kink", "--register", "no_such_file"), "no_such_file"),
        ]
    )
    def test_bad_usage_is_one_line(self, arguments, text):
        status, out, err = printed(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(text, err)

    @parameterized.expand(
        [
            ("weight_not_in_state_dict", "the names ['weight']", "received []"),
            ("zero_d", "shape [] (formula)", "received value [1]"),
            ("distance_function_ignored", "the function", "received Tensor"),
            ("unbatched", "a tensor", "IndexError: list index out of range"),
            ("mean_of_the_shards_means", "0.24177369", "sharded along axis 0, [0.2468106"),
        ]
    )
    def test_an_issue_is_self_contained(self, entry_id, expected, received):
        text = upstream.issue(entry_id)
        parts = text.split("\n## ")
        titles = [part.splitlines()[0] for part in parts[1:]]
        self.assertEqual(titles, ["Versions", "To reproduce", "Expected", "Actual"])
        self.assertTrue(parts[0].startswith("# paddle.nn."), parts[0])
        self.assertIn("paddlepaddle 3.", parts[1])
        self.assertNotIn("conformance", parts[2])
        self.assertIn(expected, parts[3])
        self.assertIn(received, parts[4])

    def test_a_script_that_does_not_end_is_refused(self):
        refused = self.assertRaisesRegex(UsageError, "more than 0.5 s")
        with unittest.mock.patch.object(upstream, "SECONDS", 0.5), refused:
            upstream.received("while True: pass")

    def test_an_error_is_shown_without_its_calls(self):
        script = "print(1)\ndef f():\n    raise ValueError('wrong:\\n  here')\nf()\n"
        self.assertEqual(upstream.received(script), "1\nraised by: f()\nValueError: wrong:\n  here")


if __name__ == "__main__":
    unittest.main()
