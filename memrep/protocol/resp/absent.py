"""Redis' commands on what is no string, all of which memrep refuses; in which word, is the point.

Redis says `ERR` of a command that it does not know. PHP's class Redis makes false of an error that begins so,
and what stands above it takes false for "nothing there", or does not look: Laravel pushes a job on a list, is
told ERR, and gives the job a number. Of any other first word that class makes an exception, as other clients do
of each. So a command that Redis has, and memrep has not, is refused with `NOPERM`, as Redis itself refuses one
that its operator has forbidden; and so is a script that is not known.

A name that Redis does not have either is `ERR`, here as there: by that clients find out what a server can do.
"""

from __future__ import annotations

from typing import Final

#: The first word of these refusals.
REFUSED: Final = b"NOPERM"

#: Those of redis-server 7.0 on other types, and what moves keys about whatever their type.
ABSENT: Final = frozenset(
    b"""
    hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx
    hstrlen hvals
    blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem
    lset ltrim rpop rpoplpush rpush rpushx
    sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop
    srandmember srem sscan sunion sunionstore
    bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore
    zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank
    zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank
    zscan zscore zunion zunionstore
    xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid
    xtrim
    bitcount bitfield bitfield_ro bitop bitpos getbit setbit
    pfadd pfcount pfdebug pfmerge pfselftest
    geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch
    geosearchstore
    copy dump lcs migrate move restore restore-asking sort sort_ro swapdb
    eval_ro evalsha_ro fcall fcall_ro function
    """.split()
)


def first_word(name: bytes) -> bytes:
    """Return the first word of what is said of a command that does not exist here."""
    return REFUSED if name.lower() in ABSENT else b"ERR"
