"""The page at /docs: Swagger UI, whose files the extra `docs` installs.

The package that ships the files is an extension of Flask. It is located, but never imported.
"""

import importlib.util
from pathlib import Path

PACKAGE = "flask_swagger_ui"
TYPES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
START = "start.js"

# Nothing is loaded from another origin; the page's script sets styles on elements directly.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>torch-serving</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
SCRIPT = Path(__file__).with_name(START).read_bytes()
MISSING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>torch-serving</title>
<h1>torch-serving</h1>
<p>This server was installed without the extra <code>docs</code>, which has the page's files:</p>
<pre>pip install "torch-serving[docs]"</pre>
<p>What it would show is at <a href="openapi.json">openapi.json</a>, for any other viewer of OpenAPI
3.1.</p>
</html>
"""


def find_files() -> Path | None:
    """Return the folder of Swagger UI's files, if they are installed."""
    found = importlib.util.find_spec(PACKAGE)
    for location in found.submodule_search_locations or [] if found else []:
        folder = Path(location, "dist")
        if all((folder / name).is_file() for name in TYPES):
            return folder
    return None
