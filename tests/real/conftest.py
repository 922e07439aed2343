"""What all tests with real programs have at hand."""

from .generation import generation

__all__ = ["generation"]
