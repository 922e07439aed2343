"""Tests of memrep/engine/; what spans several modules says so in its first line."""
