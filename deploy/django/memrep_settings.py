"""Django's sessions in memrep: `from .memrep_settings import *` at the end of settings.py.

Install pymemcache, put memrep_cache.py and memrep_sessions.py beside this file, and write your project's package
before their names, as in "mysite.memrep_sessions".
"""

CACHES = {
    "default": {
        "BACKEND": "memrep_cache.MemrepCache",
        # All nodes, in any order: pymemcache finds the same one for a key on every web server.
        "LOCATION": ["10.1.1.1:11211", "10.2.2.2:11211", "10.3.3.3:11211"],
        "OPTIONS": {
            # Leave a node out at its first failure. With the default of 2, pymemcache answers for a second,
            # WITHOUT ASKING ANYBODY, that the key is not there: "no such session".
            "retry_attempts": 0,
            # Seconds until it is looked for again by what is no request; a request leaves a node out only for
            # itself. With the default of 60, a worker that sees three nodes replaced within a minute has left
            # out all of them, and says "All servers seem to be down" though all serve.
            "dead_timeout": 5,
            # Seconds. The default is to wait for ever for a machine without power, which cannot refuse.
            "connect_timeout": 0.3,
            # Seconds. The default is to wait for ever for a frozen node. Not below 1: memrep may need 0.8 s
            # once, when a peer has just died, and a shorter patience gives up all living nodes in that moment.
            "timeout": 1,
            # Deliberately not there: ignore_exc. It turns every failure into "no such session".
        },
    },
}

# Sessions in memrep alone. (Beyond that, cached_db writes every session to the database, too.)
SESSION_ENGINE = "memrep_sessions"
SESSION_CACHE_ALIAS = "default"
