"""Tests of memrep/replication/membership/; what spans several modules says so in its first line."""
