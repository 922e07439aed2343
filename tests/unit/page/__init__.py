"""Tests of memrep/page/; what it looks like in a browser is tested in tests/real/test_front_page.py."""
