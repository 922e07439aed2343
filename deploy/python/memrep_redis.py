"""How redis-py comes to the next node when one fails. Goes beside Django's settings.py, or beside a Flask app.

Given one name for all nodes redis-py tries its addresses in order, and goes on where one refuses. Two things it
does not do by itself:

- It does not say a command again that was on its way when its node died: not where it is given a URL or a pool,
  as Django and most programs do, and before redis-py 6 nowhere. Django's sessions take that for a logout.
- It does not leave a node that is frozen, whose port accepts and that says nothing. Said again, the command goes
  to the same address. Here the next one of the name is tried after a silence.
"""

import socket

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class NextNode(redis.Connection):
    """A connection to one of the addresses of a name: the first that accepts, beginning with the one in turn."""

    _turn = 0
    _at = 0

    def _connect(self):
        name = self.host
        addresses = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        refusal = None
        try:
            for i in range(self._turn, self._turn + len(addresses)):
                self._at = i % len(addresses)
                self.host = addresses[self._at][4][0]
                try:
                    return super()._connect()
                except OSError as error:
                    refusal = error
        finally:
            self.host = name
        raise refusal

    def read_response(self, *arguments, **options):
        try:
            return super().read_response(*arguments, **options)
        except redis.TimeoutError:
            self._turn = self._at + 1
            raise


OPTIONS = {
    "connection_class": NextNode,
    # Three times more, at once: the next address is another node. The second line is for redis-py 4 and 5.
    "retry": Retry(NoBackoff(), 3),
    "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    # Seconds. The default is to wait for ever for a machine without power, which cannot refuse.
    "socket_connect_timeout": 0.3,
    # Seconds. The default is to wait for ever for a frozen node. Not below 1: memrep may need 0.8 s once, when a
    # peer has just died.
    "socket_timeout": 1,
}
