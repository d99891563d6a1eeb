"""The margin losses of PaddlePaddle: Paddle's names, the formula's values, torch's conventions.

``paddle_margin.nn`` and ``paddle_margin.nn.functional`` stand in for ``paddle.nn`` and
``paddle.nn.functional`` where a model uses one of these losses.
"""

from paddle_margin import _require
from paddle_margin._version import __version__ as __version__

_require.paddle_at_least("3.1")

from paddle_margin import _backend, _pages, nn  # noqa: E402  (Paddle is checked first)
from paddle_margin._backend import get_backend, set_backend  # noqa: E402
from paddle_margin._pages import keep_freed_memory, set_page_limit  # noqa: E402

_backend.start()
_pages.start()

__all__ = ["get_backend", "keep_freed_memory", "nn", "set_backend", "set_page_limit"]
