"""Tests of memrep/protocol/resp/; what spans several modules says so in its first line."""
