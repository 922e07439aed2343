"""Where sessions are looked for that are not here, and as what they are kept when they come (`--fallback`).

    FROM [as=HANDLER] [prefix=TEXT] [from-prefix=TEXT] [lifetime=S] [within=S] [user=NAME] [password-file=FILE]

FROM and the words mean what they do to `memrep import`. Only what PHP calls a session is ever looked for: the
name becomes that of a file, or a word of a command, and nothing else may.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

import msgspec

from memrep.errors import UsageError
from memrep.handlers.forms import ID, LARAVEL, PREFIXES, Form, converted, form_of
from memrep.handlers.item import Item, LeftOut
from memrep.handlers.places import Place, parse_place
from memrep.protocol.resp.databases import ALL

#: session.gc_maxlifetime, if php.ini does not set it, s.
LIFETIME_S: Final = 1_440

#: For how long whoever asks for a session waits for the old store at most, s, unless told otherwise; and how
#: long that may be: pecl-memcache gives a node up after a second.
WITHIN_S: Final = 0.2
_WITHIN_MIN_S: Final = 0.02
_WITHIN_MAX_S: Final = 0.8

_LIFETIME_MAX_S: Final = 31_536_000

#: Without a prefix a key is taken for a session if it is as long as those that PHP makes (sid_length).
_NAME_MIN: Final = 22

_HANDLERS: Final = ("files", "laravel-files", "memcache", "memcached", "redis")
#: How a handler locks a session: what stands between its prefix and name, and behind.
_LOCKS: Final = {
    "memcache": (b"", b".lock"),
    "memcached": (b"lock.", b""),
    "redis": (b"", b"_LOCK"),
}
_WORD: Final = re.compile(r"(as|prefix|from-prefix|lifetime|within|user|password-file)=(.*)")
_ANY_WORD: Final = re.compile(r"[a-z-]+=")
_DIRECTORY: Final = re.compile(r"(?:([0-8]);)?(?:[0-7]+;)?(/.*)")


class OldStore(msgspec.Struct, frozen=True, kw_only=True):
    """Where sessions are looked for that are not here.

    Attributes:
        place: where; its servers,
        before: and what they are called there.
        to: what they are called here.
        database: which of Redis' databases they are kept in, here as there.
        lifetime_s: how long one lives of which the place does not tell that.
        within_s: for how long whoever asks waits at most.
        depth: how many directories deep files are.
        password_file: where the password is, which is not there itself yet; "" for none.
    """

    place: Place
    before: Form
    to: Form
    database: int = 0
    lifetime_s: float = LIFETIME_S
    within_s: float = WITHIN_S
    depth: int = 0
    user: str = ""
    password_file: str = ""

    def name(self, stored: bytes) -> bytes | None:
        """Return PHP's name for the session that has this key in the store; None if it is no session's."""
        key = ALL[self.database].named(stored)
        name = None if key is None else self.to.name(key)
        if name is None or not ID.fullmatch(name) or (not self.to.prefix and len(name) < _NAME_MIN):
            return None
        return name

    def path(self, name: bytes) -> str:
        """Return where the file of this session is."""
        text = name.decode()
        before = "" if self.place.handler == "laravel-files" else "sess_"
        return str(PurePosixPath(self.place.path, *text[: self.depth], before + text))

    def lock(self, name: bytes) -> bytes:
        """Return the key by which this session is locked at its servers."""
        before, behind = _LOCKS[self.before.handler]
        return self.before.prefix + before + name + behind

    def taken(self, item: Item) -> Item | LeftOut:
        """Return a session that was found there as it is kept here."""
        return converted(item, self.place.handler, self.to)

    def with_password(self, password: str) -> OldStore:
        """Return the same with the password that its servers want."""
        proof = {"user": self.user, "password": password}
        servers = tuple(msgspec.structs.replace(server, **proof) for server in self.place.servers)
        return msgspec.structs.replace(self, place=msgspec.structs.replace(self.place, servers=servers))

    def __str__(self) -> str:
        return ", ".join(map(str, self.place.servers)) or self.place.path


def parse_old_store(text: str) -> OldStore:
    """Read what `--fallback` says.

    Raises:
        UsageError: it has a mistake.
    """
    words = text.split()
    given = {found[1]: found[2] for word in words if (found := _WORD.fullmatch(word))}
    unknown = [word for word in words if _ANY_WORD.match(word) and not _WORD.fullmatch(word)]
    if unknown:
        raise UsageError(f"--fallback: nobody knows {unknown[0]!r}; docs/moving.md has all words")
    place = parse_place(" ".join(word for word in words if not _WORD.fullmatch(word)))
    if place.handler not in _HANDLERS:
        raise UsageError(f"--fallback: {place.handler} cannot be asked for one session; use `memrep import`")
    if any(server.password for server in place.servers):
        raise UsageError("--fallback: everybody would see the password; write password-file=FILE in its place")
    depth = 0
    if not place.servers:
        found = _DIRECTORY.fullmatch(place.path)
        if found is None:
            raise UsageError(
                f"--fallback: {place.path!r} is no save_path of files; write /var/lib/php/sessions"
            )
        depth, place = int(found[1] or 0), Place(place.handler, path=found[2])
    before, to = _forms(place, given)
    is_redis = place.handler == to.handler == "redis"
    database = place.servers[0].database if is_redis else 0
    if database >= len(ALL):
        raise UsageError(f"--fallback: a node has {len(ALL)} databases, and none of number {database}")
    return OldStore(
        place=place,
        before=before,
        to=to,
        database=database,
        lifetime_s=_seconds(given, "lifetime", LIFETIME_S, 1, _LIFETIME_MAX_S),
        within_s=_seconds(given, "within", WITHIN_S, _WITHIN_MIN_S, _WITHIN_MAX_S),
        depth=depth,
        user=given.get("user", ""),
        password_file=given.get("password-file", ""),
    )


def _forms(place: Place, given: dict[str, str]) -> tuple[Form, Form]:
    """Return what sessions are called there, and here."""
    handler = given.get("as", place.handler)
    if handler not in (*PREFIXES, LARAVEL):
        raise UsageError(
            f"--fallback: say what reads the sessions in memrep, as={' or as='.join((*PREFIXES, LARAVEL))}"
        )
    if handler == LARAVEL and "prefix" not in given:
        raise UsageError("--fallback: as=laravel takes prefix=, REDIS_PREFIX and CACHE_PREFIX (docs/moving.md)")
    own = next((server.prefix for server in place.servers if server.prefix), None)
    before = form_of(place.handler, given.get("from-prefix", own))
    if handler == place.handler and "prefix" not in given:
        return before, before
    return before, form_of(handler, given.get("prefix"))


def _seconds(given: dict[str, str], word: str, usual: float, least: float, most: float) -> float:
    text = given.get(word)
    if text is None:
        return usual
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= most:
        raise UsageError(f"--fallback: {word}={text} must be from {least:g} to {most:g} seconds")
    return seconds
