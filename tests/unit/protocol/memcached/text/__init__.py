"""Tests of memrep/protocol/memcached/text/; what spans several modules says so in its first line."""
