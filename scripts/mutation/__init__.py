"""Breaks the library one place at a time, and sees whether the suite notices."""
