"""The planted errors of the kernels: each can be planted, and one is found."""

from __future__ import annotations

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import TestCase

import kernel_mutants
from parameterized import parameterized

from paddle_margin._kernels import library

ENTRY = """
[[plants]]
id = "a"
wrong = "b"
loss = "hinge_embedding"
changes = [["run.c", "old", "new"]]
"""


class TestPlants(TestCase):
    def test_each_text_is_there_once_and_not_after_the_change(self) -> None:
        plants = kernel_mutants.read(kernel_mutants.PLANTS)
        self.assertGreater(len(plants), 10)
        for each in plants:
            with self.subTest(each.id), tempfile.TemporaryDirectory() as folder:
                kernel_mutants.plant(each, Path(folder))

    def test_a_text_that_is_not_there_once_is_refused(self) -> None:
        plant = kernel_mutants.read(kernel_mutants.PLANTS)[0]
        for old, count in (("no such text", 0), ("int64_t", 4)):
            wrong = replace(plant, changes=(("rowwise.h", old, ""),))
            expected = self.assertRaisesRegex(ValueError, f"once, received {count} times")
            with tempfile.TemporaryDirectory() as folder, expected:
                kernel_mutants.plant(wrong, Path(folder))

    @parameterized.expand(
        [
            ("field", ENTRY.replace('wrong = "b"\n', ""), "wrong"),
            ("unknown", ENTRY + 'because = "so"\n', "because"),
            ("loss", ENTRY.replace("hinge", "hing"), "a loss's stem"),
            ("twice", ENTRY + ENTRY, "a new id"),
        ]
    )
    def test_an_entry_that_is_not_whole_is_refused(self, name: str, text: str, match: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "plants.toml")
            path.write_text(text, encoding="utf-8")
            with self.assertRaisesRegex(ValueError, match):
                kernel_mutants.read(path)

    @unittest.skipIf(library.problem, library.problem)
    def test_a_shut_kink_is_compiled_and_found(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            plants = {each.id: each for each in kernel_mutants.read(kernel_mutants.PLANTS)}
            kernel_mutants.plant(plants["shut_kink"], Path(folder))
            built = kernel_mutants.build(Path(folder))
            count, first = kernel_mutants.by_suite(built, "quick", "hinge_embedding/at_the_kink")
        self.assertGreater(count, 0)
        self.assertTrue(first.startswith("hinge_embedding/at_the_kink/"), first)
