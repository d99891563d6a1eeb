"""The one requirement that pip cannot install for everybody: a Paddle for this machine."""

from __future__ import annotations

import importlib
import re

_MISSING = """paddle_margin needs PaddlePaddle {version} or later, which is not installed.
  CPU:  pip install paddlepaddle
  GPU:  pip install paddlepaddle-gpu   (choose the build for your CUDA version)
paddle_margin 需要 PaddlePaddle {version} 或更高版本,当前环境尚未安装。
  CPU 版: pip install paddlepaddle
  GPU 版: pip install paddlepaddle-gpu   (请选择与 CUDA 版本对应的安装包)"""

_TOO_OLD = """Expected PaddlePaddle {version} or later, received {installed}. Upgrade it:
  CPU:  pip install --upgrade paddlepaddle
  GPU:  pip install --upgrade paddlepaddle-gpu
需要 PaddlePaddle {version} 或更高版本,当前版本为 {installed},请升级后再使用。"""


def paddle_at_least(version: str) -> None:
    """Check that Paddle can be imported and is recent enough.

    Args:
        version: the oldest release that serves, as ``"major.minor"``.

    Raises:
        ImportError: Paddle is missing, or older than ``version``.
    """
    try:
        paddle = importlib.import_module("paddle")
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise
        raise ImportError(_MISSING.format(version=version)) from None
    installed = getattr(paddle, "__version__", None)
    if installed is None:  # a folder named paddle, not the package
        raise ImportError(_MISSING.format(version=version))
    if release(installed) < release(version) and not _is_development_build(installed):
        raise ImportError(_TOO_OLD.format(version=version, installed=installed))


def release(version: str) -> tuple[int, ...]:
    """The major and the minor number of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _is_development_build(version: str) -> bool:
    return version.startswith("0.0.0")
