"""Tests of memrep/; what spans several modules says so in its first line."""
