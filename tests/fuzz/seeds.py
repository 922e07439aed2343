"""What the guided searches begin with: the transcripts' conversations, and the words that clients know."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.table import COMMANDS
from tests.conformance.placeholders import Known, Number, spell
from tests.conformance.servers import LOCKED, is_redis
from tests.conformance.transcript import Conversation, read_all
from tests.fuzz import grammar
from tests.fuzz.target import KINDS, LOGINS, port_of

#: Longer conversations say nothing that shorter ones do not.
_LENGTH_MAX: Final = 1_500

#: Modes (target.py) under which each is said; the last one takes its time.
_MODES: Final = (0, 12)
_SLOW_MODE: Final = 14
_SLOW_EVERY: Final = 8

_CUTS: Final = bytes([0, 64, 128, 250])

_WORDS: Final = """
get gets gat gats set add replace append prepend cas incr decr delete touch flush_all version verbosity noreply
mn mg ms md ma me quit stats shutdown user secret PLAIN a.lock memc.sess.key.x memc.sess.key.lock.x
b k v q c s t f I x u h l T0 N30 R10 C1 E9 D5 J7 F3 MI MD ME MA MP MR MS O1
"""

#: Arguments of Redis' commands; their names stand in memrep's own table.
_REDIS_WORDS: Final = """
NX XX GT LT EX PX EXAT PXAT KEEPTTL PERSIST GET MATCH COUNT TYPE AUTH SETNAME 0 1 -1 2 3 100 a b * ON OFF SKIP
default secret other pass:word message 9223372036854775807 a_LOCK web1|17
"""


def _kind(conversation: Conversation, talk: bytes) -> str:
    if is_redis(conversation.server):
        return "redislogin" if conversation.server in LOCKED else "redis"
    if conversation.server in LOCKED:
        return "login"
    return "binary" if talk.startswith(b"\x80") else "text"


def _talk(conversation: Conversation) -> bytes:
    """What its first client says; a number that a server would tell is 1."""
    rounds = [each for each in conversation.rounds if each.client == conversation.rounds[0].client]
    known = Known(int(time.time()))
    for part in (part for each in rounds for part in each.sends):
        if isinstance(part, Number):
            known.numbers[part.name] = 1
    return b"".join(spell(each.sends, known) for each in rounds)


def write_corpus(kind: str, folder: Path) -> int:
    """Write a search's first inputs into a folder; says how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for conversation in read_all():
        talk = _talk(conversation)
        if _kind(conversation, talk) == kind and len(talk) <= _LENGTH_MAX:
            modes = (*_MODES, _SLOW_MODE) if count % _SLOW_EVERY == 0 else _MODES
            for mode in modes if kind not in LOGINS else (0,):
                (folder / f"seed-{count:04}").write_bytes(bytes([mode]) + _CUTS + talk)
                count += 1
    for number in range(3 * len(KINDS[kind])):  # and some that the grammar is to be asked for
        data = bytes(byte * (number + 3) % 251 for byte in range(120))
        (folder / f"grammar-{number:02}").write_bytes(bytes([1 + 2 * number]) + _CUTS + data)
        count += 1
    return count


def write_words(kind: str, file: Path) -> None:
    """Write libFuzzer's dictionary."""
    words = _redis_words() if port_of(kind) == REDIS else _memcached_words()
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words]
    file.write_text("\n".join(lines) + "\n")


def _redis_words() -> list[bytes]:
    names = [*COMMANDS, *(name for each in COMMANDS.values() for name in each.subcommands)]
    words = [*names, *_REDIS_WORDS.encode().split()]
    return [b"*1\r\n", b"*2\r\n", b"*3\r\n", *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words), *names]


def _memcached_words() -> list[bytes]:
    words = [word.encode() for word in _WORDS.split()]
    words += [grammar.packet(opcode, b"a") for opcode in (0x00, 0x04, 0x0D, 0x14)]
    words += [grammar.packet(opcode, b"a", b"1", bytes(8)) for opcode in (0x01, 0x02, 0x11)]
    words += [grammar.packet(opcode, b"n", b"", bytes(20)) for opcode in (0x05, 0x16)]
    return [*words, *(bytes([0x80, opcode]) for opcode in range(0x25))]
