"""Benchmarks: what memrep costs beside its reference, measured in one run on one machine; and `make demo`."""
