"""Django's cached sessions, without taking a failure for "no such session". Goes beside settings.py.

Django's own take every error of the cache for one, and delete the visitor's cookie. Here it is what it is, an
error: a page with status 500 when no node answers at all, and the session stays.
"""

from django.contrib.sessions.backends import cache
from django.core.cache.backends.base import InvalidCacheKey


class SessionStore(cache.SessionStore):
    def load(self):
        try:
            session = self._cache.get(self.cache_key)
        except InvalidCacheKey:  # somebody made the cookie up
            session = None
        return self._found(session)

    async def aload(self):
        try:
            session = await self._cache.aget(await self.acache_key())
        except InvalidCacheKey:
            session = None
        return self._found(session)

    def _found(self, session):
        if session is None:
            self._session_key = None
            return {}
        return session
