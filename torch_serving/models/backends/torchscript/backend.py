"""The backend for files that torch.jit.save wrote."""

from torch_serving.models.backends.torchscript import archive, loader


class TorchScript:
    """TorchScript archives, and files without a known suffix."""

    kind = "TorchScript"
    suffixes: tuple[str, ...] = (".pt",)
    options = frozenset({"freeze", "optimize"})

    recognizes = staticmethod(archive.is_archive)
    verify = staticmethod(archive.verify)
    version = staticmethod(archive.version)
    load = staticmethod(loader.load)
