"""How the files of a model root are named."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

# Of models. A name may leave them out; then the first that there is counts.
SUFFIXES = (".pt", ".pt2", ".torchscript", ".pth", ".jit", ".ts")
SIDECARS = (".toml", ".warmup.json")  # in place of a model's suffix: files beside it
MANIFEST = "models.sha256"  # beside the models; optional


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Return the names that match a pattern, or else those that match it without their suffix."""
    known = list(names)
    for each in (pattern, *(f"{pattern}{suffix}" for suffix in SUFFIXES)):
        if found := [name for name in known if fnmatchcase(name, each)]:
            return found
    return []
