"""The long search for input that breaks a parser: `make fuzz`, for MINUTES.

Seven searches run beside each other. Five are guided by coverage (atheris, which is libFuzzer for Python):
memcached's text protocol with its meta commands, the binary one, both of their logins, Redis' protocol, and
its logins. They begin with what the transcripts say and check what tests/fuzz/equivalence.py says. The other
two put grammatical conversations to a node and to the program whose protocol it is, memcached or redis-server,
and compare what they answer.

    __main__     runs them, and replays what they have found
    target       one input of the guided searches: what is said, in which pieces, and what must hold
    seeds        the inputs and words with which those begin
    search       one guided search, in a process of its own, for libFuzzer ends it
    reference    the comparison with memcached
    redis        the comparison with redis-server, by itself: `python -m tests.fuzz.redis`
    redis_grammar  what Redis' clients say
    redis_replies  where what they are told ends
"""
