"""``python -m paddle_margin``: the version, and which backend is in use and why."""

from __future__ import annotations

from paddle_margin import __version__, _backend

if __name__ == "__main__":
    print(f"paddle_margin {__version__}")
    print(f"backend: {_backend.explain()}")
