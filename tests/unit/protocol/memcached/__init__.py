"""Tests of memrep/protocol/memcached/; what spans several modules says so in its first line."""
