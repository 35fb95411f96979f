"""What a client probably meant, for the errors of JSON bodies. Only errors ask."""

import json
import re
from collections.abc import Iterable

from torch_serving.suggestions import did_you_mean, nearest

NO_BODY = (
    "the request has no body; expected a JSON document (curl sends a file with "
    "--data-binary @body.json)"
)

# What others call the keys of envelopes: in lower case, without separators.
SPELLINGS = {
    "data_type": ("dtype", "datatype", "elementtype", "scalartype"),
    "shape": ("dims", "dim", "dimensions", "size", "sizes"),
    "value": ("values", "val", "data", "content", "array", "items", "base64", "b64", "text"),
    "key_type": ("keytype", "keys", "keydtype"),
    "mode": ("colormode", "colourmode", "color", "colour", "colorspace", "channels"),
    "layout": ("format", "dataformat", "order", "channelorder", "memoryformat"),
    "batch": ("batched", "batchdim", "unsqueeze"),
}
MEANT = {other: key for key, others in SPELLINGS.items() for other in others}
OF_IMAGES = ("shape", "size", "width", "height", "resize", "crop", "mean", "std", "normalize")

NO_RESIZING = (
    "images are neither resized nor normalised here: "
    "send them as the model takes them, or let the model do it"
)

MAX_SHOWN = 80  # characters of a body
HINT_BYTES = 300  # of a body that tell what it is
CERTAIN_BYTES = 4096  # a file of so many has a byte that is a line break
CUTOFF = 0.7  # how alike two names are, of 1, if one is meant by the other

OF_OIP = "requests of the Open Inference Protocol go to /v2/models/<model>/infer"
IMAGE = 'send {"type": "image", "value": "<its base64>"}'
BY_HEADER = "send it with the header Content-Type: image/"
# How files start, what they are, and how they can be sent.
FILES = (
    (rb"\xff\xd8\xff", "a JPEG image", f"{BY_HEADER}jpeg"),
    (rb"\x89PNG", "a PNG image", f"{BY_HEADER}png"),
    (rb"GIF8[79]a", "a GIF image", f"{BY_HEADER}gif"),
    (rb"RIFF....WEBP", "a WebP image", f"{BY_HEADER}webp"),
    (rb"BM....\0\0\0\0", "a BMP image", f"{BY_HEADER}bmp"),
    (rb"/9j/|iVBORw0KGgo|UklGR|R0lGOD", "an image in base64", IMAGE),
    (rb"data:image/", "the data URL of an image", 'send {"type": "image", "value": "<the URL>"}'),
    (rb"II\*\0|MM\0\*", "a TIFF image", "convert it to PNG"),
    (rb".{4}ftyp(?:hei|hev|mif|msf|avi)", "a HEIC or AVIF image", "convert it to JPEG or PNG"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?<svg", "an SVG image", "convert it to PNG"),
    (rb"\[object ", "an object of JavaScript", "send JSON.stringify(…) of it"),
    (rb"%PDF", "a PDF file", "send an image of a page"),
    (rb"\x93NUMPY", "a file of numpy", "send it with the header Content-Type: application/x-npy"),
    (
        rb".{4}[\0-\x05]\0\0\0\{",
        "a file of safetensors",
        "send it with the header Content-Type: application/vnd.safetensors",
    ),
    (rb"\x1f\x8b", "compressed with gzip", "send it with the header Content-Encoding: gzip"),
    (rb"x[\x01\x9c\xda]", "compressed", "send it with the header Content-Encoding: deflate"),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd", "send it with Content-Encoding: zstd"),
    (rb"\x80[\x02-\x05]", "a pickle of Python", "send JSON, .npy or safetensors"),
    (rb"PK\x03\x04", "a ZIP archive, as .npz, .pt and .pt2 are", "send JSON, .npy or safetensors"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 with a byte order mark", "send UTF-8"),
    (rb"[\[{\"]\0|\0[\[{\"]|\0\0\0[\[{\"]", "UTF-16 or UTF-32", "send UTF-8"),
    (rb"\s*<", "HTML or XML", "send JSON"),
    (
        rb"--[^\r\n]+\r?\n(?:[^\r\n]+\r?\n)*?(?i:content-type: *image/)",
        "a form with an image (multipart/form-data, as of curl -F)",
        "send the image alone, with curl --data-binary @FILE -H 'Content-Type: image/jpeg'",
    ),
    (
        rb"--[^\r\n]+\r?\n",
        "a form (multipart/form-data, as of curl -F)",
        "send the JSON alone as the body",
    ),
    (
        rb"[A-Za-z_][\w.%+-]*=",
        "a form (application/x-www-form-urlencoded)",
        "send the JSON alone as the body",
    ),
    (
        rb"@?[\w.~/\\: -]*\.(?:json|txt|npy|npz|pt|safetensors|jpe?g|png|webp|gif|bmp)\s*\Z",
        "the name of a file",
        "curl sends what is in it with --data-binary @FILE",
    ),
)
STARTS = tuple([(re.compile(start, re.DOTALL), what, how) for start, what, how in FILES])
AT_SERVE = ("image", "numpy", "safetensors", "pickle", "ZIP", "PDF")  # other doors lack these forms

# What stands where JSON ends, and how to write it.
WORDS = (
    (rb"-?(?:NaN|nan)\b", 'write "NaN" in quotes'),
    (rb"-(?:Infinity|inf|Inf)\b", 'write "-Infinity" in quotes'),
    (rb"\+?(?:Infinity|inf|Inf)\b", 'write "Infinity" in quotes'),
    (rb"None\b|undefined\b|nil\b|NULL\b|NA\b", "write null"),
    (rb"(?i:true)\b", "write true"),
    (rb"(?i:false)\b", "write false"),
    (rb"(?:tensor|array|np\.\w+|torch\.\w+)\(", "send the numbers alone, as tolist() gives them"),
    (rb"//|/\*|#", "JSON has no comments"),
    (rb"\.\.\.", "all numbers must be written"),
    (rb"\xe2\x80[\x9c\x9d]", 'straight quotes (") are needed'),
    (rb"'", "strings stand in double quotes"),
    (rb"\+\d", "numbers have no plus sign"),
    (rb"\.\d|-\.\d|-?\d+\.(?!\d)", "a digit stands on both sides of a point"),
    (rb"-?0\d", "numbers have no leading zeros"),
)
AT = tuple([(re.compile(start), how) for start, how in WORDS])


def unknown_key(envelope_type: str, key: str, allowed: tuple[str, ...]) -> str:
    """Say what to write instead of a key that this type of envelope does not have."""
    plain = "".join(filter(str.isalnum, key[:100])).lower()
    if envelope_type == "image" and plain in OF_IMAGES:
        return f"unknown key; {NO_RESIZING}"
    meant = MEANT.get(plain) or nearest(key, allowed, CUTOFF)
    if meant in allowed:
        return f"unknown key; did you mean `{meant}`?"
    return f'unknown key; those of "{envelope_type}" are {", ".join(allowed)}'


def unknown_argument(name: str, known: Iterable[str], required: list[str]) -> str:
    """The end of an error: the argument that was meant, or the body that was."""
    hint = did_you_mean(name, known, "`", CUTOFF)
    if name == "inputs":
        return f"{hint or ';'} {OF_OIP}"
    if hint:
        return hint
    if name == "value" or name in MEANT:
        return '; an envelope has a key `type`, as in {"type": "tensor", "value": [1, 2]}'
    return f"; send {{{', '.join([f'{json.dumps(each)}: …' for each in required])}}}"


def of_no_number(quoted: str) -> str:
    """The end of an error: what stands in the place of a number, if known."""
    if quoted == "null":
        return '; NaN, which JSON.stringify makes null of, is the string "NaN"'
    if quoted.startswith('{"0"'):
        return "; JSON.stringify makes that of a typed array: send Array.from(…) of it"
    return of_string(quoted) if quoted.startswith('"') else ""


def of_string(quoted: str) -> str:
    """The end of an error: what a string is that stands for something else."""
    text = quoted[1:].replace('\\"', '"')
    if re.match(r"data:image/|/9j/|iVBORw0KGgo", text):
        return '; an image is {"type": "image", "value": "…"}'
    if re.match(r"\s*[\[{]", text):
        return "; this string holds JSON, which was encoded twice"
    return ""


def two_readings(name: str, type_name: str, start: bytes, is_cut: bool) -> str:
    """Say that a body of one element fits with and without its outer brackets, and what to send.

    `start` is the body, or its start if it is cut.
    """
    text = start.decode(errors="ignore").strip()
    if is_cut or len(text) > MAX_SHOWN:
        text = shortened(text)
    key = json.dumps(name, ensure_ascii=False)
    inner = text[1:-1].strip()
    return (
        f"this may be argument `{name}`: {type_name} or an element of it; "
        f"send {{{key}: {text}}} or {{{key}: {inner}}}"
    )


def shortened(text: str) -> str:
    """The start of an array, with an ellipsis and its closing brackets."""
    text = text[:MAX_SHOWN]
    text = text[: text.rfind(",") + 1] or text
    closing: list[str] = []
    for bracket in re.sub(r'"(?:[^"\\]|\\.)*"?', "", text):
        if bracket in "[{":
            closing.append("]" if bracket == "[" else "}")
        elif bracket in "]}" and closing:
            closing.pop()
    return f"{text}…{''.join(reversed(closing))}"


def of_text(start: bytes, before: bytes, here: bytes, at_serve: bool) -> str:
    """The end of an error of syntax: what the text is, or what stands at the error, if known."""
    for pattern, what, how in STARTS:
        if pattern.match(start):
            known = at_serve or not any(name in what for name in AT_SERVE)
            return f"; the body is {what}: {how if known else 'send JSON'}"
    for pattern, how in AT:
        if pattern.match(here):
            return f"; {how}"
    return of_place(before.rstrip(), here)


def of_no_image(body: bytes | bytearray) -> str:
    """The end of an error: what a body is that should be an image, if known."""
    start = bytes(body[:HINT_BYTES])
    if re.match(rb"\s*[\[{\"]", start):
        return "; the body is JSON: send it with the header Content-Type: application/json"
    for pattern, what, how in STARTS:
        if pattern.match(start) and not how.startswith(BY_HEADER):
            return f"; the body is {what}: {how}"
    if len(body) >= CERTAIN_BYTES and not re.search(rb"[\r\n]", body):
        return "; it has no line breaks: curl sends a file unchanged with --data-binary, not --data"
    return ""


def of_place(before: bytes, here: bytes) -> str:
    if not here:
        return "; the body ends here"
    if here[:1] in b"]}" and before.endswith(b","):
        return "; no comma stands behind the last value"
    if here[:1] in b"\r\n":
        return r"; a line break in a string is \n; base64 goes on one line, as of base64 -w 0"
    if here[:1] in b"{[" and before[-1:] in b"]}":
        return "; a request has one document"
    return ""
