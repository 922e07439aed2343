"""Django's cache over pymemcache, made to go to the next node when one fails. Goes beside settings.py.

pymemcache's HashClient leaves a failed node out of its ring, but not before it has raised the error, which would
log the visitor out although memrep has the session. Asked again, the ring without the node answers. All nodes
hold the same, so any of them may.
"""

from django.core.cache import close_caches
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
