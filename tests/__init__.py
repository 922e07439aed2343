"""memrep's tests. Each module of memrep/ has its own here; what spans the rooms says so in its first line."""
