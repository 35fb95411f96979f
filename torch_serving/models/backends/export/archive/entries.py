"""What must hold of the entries of a `.pt2` archive: torch stores them as they are, in one folder.

So an archive never unpacks to more than its own size, and weights can be read in place.
"""

import stat
import sys
import zipfile

from torch_serving.errors import InvalidServable

IS_ENCRYPTED = 0x1  # among the flags of an entry
REGULAR = (0, stat.S_IFREG, stat.S_IFDIR)
MAX_NAME = 80  # characters of a name in a message


def root_of(archive: zipfile.ZipFile) -> str:
    """The folder of an archive with its slash, by its first entry, as torch finds it."""
    names = archive.namelist()
    return names[0].partition("/")[0] + "/" if names else "/"


def check_entries(archive: zipfile.ZipFile, file_bytes: int) -> None:
    """Raise InvalidServable for entries that torch never writes."""
    root = root_of(archive)
    seen: set[str] = set()
    for entry in archive.infolist():
        problem = "twice in it" if entry.filename in seen else problem_with(entry, root)
        if problem:
            raise InvalidServable(f"its entry {shown(entry.filename)} is {problem}")
        seen.add(entry.filename)
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > file_bytes:
        raise InvalidServable(f"it unpacks to {unpacked:,} bytes, more than it has")
    check_byte_order(archive, f"{root}byteorder")


def problem_with(entry: zipfile.ZipInfo, root: str) -> str:
    """Say what is wrong with an entry; empty if nothing is."""
    # zipfile cuts names at NUL, and makes the separators of the system slashes
    if entry.orig_filename != entry.filename or not entry.filename.isprintable():
        return "named with characters that no file has"
    if not entry.filename.startswith(root) or root == "/":
        return f"outside its folder {shown(root)}"
    parts = entry.filename.removesuffix("/").split("/")
    if "\\" in entry.filename or any(part in ("", ".", "..") for part in parts):
        return "no path below its folder"
    if entry.flag_bits & IS_ENCRYPTED:
        return "encrypted; models are saved with torch.export.save"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "compressed; pack it without compression, as torch.export.save does"
    if stat.S_IFMT(entry.external_attr >> 16) not in REGULAR:
        return "no regular file, but a link or a device"
    return ""


def check_byte_order(archive: zipfile.ZipFile, entry: str) -> None:
    if entry not in archive.NameToInfo:
        return
    with archive.open(entry) as content:
        found = content.read(len("little")).decode("ascii", "replace")
    if found != sys.byteorder:
        raise InvalidServable(
            f"its byteorder is {found!r} and this machine's {sys.byteorder!r}: save it again on a "
            "machine like this one"
        )


def shown(name: str) -> str:
    """A name for a message: cut, and without characters that a line can't hold."""
    text = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
    return f"`{text}`" if text.isprintable() else ascii(text)
