"""Django's cache and cached sessions, made to go to the next node when one fails. Goes beside settings.py.

Two things would log visitors out although memrep has their sessions:

- pymemcache's HashClient leaves a failed node out of its ring, but not before it has raised the error. Asked
  again, the ring without the node answers. All nodes hold the same, so any of them may.
- Django's cached sessions take every error of the cache for "no such session" and delete the visitor's cookie.
  Here it is what it is, an error: a page with status 500 when no node answers at all, and the session stays.
"""

from django.contrib.sessions.backends import cache
from django.core.cache import close_caches
from django.core.cache.backends.base import InvalidCacheKey
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.signals import request_started
from django.utils.functional import cached_property
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheUnexpectedCloseError


class MemrepCache(PyMemcacheCache):
    @cached_property
    def _cache(self):
        ring = self._class(self.client_servers, **self._options)
        # Every node once, and one of them twice: it may hang up first and refuse then.
        return RetryingClient(
            ring,
            attempts=len(self.client_servers) + 1,
            retry_for=[OSError, MemcacheUnexpectedCloseError],
        )

    def close(self, **kwargs):
        super().close(**kwargs)
        self.__dict__.pop("_cache", None)


# Each request gives every node a new chance. Django closes the caches when a request has ended well, but not
# after one that failed so badly that its error page failed, too.
request_started.connect(close_caches)


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
