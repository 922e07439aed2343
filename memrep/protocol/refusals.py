"""What memcached says of a command that it refuses, where several rooms of the text protocol say so.

What only one room says stands there.
"""

from __future__ import annotations

from typing import Final

ERROR: Final = b"ERROR\r\n"
BAD_LINE: Final = b"CLIENT_ERROR bad command line format\r\n"
BAD_EXPTIME: Final = b"CLIENT_ERROR invalid exptime argument\r\n"
NO_NUMBER: Final = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
OUT_OF_MEMORY: Final = b"SERVER_ERROR out of memory storing object\r\n"
