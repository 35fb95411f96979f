"""What browsers may do with the console: nothing that is not its own."""

import falcon

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def apply_policy(resp: falcon.Response) -> None:
    resp.set_headers(HEADERS)
