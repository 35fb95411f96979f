"""The backends for `.pt2` archives: programs, and packages with or without their program."""

from torch_serving.models.backends.export import loader
from torch_serving.models.backends.export.archive import contents


class ExportedPrograms:
    """Archives that torch.export.save wrote."""

    kind = "exported program"
    suffixes: tuple[str, ...] = (".pt2",)
    options = frozenset({"freeze", "optimize"})

    recognizes = staticmethod(contents.is_archive)
    verify = staticmethod(contents.verify)
    version = staticmethod(contents.version)
    load = staticmethod(loader.load)


class Packages:
    """Archives with a library that AOTInductor compiled: nothing is left to be made faster."""

    kind = "AOTInductor package"
    suffixes: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()

    recognizes = staticmethod(contents.holds_package)
    verify = staticmethod(contents.verify)
    version = staticmethod(contents.version)
    load = staticmethod(loader.load)
