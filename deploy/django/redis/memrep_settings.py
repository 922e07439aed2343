"""Django's sessions in memrep, over redis-py: `from .memrep_settings import *` at the end of settings.py.

Install redis, put memrep_redis.py and memrep_sessions.py beside this file, and write your project's package
before their names, as in "mysite.memrep_sessions". All web servers know the nodes by the name memrep.
"""

from memrep_redis import OPTIONS

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        # One name, no list: of a list Django writes to the first one only, and reads from the others.
        "LOCATION": "redis://memrep:6379",
        "OPTIONS": OPTIONS,
    },
}

# Sessions in memrep alone. (Beyond that, cached_db writes every session to the database, too.)
SESSION_ENGINE = "memrep_sessions"
SESSION_CACHE_ALIAS = "default"
