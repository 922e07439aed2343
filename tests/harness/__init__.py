"""What tests of memrep without I/O are built of: a lone node, a few nodes joined, an engine, certificates."""
