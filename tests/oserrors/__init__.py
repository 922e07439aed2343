"""Every system call of a real node is made to fail, with every error that it can have.

Which calls a node makes is not written down here but seen: strace(1) looks on while a node starts, serves,
loses its peer, finds it again, is stopped for a moment, and ends. Then each of these calls is made to fail, by
strace again, with each error that its manual page allows (table.py), in the midst of a small load whose answers
are checked: once and now and then, or always, for a moment. Then strace lets go, and the node must be there,
answer rightly, and be together with its peer again.

    table       the errors that each call can have; which are left out, and why
    stage       a node, its peer, and strace
    load        clients whose every answer is checked
    matrix      what is done on the stage, case by case
"""
