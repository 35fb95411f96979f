"""Certificates and keys that can't be used: the error says which file, and how."""

import subprocess
from pathlib import Path

import pytest

from tests.support.certificate import make_certificate
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.server.tls import load_tls_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all kinds; `other.pem` is the key of another certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder)
    (folder / "key.pem").rename(folder / "other.pem")
    cert, key = (path.read_text() for path in make_certificate(folder))
    for command in (
        "openssl x509 -in cert.pem -outform der -out cert.der",
        "openssl pkey -in key.pem -outform der -out key.der",
        "openssl pkey -in key.pem -aes256 -passout pass:secret -out encrypted.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_text(cert + key)
    (folder / "damaged-cert.pem").write_text(cert[:60] + "%%%%" + cert[64:])
    (folder / "damaged-key.pem").write_text(key[:60] + "%%%%" + key[64:])
    (folder / "empty").touch()
    return folder


def load(folder: Path, cert: str, key: str) -> object:
    return load_tls_context(Config(tls_cert=folder / cert, tls_key=folder / key))


@pytest.mark.parametrize(("cert", "key"), [("cert.pem", "key.pem"), ("both.pem", "both.pem")])
def test_files_that_go_together(folder: Path, cert: str, key: str):
    assert load(folder, cert, key)


@pytest.mark.parametrize(
    ("cert", "key", "flag", "fault"),
    [
        ("key.pem", "cert.pem", "--tls-cert", "exchange them"),
        ("none", "key.pem", "--tls-cert", "none: No such file"),
        ("cert.pem", "none", "--tls-key", "none: No such file"),
        (".", "key.pem", "--tls-cert", "Is a directory"),
        ("empty", "key.pem", "--tls-cert", "holds no certificate"),
        ("cert.pem", "empty", "--tls-key", "holds no private key"),
        ("key.pem", "key.pem", "--tls-cert", "holds no certificate"),
        ("cert.pem", "cert.pem", "--tls-key", "holds no private key"),
        ("cert.der", "key.pem", "--tls-cert", "openssl x509 -inform der"),
        ("cert.pem", "key.der", "--tls-key", "openssl pkey -inform der"),
        ("cert.pem", "encrypted.pem", "--tls-key", "is encrypted"),
        ("cert.pem", "other.pem", "--tls-key", "is not the key of"),
        ("damaged-cert.pem", "key.pem", "--tls-cert", "is damaged"),
        ("cert.pem", "damaged-key.pem", "--tls-key", "is damaged"),
    ],
)
def test_files_that_do_not(folder: Path, cert: str, key: str, flag: str, fault: str):
    with pytest.raises(StartupError, match=fault) as caught:
        load(folder, cert, key)
    assert str(caught.value).startswith(flag)
