"""One of two processes of ``test_sharded.py``: compares sharded tensors with whole ones.

Run by the test with Paddle's environment variables for two trainers on this machine. Prints one
line a comparison, and ``done`` at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import paddle
import paddle.distributed as dist

import paddle_margin.nn.functional as F

Row = tuple[str, Callable[..., Any], list[np.ndarray], int, dict[str, Any]]
CLASSES = 5


def rows(samples: int, dtype: str) -> Iterator[Row]:
    """Name, function, inputs, how many of them ask for a gradient, options."""
    rng = np.random.default_rng(samples)
    a, b, c = rng.standard_normal((3, samples, CLASSES)).astype(dtype)
    sign = rng.choice([-1, 1], (samples, CLASSES)).astype(dtype)
    labels = rng.integers(0, CLASSES, samples)
    weight = rng.random(CLASSES).astype(dtype)
    yield "hinge_embedding", F.hinge_embedding_loss, [a, sign], 1, {}
    yield "margin_ranking", F.margin_ranking_loss, [a, b, sign], 2, {"margin": 0.5}
    yield "soft_margin", F.soft_margin_loss, [a, sign], 1, {}
    yield "multi_margin", F.multi_margin_loss, [a, labels], 1, {}
    yield "multi_margin_p2", F.multi_margin_loss, [a, labels], 1, {"p": 2}
    yield "multi_label_soft_margin", F.multi_label_soft_margin_loss, [a, sign > 0], 1, {}
    yield "cosine_embedding", F.cosine_embedding_loss, [a, b, sign[:, 0]], 2, {"margin": 0.1}
    for p in (1, 1.5, 2, float("inf")):
        options = {"p": p, "swap": True}
        yield f"triplet_margin_p{p}", F.triplet_margin_loss, [a, b, c], 3, options
    yield "triplet_margin_with_distance", F.triplet_margin_with_distance_loss, [a, b, c], 3, {}
    yield "weighted", _weighted, [a, labels, weight], 1, {}


def _weighted(
    input: paddle.Tensor, label: paddle.Tensor, weight: paddle.Tensor, reduction: str
) -> paddle.Tensor:
    return F.multi_margin_loss(input, label, weight=weight, reduction=reduction)


def shard(array: np.ndarray, axis: int, mesh: Any, gradient: bool) -> paddle.Tensor:
    """Shard along ``axis`` where the array has it and the mesh's size fits in."""
    fits = axis < array.ndim and array.shape[axis] > 1
    placement = dist.Shard(axis) if fits else dist.Replicate()
    return dist.shard_tensor(paddle.to_tensor(array, stop_gradient=not gradient), mesh, [placement])


def compare(row: Row, axis: int, reduction: str, mesh: Any) -> str:
    """``ok``, or what differs between the sharded and the whole computation."""
    _, function, arrays, differentiable, options = row
    whole = [paddle.to_tensor(x, stop_gradient=i >= differentiable) for i, x in enumerate(arrays)]
    parts = [shard(x, axis, mesh, i < differentiable) for i, x in enumerate(arrays)]
    expected = function(*whole, reduction=reduction, **options)
    received = function(*parts, reduction=reduction, **options)
    pairs = [("value", received, expected)]
    gradients = paddle.grad(expected.sum(), whole[:differentiable])
    sharded = paddle.grad(received.sum(), parts[:differentiable])
    pairs += [("gradient", got, want) for got, want in zip(sharded, gradients)]
    tolerance = 4 * np.finfo(arrays[0].dtype).eps
    for quantity, got, want in pairs:
        got, want = dist.unshard_dtensor(got).numpy(), want.numpy()
        if not np.allclose(got, want, rtol=tolerance, atol=tolerance):
            return f"{quantity}: expected {want.tolist()}, received {got.tolist()}"
    return "ok"


def refused(mesh: Any) -> str:
    """``ok`` where multi-label margin names the reason why it takes no DistTensor."""
    input = shard(np.zeros((8, CLASSES), "float32"), 0, mesh, True)
    label = shard(np.full((8, CLASSES), -1), 0, mesh, False)
    try:
        F.multi_label_margin_loss(input, label)
    except ValueError as error:
        return "ok" if "DistTensor" in str(error) else str(error)
    return "no error"


def main() -> None:
    dist.init_parallel_env()
    mesh = dist.ProcessMesh([0, 1], dim_names=["data"])
    for samples in (8, 7):
        for dtype in ("float32", "float64"):
            for row in rows(samples, dtype):
                for axis in (0, 1):
                    for reduction in ("none", "mean", "sum"):
                        result = compare(row, axis, reduction, mesh)
                        print(f"{row[0]} {samples} {dtype} {axis} {reduction}: {result}")
    print(f"multi_label_margin: {refused(mesh)}")
    print("done")


if __name__ == "__main__":
    main()
