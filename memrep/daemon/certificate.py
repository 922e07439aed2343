"""The certificate that clients are shown: its files, whether they fit together, and until when it is valid.

Whatever is wrong with them is told at the start, in one line that says what to do.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

import attrs

from memrep.daemon.files import read_file
from memrep.errors import UsageError
from memrep.events import CERTIFICATE_EXPIRES, Line

#: So long before a certificate expires the operator is told.
_SOON: Final = timedelta(days=14)

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


@attrs.frozen
class Certificate:
    """What this node shows its clients.

    Attributes:
        path: the file.
        context: the certificate with its key, and what is demanded of clients.
        expires: until when it is valid.
    """

    path: str
    context: ssl.SSLContext
    expires: datetime

    def warning(self, now: datetime) -> Line | None:
        """Return what the operator has to be told about its age; None for nothing."""
        if now + _SOON < self.expires:
            return None
        tense = "has expired" if self.expires <= now else "expires"
        return CERTIFICATE_EXPIRES(file=self.path, tense=tense, date=f"{self.expires:%Y-%m-%d}")


def read_certificate(cert: str, key: str | None, ca: str | None) -> Certificate:
    """Return the certificate in these files.

    Args:
        cert: the certificate, with those that vouch for it behind it.
        key: its key, unless that is in the same file.
        ca: whose certificates clients must show, if they must.

    Raises:
        UsageError: the files cannot be read, or do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    text = _read("--tls-cert", cert)
    begin, end = text.find(_BEGIN), text.find(_END)
    if not 0 <= begin < end:
        raise UsageError(f"--tls-cert {cert} holds no certificate; give a PEM file with {_BEGIN}")
    if key is not None:
        _read("--tls-key", key)
    holder = f"--tls-key {key}" if key is not None else f"--tls-cert {cert} (no --tls-key is given)"

    def locked() -> NoReturn:
        raise UsageError(
            f"{holder}: the key has a passphrase; take it off with `openssl pkey -in ... -out ...`"
        )

    try:
        context.load_cert_chain(cert, key, password=locked)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(
                f"{holder} is not the key of the first certificate in {cert}; give the two that belong together"
            ) from None
        raise UsageError(
            f"{holder}: no certificate with its private key can be read there; give PEM files"
        ) from None
    if ca is not None:
        _read("--tls-ca", ca)
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError:
            raise UsageError(f"--tls-ca {ca} holds no certificate; give a PEM file with {_BEGIN}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return Certificate(cert, context, _expiry(text[begin : end + len(_END)]))


def _read(option: str, path: str) -> str:
    try:
        return read_file(Path(path)).decode("latin-1")
    except OSError as error:
        raise UsageError(
            f"{option} {path}: {error.strerror}; give a PEM file that memrep's user may read"
        ) from None


def _expiry(pem: str) -> datetime:
    """Return when a certificate expires; Python's ssl tells that only of other people's (RFC 5280, 4.1)."""
    certificate = next(_elements(ssl.PEM_cert_to_DER_cert(pem)))[1]
    to_be_signed = next(_elements(certificate))[1]
    fields = [body for tag, body in _elements(to_be_signed) if tag != 0xA0]  # the version may be there or not
    validity = fields[3]  # behind serial number, algorithm and issuer
    _, (tag, text) = _elements(validity)
    form = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode(), form).replace(tzinfo=UTC)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tags and bodies of the elements in a row (X.690, 8.1)."""
    at = 0
    while at < len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            more = size & 0x7F
            size = int.from_bytes(der[at : at + more], "big")
            at += more
        yield tag, der[at : at + size]
        at += size
