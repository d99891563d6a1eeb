"""What is timed: each loss on its sizes, as NumPy arrays, and how many bytes it must move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ELEMENTS = (32, 2**10, 2**16, 2**20, 2**24)
CLASSES = ((32, 10), (128, 100), (4096, 1000), (64, 100_000))
QUICK = ((2**10,), (2**20,), (128, 100), (4096, 1000))
"""The sizes of a quick run, and 32 elements of hinge."""
TARGETS = 3
"""Labels of each row of multi_label_margin."""

ELEMENTWISE = ("hinge_embedding", "margin_ranking", "soft_margin")
ROWWISE = (
    "multi_margin",
    "multi_label_margin",
    "multi_label_soft_margin",
    "cosine_embedding",
    "triplet_margin",
    "triplet_margin_with_distance",
)
FORWARD, BOTH = "forward", "forward and backward"
PASSES = (FORWARD, BOTH)


@dataclass(frozen=True)
class Case:
    """One loss on one size.

    Args:
        stem: the loss.
        shape: of its inputs.
    """

    stem: str
    shape: tuple[int, ...]

    @property
    def size(self) -> str:
        """The shape as text."""
        return " × ".join(f"{number:,}" for number in self.shape)

    def arrays(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The inputs, which have gradients, and the labels."""
        rng = np.random.default_rng(sum(self.shape))
        rows = self.shape[0]
        if self.stem == "triplet_margin_with_distance":
            # What follows the distance, which is the caller's: of the columns' first.
            return [rng.random(self.shape, np.float32) for _ in range(3)], []
        count = {"margin_ranking": 2, "cosine_embedding": 2, "triplet_margin": 3}.get(self.stem, 1)
        inputs = [rng.standard_normal(self.shape, np.float32) for _ in range(count)]
        return inputs, self._labels(rng, rows)

    def _labels(self, rng: Any, rows: int) -> list[np.ndarray]:
        signs = (rows,) if self.stem == "cosine_embedding" else self.shape
        if self.stem == "triplet_margin":
            return []
        if self.stem == "multi_margin":
            return [rng.integers(0, self.shape[1], rows)]
        if self.stem == "multi_label_margin":
            label = np.full(self.shape, -1)
            label[:, :TARGETS] = np.stack(
                [rng.choice(self.shape[1], TARGETS, replace=False) for _ in range(rows)]
            )
            return [label]
        if self.stem == "multi_label_soft_margin":
            return [rng.integers(0, 2, self.shape).astype(np.float32)]
        return [2 * rng.integers(0, 2, signs).astype(np.float32) - 1]

    def traffic(self, which: str) -> tuple[int, int]:
        """The bytes that must be read and written."""
        inputs, labels = self.arrays()
        read = sum(array.nbytes for array in (*inputs, *labels))
        return read, 0 if which == FORWARD else sum(array.nbytes for array in inputs)


def cases(quick: bool, only: list[str]) -> list[Case]:
    """All cases, or those of a quick run; of some losses where these are named."""
    found = [Case(stem, (size,)) for stem in ELEMENTWISE for size in ELEMENTS]
    found += [Case(stem, shape) for stem in ROWWISE for shape in CLASSES]
    if quick:
        found = [case for case in found if case.shape in QUICK or case == found[0]]
    return [case for case in found if not only or case.stem in only]
