"""The recorded answers of torch: found when damaged, never a pass when missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase, skipUnless

import numpy as np
from parameterized import parameterized

from conformance import torch_reference
from conformance.case import Case, Raises
from conformance.cases import all_losses
from conformance.cases.hinge_embedding import LOSS as HINGE
from conformance.torch_reference import GOLDENS, MANIFEST, NotRecorded, Recorded, recorded

ROOT = Path(__file__).resolve().parents[1]
ROW = next(case for case in HINGE.cases if case.id == "paddle_none")


class Damage(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for path in GOLDENS.iterdir():
            shutil.copy(path, self.folder)
        self.file = self.folder / "hinge_embedding.safetensors"

    def reason(self, case: Case = ROW) -> str:
        """Why the row is not recorded."""
        answer = recorded(HINGE, case, "float32", self.folder)
        self.assertIsInstance(answer, NotRecorded)
        assert isinstance(answer, NotRecorded)
        return answer.reason

    def test_an_intact_copy_is_read(self) -> None:
        self.assertIsInstance(recorded(HINGE, ROW, "float32", self.folder), Recorded)

    def test_a_flipped_bit_is_found(self) -> None:
        data = bytearray(self.file.read_bytes())
        data[-1] ^= 1
        self.file.write_bytes(data)
        with self.assertRaisesRegex(ValueError, "Expected .* with SHA-256 .*, received"):
            recorded(HINGE, ROW, "float32", self.folder)

    def test_a_missing_file_is_not_recorded(self) -> None:
        self.file.unlink()
        self.assertIn("no goldens of hinge_embedding", self.reason())

    def test_a_missing_manifest_is_not_recorded(self) -> None:
        (self.folder / MANIFEST).unlink()
        self.assertIn("no goldens of hinge_embedding", self.reason())

    def test_a_changed_row_is_not_compared_with_its_old_answer(self) -> None:
        changed = replace(ROW, options={**ROW.options, "margin": 2.0})
        self.assertIn("newer than the goldens", self.reason(changed))

    def test_a_new_row_is_not_recorded(self) -> None:
        self.assertIn("newer than the goldens", self.reason(replace(ROW, id="new")))

    def test_a_reason_of_the_row_comes_first(self) -> None:
        self.assertEqual(self.reason(replace(ROW, torch="C3: broken")), "C3: broken")

    def test_an_error_has_no_answer(self) -> None:
        row = replace(ROW, raises=Raises(ValueError, ()))
        self.assertEqual(self.reason(row), "the row is an error")


class Shipped(TestCase):
    def test_value_and_gradient_of_the_documented_example(self) -> None:
        answer = recorded(HINGE, ROW, "float32")
        assert isinstance(answer, Recorded)
        self.assertEqual(answer.dtype, "float32")
        self.assertEqual(answer.value.tolist(), [[0, -2, 0], [0, -1, 2], [1, 1, 1]])
        weights = [[1, -2, 0.5], [-1, 2, -0.5], [1, 1, -2]]
        slopes = np.array([[-1, 1, 0], [1, 1, 1], [1, -1, 1]])
        self.assertEqual(answer.gradients["input"].tolist(), (slopes * weights).tolist())

    @parameterized.expand([(stem,) for stem in all_losses()])
    def test_no_row_is_newer_than_the_goldens(self, stem: str) -> None:
        loss = all_losses()[stem]
        answers = [recorded(loss, row, dtype) for row in loss.cases for dtype in row.dtypes]
        stale = [a for a in answers if isinstance(a, NotRecorded) and "record_goldens" in a.reason]
        self.assertEqual(stale, [])
        self.assertTrue(any(isinstance(answer, Recorded) for answer in answers))

    def test_the_manifest_says_where_it_comes_from(self) -> None:
        manifest = json.loads((GOLDENS / MANIFEST).read_text(encoding="utf-8"))
        self.assertTrue(manifest["torch"].startswith("2.13"))
        self.assertEqual(set(manifest["losses"]), set(all_losses()))


class RoundTrip(TestCase):
    def test_bfloat16_travels_as_float32(self) -> None:
        answer = Recorded(np.array(0.5), "bfloat16", {"input": np.array([[0.25]])}, "2.13")
        tensors = torch_reference.packed(answer, "row/bfloat16")
        self.assertEqual({x.dtype.name for x in tensors.values()}, {"float32"})
        received = torch_reference.unpacked(tensors, "row/bfloat16", "2.13")
        self.assertEqual((received.dtype, received.value.shape), ("bfloat16", ()))
        self.assertEqual(received.gradients["input"].tolist(), [[0.25]])


@skipUnless(find_spec("torch"), "torch is not installed")
class Recording(TestCase):
    def test_live_answers_are_the_recorded_ones(self) -> None:
        answer = torch_reference.live(HINGE, ROW, "float32")
        old = recorded(HINGE, ROW, "float32")
        assert isinstance(answer, Recorded)
        assert isinstance(old, Recorded)
        self.assertEqual(answer.value.tolist(), old.value.tolist())
        self.assertEqual(answer.gradients["input"].tolist(), old.gradients["input"].tolist())

    def test_recording_again_gives_the_same_bytes(self) -> None:
        torch = torch_reference.framework()
        if torch_reference.manifest()["torch"] != torch.__version__:
            self.skipTest("the goldens are of another torch")
        script = [sys.executable, str(ROOT / "scripts" / "record_goldens.py"), "--check"]
        done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
