"""The certificate's files: they are read and belong together, or one line says what to do."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memrep.daemon.certificate import read_certificate
from memrep.errors import UsageError
from tests.harness.certificates import Authority, openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> tuple[str, str]:
    cert, key = authority.issue("node")
    return str(cert), str(key)


def _refused(cert: str | Path, key: str | Path | None = None, ca: str | Path | None = None) -> str:
    with pytest.raises(UsageError) as error:
        read_certificate(str(cert), str(key) if key else None, str(ca) if ca else None)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_certificate_and_key_may_be_in_two_files_or_in_one(files: tuple[str, str], tmp_path: Path) -> None:
    cert, key = files
    assert read_certificate(cert, key, None).path == cert
    for order in ([cert, key], [key, cert]):
        one = tmp_path / "both.pem"
        one.write_bytes(b"".join(Path(path).read_bytes() for path in order))
        assert read_certificate(str(one), None, None).path == str(one)


def test_nothing_older_than_1_2_is_spoken_and_nothing_renegotiated(files: tuple[str, str]) -> None:
    context = read_certificate(*files, None).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_clients_must_show_certificates_only_if_an_authority_is_named(
    files: tuple[str, str], authority: Authority
) -> None:
    assert read_certificate(*files, None).context.verify_mode == ssl.CERT_NONE
    assert read_certificate(*files, str(authority.cert)).context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("option", [0, 1, 2], ids=["cert", "key", "ca"])
def test_a_file_that_cannot_be_read_is_named_with_its_option(
    option: int, files: tuple[str, str], authority: Authority, tmp_path: Path
) -> None:
    for path, says in [(tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")]:
        given: list[str | Path] = [*files, authority.cert]
        given[option] = path
        name = ("--tls-cert", "--tls-key", "--tls-ca")[option]
        assert _refused(*given) == f"{name} {path}: {says}; give a PEM file that memrep's user may read"


def test_a_key_that_is_not_the_certificates_is_refused(files: tuple[str, str], authority: Authority) -> None:
    _, other = authority.issue("other")
    cert = files[0]
    assert _refused(cert, other) == (
        f"--tls-key {other} is not the key of the first certificate in {cert}; "
        "give the two that belong together"
    )


def test_a_certificate_without_a_key_is_refused(files: tuple[str, str]) -> None:
    assert f"--tls-cert {files[0]} (no --tls-key is given): no certificate with its private key" in _refused(
        files[0]
    )


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    files: tuple[str, str], tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", files[1], "-aes256", "-passout", "pass:1234", "-out", str(locked))
    assert "the key has a passphrase; take it off with `openssl pkey" in _refused(files[0], locked)


def test_files_in_each_others_place_are_refused(files: tuple[str, str]) -> None:
    cert, key = files
    assert "holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----" in _refused(key, cert)
    assert f"--tls-ca {key} holds no certificate" in _refused(cert, key, key)
    assert f"--tls-key {cert}: no certificate with its private key can be read there" in _refused(cert, cert)


def test_garbage_in_a_certificate_is_refused(files: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "no certificate with its private key can be read there" in _refused(broken, files[1])


@pytest.mark.parametrize("days", [1, 365, 20_000, 36_500])
def test_the_end_of_a_certificate_is_known_before_and_after_2050(days: int, authority: Authority) -> None:
    cert, key = authority.issue("dated", days)
    expires = read_certificate(str(cert), str(key), None).expires
    assert abs(expires - (datetime.now(UTC) + timedelta(days=days))) < timedelta(minutes=5)


def test_who_has_expired_or_soon_will_is_told_of_with_the_date(files: tuple[str, str]) -> None:
    certificate = read_certificate(*files, None)
    end = certificate.expires
    assert certificate.warning(end - timedelta(days=15)) is None
    warning = str(certificate.warning(end - timedelta(days=13)))
    assert warning.startswith(f"the certificate in {files[0]} expires on {end:%Y-%m-%d}; put a new one")
    assert f"has expired on {end:%Y-%m-%d}" in str(certificate.warning(end + timedelta(seconds=1)))
