"""The certificate and the key of HTTPS."""

import re
import ssl
from pathlib import Path

from torch_serving.config import Config
from torch_serving.errors import StartupError

CERTIFICATE = re.compile(rb"-----BEGIN ([A-Z0-9]+ )*CERTIFICATE-----")
PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----")
DER = b"\x30"  # its first byte


def load_tls_context(config: Config) -> ssl.SSLContext | None:
    """Load the certificate and the key that the configuration names; None if it names none.

    Raises StartupError for a certificate or a key that can't be used.
    """
    if not (config.tls_cert and config.tls_key):
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, refuse_password)
    except OSError as error:
        raise StartupError(fault_of(config.tls_cert, config.tls_key, error)) from None
    except PasswordNeeded:
        raise StartupError(
            f"--tls-key: {config.tls_key} is encrypted, and nobody can be asked for its password; "
            "`openssl pkey -in FILE -out NEW` writes it without one"
        ) from None
    return context


class PasswordNeeded(Exception):
    """The key is encrypted."""


def refuse_password() -> str:
    """Raise an error; without this, OpenSSL would ask the terminal."""
    raise PasswordNeeded


def fault_of(cert: Path, key: Path, error: OSError) -> str:
    """Say which file is at fault, and how."""
    try:
        in_cert = b"" if cert.is_fifo() else cert.read_bytes()
    except OSError as unread:
        return f"--tls-cert: {cert}: {unread.strerror}"
    try:
        in_key = b"" if key.is_fifo() else key.read_bytes()
    except OSError as unread:
        return f"--tls-key: {key}: {unread.strerror}"
    if not CERTIFICATE.search(in_cert):
        if PRIVATE_KEY.search(in_cert) and CERTIFICATE.search(in_key):
            return "--tls-cert names a key and --tls-key a certificate: exchange them"
        return f"--tls-cert: {cert} holds no certificate in PEM form{conversion(in_cert, 'x509')}"
    if not PRIVATE_KEY.search(in_key):
        return f"--tls-key: {key} holds no private key in PEM form{conversion(in_key, 'pkey')}"
    reason = getattr(error, "reason", None)
    if reason and "MISMATCH" in reason:
        return f"--tls-key: {key} is not the key of the first certificate in {cert}"
    if reason:
        return f"--tls-cert, --tls-key: {reason}"
    return f"--tls-key: {key} is damaged" if is_readable(cert) else f"--tls-cert: {cert} is damaged"


def conversion(text: bytes, command: str) -> str:
    """Return how to make PEM of DER."""
    if not text.startswith(DER):
        return ""
    return f"; if it is DER, `openssl {command} -inform der -in FILE -out NEW` converts it"


def is_readable(cert: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cert)
    except OSError:
        return False
    return True
