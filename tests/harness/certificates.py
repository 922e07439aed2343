"""Certificates for tests, made by openssl(1): an authority, and what it vouches for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.real.processes import find_program

_CONFIG: Final = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Authority:
    """Somebody who vouches for certificates.

    Attributes:
        cert: its own.
    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._config = directory / f"{name}.cnf"
        self._config.write_text(_CONFIG)
        self.cert = directory / f"{name}.crt"
        self._key = directory / f"{name}.key"
        self._make(self.cert, self._key, name, "-extensions", "authority", "-days", "3650")

    def issue(self, name: str, days: int = 365) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key, each in a file of its own."""
        cert, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        by = ["-CA", str(self.cert), "-CAkey", str(self._key)]
        self._make(cert, key, name, "-extensions", "leaf", "-days", str(days), *by)
        return cert, key

    def _make(self, cert: Path, key: Path, name: str, *options: str) -> None:
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl(
            "req", "-x509", *kind, "-config", str(self._config), "-subj", f"/CN={name}",
            "-keyout", str(key), "-out", str(cert), *options,
        )  # fmt: skip


def openssl(*arguments: str) -> None:
    """Run openssl(1)."""
    subprocess.run([find_program("openssl"), *arguments], check=True, capture_output=True, timeout=30)
