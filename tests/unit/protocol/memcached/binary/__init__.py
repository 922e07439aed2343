"""Tests of memrep/protocol/memcached/binary/; what spans several modules says so in its first line."""
