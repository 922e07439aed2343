"""Conversations with memcached and Redis, written down, and held with them and with memrep."""
