"""What Redis' clients say: a grammar of the commands that memrep knows, mostly kept.

As with memcached's (grammar.py) the choices come from a source. A command is a shape, a line of words below:
what is in capitals is drawn, from few keys, so that commands meet, and from values, numbers and options that
have something to do with each other, so that many succeed. Now and then a word is lost, doubled or another
one. A command comes as an array of bulk strings, or as a line as people type it, in quotes where it must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.fuzz.grammar import ITEM_MAX, Source

#: Its words, in capitals what is drawn; `X*` is up to three of such.
_STRINGS: Final = """
get K | get K | set K V | set K V | set K V SET* | set K V SET* | setex K SEC V | psetex K MSEC V | setnx K V
getset K V | getdel K | getex K | getex K GETEX* | mget K K K | mset K V K V | msetnx K V K V | append K V
strlen K | getrange K N N | substr K N N | setrange K OFFSET V
"""
_NUMBERS: Final = """
incr K | incr K | decr K | incrby K N | decrby K N
incrbyfloat F FLOAT | incrbyfloat F FLOAT | set F FLOAT | get F | incr F | strlen F
"""
_KEYS: Final = """
del K | del K K | unlink K K | exists K K K | touch K K | type K | rename K K | renamenx K K | persist K
ttl K | pttl K | expire K SEC EXPIRE* | pexpire K MSEC EXPIRE* | expireat K AT EXPIRE*
pexpireat K MSAT EXPIRE*
expiretime K | pexpiretime K
"""
_DATABASES: Final = """
select DB | select DB | dbsize | keys PATTERN | scan 0 count 1000 | scan 0 match PATTERN count 1000
scan 0 count 1000 type TYPE | scan CURSOR SCAN* | flushdb | flushdb FLUSH | flushall | flushall FLUSH
"""
_TRANSACTIONS: Final = """
multi | multi | multi | exec | exec | exec | discard | watch K | watch K K | unwatch
"""
_SCRIPTS: Final = """
eval RELEASE 1 K V | eval RELEASE 1 K V | eval EXTEND 1 K V 100000 | eval RELEASE COUNT K V | eval LUA x K
evalsha SHA 1 K | script exists SHA | script load | script flush FLUSH
"""
_HANDSHAKE: Final = """
hello 3 | hello 2 | hello | hello VERSION HELLO* | auth PASSWORD | auth USER PASSWORD | ping | ping V | echo V
client setname NAME | client getname | client no-evict SWITCH | client reply REPLY
client reply REPLY | client unblock N | client kill type pubsub | reset | quit | readonly | readwrite | asking
"""
_PUBSUB: Final = """
subscribe CHANNEL | subscribe CHANNEL CHANNEL | psubscribe PATTERN | unsubscribe | unsubscribe CHANNEL CHANNEL
punsubscribe | punsubscribe PATTERN | publish CHANNEL V | publish CHANNEL V | publish CHANNEL V
pubsub channels | pubsub channels PATTERN | pubsub numsub CHANNEL CHANNEL | pubsub numpat
"""
_SERVER: Final = """
command getkeys get K | command getkeys mset K V K V | command foo | config get save | config get databases
config foo | config get | object foo K | object | memory foo | foo | foo V
latency foo | wait 0 N | role foo | client foo | client | script foo | pubsub foo
"""
#: What redis-server answers otherwise, for it tells of itself, or has Lua.
_OWN: Final = """
info | info INFO | client id | client info | client list | client list id N | client kill id N
client kill KILL* | client setinfo INFO NAME | client no-touch SWITCH | client help | command | command count
command info get K | command docs | command list | config get PATTERN | config resetstat | time | role
lastsave | lolwut version N | acl whoami | memory usage K | object idletime K | object freq K
object refcount K | object encoding K | randomkey | debug V | monitor | slowlog reset
slowlog len | slowlog get | latency latest | scan CURSOR | post / http | host: x
sentinel master NAME | sentinel masters | sentinel replicas NAME | sentinel sentinels NAME
sentinel get-master-addr-by-name NAME | cluster slots | cluster nodes | cluster info | cluster keyslot K
cluster shards | cluster myid | cluster countkeysinslot N | set LOCK OWNER nx px 100000 | set LOCK OWNER nx
eval RELEASE N K K V | eval EXTEND 1 K V MSEC
evalsha b70c2384248f88e6b75b9f89241a180f856ad852 1 LOCK OWNER
evalsha 1cac51482acf5858da00f6d685d68f886cd6b6b2 1 K V MSEC
evalsha 382a00f43d29409f9e1ebe2cbcfe1ec089f8d154 1 K V MSEC
evalsha a4e8783852e6b949f9ef3a97212805108459a890 1 K V MSEC N
evalsha 96da70f7716f27d278a5218544df37fd8b0a5e4c 2 K K V MSEC
evalsha aed6f382e410db8ba7926d4e5e9aab410bf2a78a 2 K K V MSEC
evalsha 420ca604de4310d8301943a71390ee669720d640 2 K K NAME SEC V
evalsha a08c9c69b7c07ae2485190873b90d128a23e502d 1 K V SEC
evalsha f4a7da3e5d8ea3b46642af08427151cae0190400 1 K N
incrbyfloat K 1e400 | incrbyfloat K 0x10
"""

_RELEASE: Final = (
    b'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end'
)
_EXTEND: Final = (
    b'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("pexpire",KEYS[1],ARGV[2]) '
    b"else return 0 end"
)

#: What is drawn, in order of how simple it is; an option with its argument is two words.
_DRAWN: Final[Mapping[bytes, Sequence[bytes]]] = {
    b"K": (
        b"a", b"b", b"c", b"dd", b"a", b"b", b"", b"a b", b"\xff\0\r\n", b"k" * 300, b"memc.sess.key.x",
        b"\n3 a",
        (b"\n3").ljust(251, b"\n"),
    ),
    b"F": (b"f", b"g"),
    b"V": (
        b"1", b"x", b"", b"-1", b"9223372036854775807", b"hello world", b"3.5", b"01", b" 1", b"a\r\nb", b"100",
        b"0", b"-9223372036854775808", b"1e3", b"\x00\xff", b"v" * (ITEM_MAX - 60),
    ),
    b"N": (
        b"1", b"0", b"-1", b"5", b"100", b"-100", b"x", b"9223372036854775807", b"9223372036854775808", b"",
        b"1.5", b"10000000000", b"-9223372036854775808", b"+1", b" 1",
    ),
    b"OFFSET": (b"0", b"1", b"5", b"30", b"-1", b"x", b"10000000000"),
    b"FLOAT": (b"1", b"0.5", b"-1.25", b"1e2", b"x", b"", b"nan", b"inf", b" 1", b"3.0", b"17.25"),
    b"SEC": (b"100", b"5000", b"100", b"0", b"-1", b"x", b"", b"99999999999", b"9223372036854775807"),
    b"MSEC": (b"100000", b"500000", b"100001", b"0", b"-100000", b"x", b"99999999999", b"9223372036854775807"),
    b"AT": (b"9999999999", b"100", b"0", b"-1", b"x", b"9223372036854775807", b"9223372036854776"),
    b"MSAT": (b"9999999999999", b"100", b"0", b"-1", b"x", b"9223372036854775807"),
    b"LATER": (b"9999999999999", b"0", b"-1", b"x"),  # of an earlier one DBSIZE tells
    b"DB": (b"0", b"0", b"3", b"15", b"16", b"-1", b"x", b"10000000000"),
    b"PATTERN": (
        b"*", b"a*", b"?", b"[a-c]", b"d?", b"[^a]", b"\\a", b"[a", b"", b"*a*b*", b"[c-a]", b"[\\a-b]", b"a\\",
    ),
    b"TYPE": (b"string", b"list", b"STRING", b"x"),
    b"CURSOR": (b"x", b"-1x", b"18446744073709551616", b"1.5"),
    b"FLUSH": (b"async", b"SYNC", b"foo"),
    b"RELEASE": (_RELEASE, _RELEASE.replace(b'"', b"'").replace(b" ", b"\n  ")),
    b"EXTEND": (_EXTEND,),
    b"LUA": (b"return 1", b""),
    b"COUNT": (b"5", b"-1", b"x"),
    b"SHA": (b"f" * 40, b"x", b"", b"F" * 40),
    b"VERSION": (b"3", b"2", b"4", b"x", b"", b"-3"),
    b"PASSWORD": (b"secret", b"wrong", b"pass:word", b""),
    b"USER": (b"default", b"other", b"nobody", b""),
    b"NAME": (b"me", b"", b"a b", b"x\n", b"mymaster", b"\xff"),
    b"SWITCH": (b"on", b"OFF", b"x"),
    b"REPLY": (b"on", b"off", b"skip", b"on", b"x"),
    b"CHANNEL": (b"a", b"b", b"ab", b"dd"),
    b"INFO": (b"all", b"server", b"keyspace", b"memory", b"everything", b"foo", b"lib-name", b"LIB-VER"),
    b"LOCK": (b"a_LOCK", b"b_LOCK"),
    b"OWNER": (b"web1|17", b"web2|18", b"x"),
}  # fmt: skip

_OPTIONS: Final[Mapping[bytes, Sequence[bytes]]] = {
    b"SET": (
        b"NX", b"XX", b"GET", b"KEEPTTL", b"EX SEC", b"PX MSEC", b"EXAT LATER", b"PXAT LATER", b"ex SEC",
        b"nx",
        b"foo", b"GT", b"EX",
    ),
    b"GETEX": (
        b"EX SEC", b"PX MSEC", b"EXAT AT", b"PXAT MSAT", b"PERSIST", b"persist", b"foo", b"EX", b"KEEPTTL",
    ),
    b"EXPIRE": (b"NX", b"xx", b"GT", b"LT", b"foo"),
    b"SCAN": (b"match PATTERN", b"count N", b"type TYPE", b"foo", b"MATCH"),
    b"HELLO": (b"auth USER PASSWORD", b"setname NAME", b"foo", b"AUTH USER", b"SETNAME"),
    b"KILL": (b"type pubsub", b"id N", b"user USER", b"skipme no", b"addr V", b"foo", b"TYPE"),
}  # fmt: skip


def _shapes(text: str) -> list[list[bytes]]:
    return [shape.encode().split() for line in text.strip().split("\n") for shape in line.split("|")]


#: What both servers know, and in which proportion it is said.
_COMPARED: Final = tuple(
    map(
        _shapes,
        (
            _STRINGS, _STRINGS, _STRINGS, _NUMBERS, _NUMBERS, _KEYS, _KEYS, _DATABASES, _TRANSACTIONS,
            _TRANSACTIONS, _SCRIPTS, _HANDSHAKE, _PUBSUB, _SERVER,
        ),
    )
)  # fmt: skip
_ALL: Final = (*_COMPARED, _shapes(_OWN), _shapes(_OWN))
_LOGINS: Final = (*map(_shapes, (_HANDSHAKE, _HANDSHAKE, _HANDSHAKE, _STRINGS, _TRANSACTIONS, _PUBSUB)),)

#: What is no command, and ends the connection.
BROKEN: Final = (
    b"*1\r\n+PING\r\n", b"*x\r\n", b"*1\r\n$-1\r\n", b'SET a "b\r\n', b"*1\r\n$999999999999\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n", b"*9999999999\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n", b"*1\r\n\r\n",
    b"*01\r\n", b"*1 \r\n", b"*+1\r\n", b"*1\r\n$+4\r\nPING\r\n", b"*1\r\n$04\r\nPING\r\n", b"SET a 'b'c\r\n",
    b"*2\r\n$3\r\nGET\r\n:1\r\n", b"*1\r\n$536870913\r\n", b"*99999999999999999999\r\n", b"ECHO 'a\\'\n",
)  # fmt: skip

#: What is no command either, and means nothing.
_NOTHING: Final = (b"\r\n", b"*0\r\n", b"*-1\r\n", b"\n", b"   \r\n", b"*-99\r\n")

#: Where one word more or less makes something else of the whole: a script without its key, a scan in pages, a
#: number of more digits than redis-server counts with, a wait without an end.
_AS_THEY_ARE: Final = frozenset([b"eval", b"scan", b"command", b"script", b"incrbyfloat", b"wait"])

_BLANKS: Final = frozenset(b" \t\n\v\f\r\0\"'")


def _drawn(source: Source, word: bytes) -> list[bytes]:
    """What a word of a shape stands for."""
    if word.endswith(b"*"):
        options = _OPTIONS[word[:-1]]
        chosen = [source.pick(options) for _ in range(source.number(0, 3))]
        return [each for option in chosen for part in option.split() for each in _drawn(source, part)]
    choices = _DRAWN.get(word)
    if choices is None:
        return [word]
    if word == b"V" and source.number(0, 7) == 7:
        return [source.some(12)]
    return [source.pick(choices)]


def _words(source: Source, groups: Sequence[Sequence[Sequence[bytes]]]) -> list[bytes]:
    shape = source.pick(source.pick(groups))
    words = [each for word in shape for each in _drawn(source, word)]
    if words[0] in _AS_THEY_ARE or b"F" in shape:
        return words
    match source.number(0, 39):
        case 39:
            words = words[: source.number(1, len(words))]
        case 38:
            words.append(source.pick(_DRAWN[b"N"]))
        case 37:
            words[source.number(0, len(words) - 1)] = source.pick(_DRAWN[b"V"])
        case 36:
            words[0] = words[0].upper()
        case 35:
            words[0] = words[0].capitalize()
    return words


def spelled(words: Sequence[bytes]) -> bytes:
    """As an array of bulk strings."""
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def typed(source: Source, words: Sequence[bytes]) -> bytes:
    """As a line that people type, which means the same words."""
    return b" ".join(_quoted(source, word) for word in words) + source.pick((b"\r\n", b"\n"))


def _quoted(source: Source, word: bytes) -> bytes:
    plain = bool(word) and not _BLANKS & set(word) and word[:1] != b"*"
    match source.number(0, 2) if plain else source.number(1, 2):
        case 0:
            return word
        case 1 if not {*b"\r\n\0"} & {*word}:
            return b"'%b'" % word.replace(b"'", b"\\'") if not word.endswith(b"\\") else _in_hex(word)
        case _:
            return _in_hex(word)


def _in_hex(word: bytes) -> bytes:
    return b'"%b"' % b"".join(
        bytes([byte]) if 0x30 <= byte < 0x7B and byte != 0x5C else b"\\x%02x" % byte for byte in word
    )


def spelled_somehow(source: Source, words: Sequence[bytes]) -> bytes:
    """As an array, or as a line."""
    return typed(source, words) if source.number(0, 9) == 9 else spelled(words)


def compared(source: Source) -> list[bytes]:
    """The words of a command that both servers know."""
    return _words(source, _COMPARED)


def compared_login(source: Source) -> list[bytes]:
    """The words of a command where there is a password."""
    return _words(source, _LOGINS)


def command(source: Source) -> bytes:
    """A command that memrep knows, or something else."""
    match source.number(0, 59):
        case 59:
            return source.pick(BROKEN)
        case 58:
            return source.pick(_NOTHING)
    return spelled_somehow(source, _words(source, _ALL))


def login(source: Source) -> bytes:
    """A command where there is a password."""
    return spelled_somehow(source, compared_login(source))


def nothing(source: Source) -> bytes:
    """What means nothing."""
    return source.pick(_NOTHING)
