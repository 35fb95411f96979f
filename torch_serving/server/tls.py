"""The certificate and the key of HTTPS."""

import ssl

from torch_serving.config import Config
from torch_serving.errors import StartupError


def load_tls_context(config: Config) -> ssl.SSLContext | None:
    """Load the certificate and the key that the configuration names; None if it names none.

    Raises StartupError for a certificate or a key that can't be used.
    """
    if not config.tls_cert:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise StartupError(f"--tls-cert, --tls-key: {reason}") from None
    return context
