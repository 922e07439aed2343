"""Tests of memrep/replication/; what spans several modules says so in its first line."""
