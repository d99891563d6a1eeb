"""The margin losses of PaddlePaddle: Paddle's names, the formula's values, torch's conventions.

``paddle_margin.nn`` and ``paddle_margin.nn.functional`` stand in for ``paddle.nn`` and
``paddle.nn.functional`` where a model uses one of these losses.
"""

from paddle_margin import _require
from paddle_margin._version import __version__ as __version__

_require.paddle_at_least("3.1")

from paddle_margin import _backend, nn  # noqa: E402  (Paddle is checked first)
from paddle_margin._backend import get_backend, set_backend  # noqa: E402

_backend.start()

__all__ = ["get_backend", "nn", "set_backend"]
