"""Tests of memrep/protocol/; what spans several modules says so in its first line."""
