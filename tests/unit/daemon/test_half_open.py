"""Which hosts have called and wait for their handshake to end, by the kernel's own table."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from memrep.daemon import half_open

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 01:00000049 00000000     0        0 0 1 0000000000000000 100 0 0 10 0\n"


def _word(packed: bytes) -> str:
    """As the kernel prints an address: word by word, in this machine's byte order."""
    return "".join(f"{int.from_bytes(packed[i : i + 4], sys.byteorder):08X}" for i in range(0, len(packed), 4))


def _line(local: str, remote: str, port: int, state: str) -> str:
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    here, there = (_word(socket.inet_pton(family, host)) for host in (local, remote))
    return f"   1: {here}:{port:04X} {there}:C350 {state} {REST}"


def _tables(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> None:
    for family, name in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        table = folder / name
        table.write_text(
            HEADER + "".join(line for line in lines if (len(line.split()[1]) > 20) == (name == "tcp6"))
        )
        monkeypatch.setitem(half_open._TABLES, family, table)


def test_hosts_of_either_family_whose_syn_has_come_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _tables(
        monkeypatch,
        tmp_path,
        _line("10.1.1.1", "10.2.2.2", 21211, "03"),
        _line("10.1.1.1", "10.3.3.3", 21211, "01"),
        _line("10.1.1.1", "10.4.4.4", 11211, "03"),
        _line("fd00::1", "fd00::2", 21211, "03"),
    )
    assert half_open.callers(21211) == {"10.2.2.2", "fd00::2"}


def test_who_has_come_in_or_only_listens_has_not_called() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert half_open.callers(port) == set()
        with socket.create_connection(("127.0.0.1", port)):
            assert half_open.callers(port) == set()


@pytest.mark.parametrize("table", ["", HEADER, HEADER + "   1: 0100007F 03 03 \n", HEADER + "x 03 y:z 03 \n"])
def test_a_table_that_says_nothing_or_nonsense_names_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: str
) -> None:
    (tmp_path / "tcp").write_text(table)
    monkeypatch.setitem(half_open._TABLES, socket.AF_INET, tmp_path / "tcp")
    monkeypatch.setitem(half_open._TABLES, socket.AF_INET6, tmp_path / "missing")
    assert half_open.callers(21211) == set()
