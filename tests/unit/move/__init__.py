"""Sessions on their way, without a server: what servers say is written down beforehand (scripted.py)."""
