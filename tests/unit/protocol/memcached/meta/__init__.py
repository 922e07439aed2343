"""Tests of memrep/protocol/memcached/meta/; what spans several modules says so in its first line."""
