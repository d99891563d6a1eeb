"""The version, readable without Paddle."""

__version__ = "0.1.0"
