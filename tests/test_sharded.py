"""Clause C7: what is wrong on sharded tensors is caught, what is right or refused passes."""

from __future__ import annotations

import unittest
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from parameterized import parameterized

from conformance import sharded
from conformance.cases import all_losses
from conformance.checks import CONFORMANT, FAIL, Verdict
from conformance.implementation import load

LOSSES = all_losses()
STEM = "hinge_embedding"
OURS = "tests.implementations.hinge"
EXPECTED = [
    ("paddle_margin.nn", CONFORMANT, ""),
    (f"{OURS}:refuses_shards", CONFORMANT, ""),
    (f"{OURS}:correct", FAIL, "_mean/float32 sharded along axis 0: expected"),
    (f"{OURS}:dies_on_shards", FAIL, "SIGSEGV"),
]


class TestSharded(unittest.TestCase):
    found: dict[str, Future[Verdict]]

    @classmethod
    def setUpClass(cls) -> None:
        # Most of a run is waiting for its processes to start.
        with ThreadPoolExecutor() as pool:
            cls.found = {
                name: pool.submit(sharded.run, load(name, list(LOSSES.values())), LOSSES[STEM])
                for name, *_ in EXPECTED
            }

    @parameterized.expand(EXPECTED)
    def test_verdict(self, name: str, status: str, text: str) -> None:
        verdict = self.found[name].result()
        self.assertEqual(verdict.status, status, verdict)
        self.assertIn(text, verdict.text)

    @parameterized.expand([(stem,) for stem in LOSSES])
    def test_rows_have_every_reduction_and_shards_that_differ(self, stem: str) -> None:
        rows = sharded.rows(LOSSES[stem])
        self.assertEqual({dtype for _, dtype in rows}, {"float32", "float64"})
        self.assertEqual({case.options["reduction"] for case, _ in rows}, {"none", "mean", "sum"})
        for samples in (7, 8):
            name = f"_of_{samples}_mean"
            case = next(case for case, _ in rows if case.id.endswith(name))
            shapes = [np.shape(getattr(value, "data", value)) for value in case.inputs.values()]
            self.assertIn((samples,), [shape[:1] for shape in shapes])


if __name__ == "__main__":
    unittest.main()
