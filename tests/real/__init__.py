"""memrep under real clients: PHP's session handlers, PHP behind nginx, and pymemcache.

Everything here runs real processes on loopback: memrep daemons, php, php-fpm, nginx. Nothing is
replaced by a stand-in, because the promises are about what these programs make of our answers:
a reply that merely looks reasonable can still be an empty session to PHP. A test skips where a
program is not installed, and fails there when CI=true, so that a build cannot lose them silently.
"""
