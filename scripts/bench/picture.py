"""The benchmark as a picture: what a step takes, loss by loss, at its large size."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

LARGE = {1: (2**20,), 2: (4096, 1000)}
"""The size that is shown, by the number of axes."""
COLORS = {
    "fused": "#1b7f5c",
    "composed": "#8fc7b0",
    "paddle.nn": "#3b6fb6",
    "torch": "#d9822b",
    "torch.compile": "#a85a9e",
    "limit": "#444444",
}


def draw(steps: Mapping[str, Mapping[str, float]], names: Sequence[str], title: str) -> str:
    """The picture as SVG, which needs matplotlib.

    Args:
        steps: the microseconds of a step by loss and contender.
        names: the contenders in their order.
        title: what was measured.
    """
    import matplotlib as mpl

    mpl.use("svg")
    # No random ids and no date: the same numbers are the same bytes.
    mpl.rcParams.update({"svg.hashsalt": "paddle_margin", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.55 * len(steps) + 1.5), layout="constrained")
    for index, name in enumerate(names):
        places = [row for row, stem in enumerate(steps) if name in steps[stem]]
        times = [steps[stem][name] for stem in steps if name in steps[stem]]
        heights = [row + 0.8 * (index - (len(names) - 1) / 2) / len(names) for row in places]
        _bars(axes, heights, times, 0.8 / len(names), name)
    axes.set_yticks(range(len(steps)), [stem.replace("_", " ") for stem in steps])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("µs of a step, forward and backward; shorter is faster")
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()


def _bars(axes: Any, places: list[float], times: list[float], height: float, name: str) -> None:
    axes.barh(places, times, height=height, color=COLORS[name], label=name)
