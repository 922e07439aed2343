"""Tests of memrep/daemon/; what spans several modules says so in its first line."""
