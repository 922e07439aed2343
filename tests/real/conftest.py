"""What all tests with real programs have at hand."""

from .generation import debian_13, generation

__all__ = ["debian_13", "generation"]
