"""The backends for `.pt2` archives: programs, and packages with or without their program."""

from torch_serving.models.backends.export import archive, loader


class ExportedPrograms:
    """Archives that torch.export.save wrote."""

    suffixes: tuple[str, ...] = (".pt2",)
    options = frozenset({"freeze", "optimize"})

    recognizes = staticmethod(archive.is_archive)
    verify = staticmethod(archive.verify)
    version = staticmethod(archive.version)
    load = staticmethod(loader.load)


class Packages:
    """Archives with a library that AOTInductor compiled: nothing is left to be made faster."""

    suffixes: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()

    recognizes = staticmethod(archive.holds_package)
    verify = staticmethod(archive.verify)
    version = staticmethod(archive.version)
    load = staticmethod(loader.load)
