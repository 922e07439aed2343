"""What memcached says of a command that it refuses, where several rooms of the text protocol say so.

What only one room says stands there. And who is refused without a word: a browser can be made to send a
request of HTTP to any port that it reaches, from inside the firewall, with a body that is commands. So the
connection ends at the first line that tells; of the body nothing is executed.
"""

from __future__ import annotations

from typing import Final

ERROR: Final = b"ERROR\r\n"
BAD_LINE: Final = b"CLIENT_ERROR bad command line format\r\n"
BAD_EXPTIME: Final = b"CLIENT_ERROR invalid exptime argument\r\n"
NO_NUMBER: Final = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
OUT_OF_MEMORY: Final = b"SERVER_ERROR out of memory storing object\r\n"


def speaks_http(words: list[bytes]) -> bool:
    """Tell whether a line that is no command is HTTP's: the first of a request, or one that names a host."""
    names_host = b"".join(words[:1])[:5].lower() == b"host:"
    return names_host or any(word.startswith(b"HTTP/") for word in words)
