"""The errors that each system call can have, from its manual page and the kernel's source.

Left out everywhere are those that only a mistake of the program's can cause (EBADF, EFAULT, EINVAL, ENOTSOCK
and their like): they tell of no state of the system.
"""

from __future__ import annotations

from typing import Final

#: By call.
ERRORS: Final[dict[str, tuple[str, ...]]] = {
    "accept4": (
        "ECONNABORTED", "EINTR", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPERM", "EPROTO", "ENETDOWN",
        "EHOSTUNREACH", "ENETUNREACH", "EOPNOTSUPP", "ETIMEDOUT",
    ),
    "bind": ("EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOMEM", "ENOENT", "ENOTDIR", "EROFS", "ENOSPC"),
    "clone": ("EAGAIN", "ENOMEM", "EPERM"),
    "clone3": ("EAGAIN", "ENOMEM", "EPERM"),
    "close": ("EINTR", "EIO", "ENOSPC", "EDQUOT"),
    "connect": (
        "EACCES", "EPERM", "EADDRINUSE", "EADDRNOTAVAIL", "EAGAIN", "ECONNREFUSED", "EINTR", "ENETUNREACH",
        "EHOSTUNREACH", "ETIMEDOUT", "ENOBUFS",
    ),
    "dup": ("EMFILE",),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "fcntl": ("EINTR", "EAGAIN", "ENOLCK"),
    "getrandom": ("EINTR", "EAGAIN", "ENOSYS"),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOMEM", "ENOBUFS"),
    "ioctl": ("ENOMEM", "EINTR"),
    "listen": ("EADDRINUSE", "ENOBUFS", "ENOMEM"),
    "lseek": ("ESPIPE",),
    "mkdir": ("EACCES", "EEXIST", "EDQUOT", "ENOENT", "ENOMEM", "ENOSPC", "EROFS"),
    "mmap": ("ENOMEM", "EAGAIN", "EPERM"),
    "mprotect": ("ENOMEM", "EACCES"),
    "no-memory": ("ENOMEM",),
    "newfstatat": ("EACCES", "ENOENT", "ENOMEM", "ENOTDIR", "ELOOP"),
    "openat": ("EACCES", "EINTR", "EMFILE", "ENFILE", "ENOENT", "ENOMEM", "EIO"),
    "poll": ("EINTR", "ENOMEM"),
    "pread64": ("EAGAIN", "EINTR", "EIO", "ENODEV", "ENOMEM"),
    "ppoll": ("EINTR", "ENOMEM"),
    "prlimit64": ("EPERM",),
    "read": ("EAGAIN", "EINTR", "EIO"),
    "recvfrom": ("EAGAIN", "ECONNREFUSED", "ECONNRESET", "EINTR", "ENOMEM", "ETIMEDOUT", "EHOSTUNREACH"),
    "recvmsg": ("EAGAIN", "ECONNREFUSED", "EINTR", "ENOMEM"),
    "sendmmsg": ("EAGAIN", "ECONNREFUSED", "EINTR", "ENOBUFS", "ENOMEM"),
    "sendto": (
        "EAGAIN", "EACCES", "ECONNREFUSED", "ECONNRESET", "EINTR", "ENOBUFS", "ENOMEM", "EPIPE", "EHOSTUNREACH",
        "ENETDOWN", "ENETUNREACH", "ETIMEDOUT", "EPERM",
    ),
    "setsockopt": ("ENOMEM", "ENOBUFS", "EPERM"),
    "shutdown": ("ENOTCONN", "ENOBUFS"),
    "socket": ("EACCES", "EAFNOSUPPORT", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"),
    "socketpair": ("EMFILE", "ENFILE"),
    "stat": ("EACCES", "ENOENT", "ENOMEM"),
    "unlink": ("EACCES", "EBUSY", "EIO", "ENOENT", "ENOMEM", "EPERM", "EROFS"),
    "write": ("EAGAIN", "EDQUOT", "EFBIG", "EINTR", "EIO", "ENOSPC", "EPIPE", "EPERM"),
}  # fmt: skip

#: Not one call but a limit (RLIMIT_AS), at which the kernel itself lets brk, mmap, mremap and clone fail.
NO_MEMORY: Final = "no-memory"

#: Calls that are never made to fail, and why.
LEFT_OUT: Final[dict[str, str]] = {
    "brk": "tells of its failure by no error, so strace cannot; a real limit does it (NO_MEMORY)",
    "exit": "does not return",
    "exit_group": "does not return",
    "execve": "it is the start itself",
    "futex": "its errors are part of how locks work; the C library ends the program at any other",
    "rt_sigaction": "fails by mistakes only",
    "rt_sigprocmask": "fails by mistakes only",
    "rt_sigreturn": "does not return",
    "sigaltstack": "fails by mistakes only",
    "getpid": "does not fail",
    "gettid": "does not fail",
    "getuid": "does not fail",
    "geteuid": "does not fail",
    "getgid": "does not fail",
    "getegid": "does not fail",
    "getcwd": "the interpreter's own, before any of memrep's code runs",
    "getdents64": "the interpreter's own, when it looks for modules",
    "access": "the loader's own, before any of memrep's code runs",
    "arch_prctl": "the loader's own, before any of memrep's code runs",
    "set_tid_address": "does not fail",
    "set_robust_list": "fails by mistakes only",
    "rseq": "the C library does without it by itself",
    "umask": "does not fail",
    "sched_yield": "does not fail",
    "sched_getaffinity": "fails by mistakes only",
    "munmap": "an error of it leaves memory mapped; the C library looks away",
    "madvise": "it is advice: the C library looks away",
    "mremap": "the C library copies instead",
    "uname": "fails by mistakes only",
    "sysinfo": "fails by mistakes only",
    "getrusage": "fails by mistakes only",
    "restart_syscall": "the kernel's own",
    "clock_nanosleep": "EINTR is its only error, and Python goes on sleeping",
    "getpeername": "the accepted connection is gone: ENOTCONN, which accept4 and recvfrom stand for",
    "pread64": "the loader's own, before any of memrep's code runs",
    "readlink": "the interpreter's own, when it looks for its home",
    "fstat": "older systems' newfstatat",
    "prctl": "the C library names a piece of memory with it, and does without",
    "pipe2": "the interpreter's own",
    "clock_gettime": "answered without a system call",
    "gettimeofday": "answered without a system call",
}
