"""Tests of memrep/node/; what spans several modules says so in its first line."""
