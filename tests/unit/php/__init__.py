"""Tests of memrep/php/; what spans several modules says so in its first line."""
