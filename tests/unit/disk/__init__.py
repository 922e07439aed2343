"""Tests of memrep/storage/; what spans several modules says so in its first line."""
