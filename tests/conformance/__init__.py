"""Conversations with memcached, written down, and held with memcached itself and with memrep."""
