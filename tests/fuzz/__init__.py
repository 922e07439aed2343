"""The long search for input that breaks a parser: `make fuzz`, for MINUTES.

Four searches run beside each other. Three are guided by coverage (atheris, which is libFuzzer for Python): the
text protocol with its meta commands, the binary one, and both logins. They begin with what the transcripts say
and check what tests/fuzz/equivalence.py says. The fourth puts grammatical conversations to memcached and to a
node, both of them real, and compares what they answer.

    __main__     runs them, and replays what they have found
    target       one input of the guided searches: what is said, in which pieces, and what must hold
    seeds        the inputs and words with which those begin
    search       one guided search, in a process of its own, for libFuzzer ends it
    reference    the comparison with memcached
    redis        the comparison with redis-server, by itself: `python -m tests.fuzz.redis`
"""
