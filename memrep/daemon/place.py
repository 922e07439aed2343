"""The place of a node: what it needs of this machine, had once at the start and kept to the end.

Problem: a port, a descriptor or memory may not be had a second time, and what is missing should be said before
anything else has happened. So all of it is taken first, in one step, and whatever a node is begun anew for, the
next one finds it here. If a part cannot be had nothing of the others is kept.
"""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from typing import Final

import attrs

from memrep.daemon.admin_socket import AdminSocket
from memrep.daemon.cgroup import Memory
from memrep.daemon.http_port import HttpPort
from memrep.daemon.listener import Listener, close_all
from memrep.daemon.local_address import bind_client_port, bind_link_port, sources_of_links
from memrep.daemon.names import Endpoint
from memrep.daemon.options import ServeOptions
from memrep.daemon.resolver import Resolver
from memrep.daemon.threads import Worker, begin_thread
from memrep.disk.copy import DiskCopy, NoCopy
from memrep.errors import UsageError

#: For links, those who have not shown yet who they are, those who ask by HTTP, and the program itself.
SPARE_DESCRIPTORS: Final = 512


@attrs.frozen(kw_only=True)
class Place:
    """What a node needs of this machine. It is had at the start, and kept: it might not be had again.

    Attributes:
        listeners: where clients come in.
        redis: where clients of Redis' protocol come in.
        links: where the other nodes come in.
        sources: the addresses from which the others may be called; none for any.
        memory: what the kernel lets this process have.
        admin: where an operator asks; there is none if it could not be had where nobody has asked for it.
        http: where his programs ask from elsewhere.
        resolver: looks up the names of the other nodes.
        reader: the thread that reads files.
        copy: what is saved on disk, if anything is.
        old_store: the thread that looks into the old store; None if there is none.
    """

    listeners: list[Listener]
    redis: list[Listener]
    links: list[Listener]
    sources: list[Endpoint]
    memory: Memory
    admin: AdminSocket
    http: HttpPort
    resolver: Resolver
    reader: Worker
    copy: DiskCopy | NoCopy
    old_store: Worker | None

    @classmethod
    def of(cls, options: ServeOptions) -> Place:
        """Take what these options ask for, as a whole or not at all.

        Raises:
            UsageError: a port cannot be had, or the system's limits do not allow what is asked.
            OSError: the system refuses something else.
        """
        with ExitStack() as given_back:
            memory = Memory()
            given_back.callback(memory.close)
            _make_room(memory, options)
            copy = _read_copy(options)  # before anybody can call: it may take long
            given_back.callback(copy.close)
            admin = AdminSocket(options.admin)  # before names are looked up, which may take long
            given_back.callback(admin.close)
            http = HttpPort.of(options.http, options.me)
            given_back.callback(http.close)
            listeners = bind_client_port(options.listen, options.port)
            given_back.callback(close_all, listeners)
            if options.unix:
                listeners.append(_bind_unix_socket(options.unix))
            redis = bind_client_port(options.redis_listen, options.redis_port) if options.redis_port else []
            given_back.callback(close_all, redis)
            links = bind_link_port(options.me, options.listen) if len(options.nodes) > 1 else []
            given_back.callback(close_all, links)
            sources = sources_of_links(options.me.host)
            resolver = Resolver(node for node in options.nodes if node != options.me)
            given_back.callback(resolver.close)
            reader = Worker("files", "reading options anew")
            given_back.callback(reader.close)
            old_store = None
            if options.node.old_store is not None:
                old_store = Worker("old store", "--fallback")
                given_back.callback(old_store.close)
            place = cls(
                memory=memory,
                admin=admin,
                http=http,
                listeners=listeners,
                redis=redis,
                links=links,
                sources=sources,
                resolver=resolver,
                reader=reader,
                copy=copy,
                old_store=old_store,
            )
            given_back.pop_all()  # it is had as a whole
        return place

    def fit(self, options: ServeOptions) -> None:
        """Make room for these options, which are to be those of the node.

        Raises:
            UsageError: the system does not allow it.
        """
        _make_room(self.memory, options)

    def give_up(self) -> None:
        """Give all of it back; the node is gone for good."""
        close_all((*self.listeners, *self.redis, *self.links))
        self.memory.close()
        self.http.close()
        self.admin.close()
        self.resolver.close()
        self.reader.close()
        if self.old_store is not None:
            self.old_store.close()
        self.copy.close()


def _read_copy(options: ServeOptions) -> DiskCopy | NoCopy:
    if not options.data_dir:
        return NoCopy()
    with ExitStack() as given_back:
        copy = DiskCopy(options.data_dir, begin_thread)
        given_back.callback(copy.close)
        copy.load_ahead(options.node)
        given_back.pop_all()
    return copy


def _make_room(memory: Memory, options: ServeOptions) -> None:
    memory.check(options.node.memory, options.connections)
    _raise_descriptor_limit(options.connections)


def _bind_unix_socket(path: str) -> Listener:
    try:
        return Listener(socket.AF_UNIX, path)
    except OSError as error:
        raise UsageError(
            f"--unix {path}: {error.strerror}; its directory must exist, be writable, and hold nothing else "
            "under that name"
        ) from None


def _raise_descriptor_limit(connections: int) -> None:
    """Allow as many descriptors as the clients may need; one line if the system does not allow that."""
    needed = connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed <= hard or (soft < needed and hard == resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif hard < needed and hard != resource.RLIM_INFINITY:
        raise UsageError(
            f"-c {connections} needs {needed} file descriptors, the system allows {hard}; "
            "raise LimitNOFILE (systemd) or `ulimit -n`, or lower -c"
        )
