"""The same with django-redis: `from .django_redis_settings import *` at the end of settings.py.

Install django-redis; what else to do stands in memrep_settings.py, which this replaces.
"""

from memrep_redis import OPTIONS

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://memrep:6379",
        # Deliberately not there: IGNORE_EXCEPTIONS. It turns every failure into "no such session".
        "OPTIONS": {"CONNECTION_POOL_KWARGS": OPTIONS},
    },
}

SESSION_ENGINE = "memrep_sessions"
SESSION_CACHE_ALIAS = "default"
