"""A device in error, without one: a model that raises torch's own error with the words of CUDA."""

from pathlib import Path

from tests.support.client import Client, tensor
from tests.support.process import wait_until
from tests.support.servables import SOURCES, scripted

X = [tensor([1], [1.0])]
BREAKING = "return x.to(torch.device('CUDA error: device-side assert ' + str(x.numel())))"


def save_breaking(folder: Path) -> None:
    scripted("x: Tensor", "Tensor", BREAKING).save(folder / "breaking.pt")


def save_models(folder: Path) -> None:
    """One that breaks its device, and others."""
    for name in ("echo.pt", "slow.pt"):
        scripted(*SOURCES[name]).save(folder / name)
    save_breaking(folder)


def break_device(url: str) -> None:
    with Client(url) as client:
        response = client.post("breaking.pt", X)
    assert (response.status, response.document["description"]) == (503, "Device failed")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["connection"] == "close"


def check_good(url: str) -> None:
    """See that a request is answered; one that was sent late is sent again."""
    wait_until(lambda: is_answered(url))


def is_answered(url: str) -> bool:
    with Client(url) as client:
        try:
            response = client.post("echo.pt", X)
        except OSError:
            if not client.was_late:
                raise
            return False
    assert response.result == X[0]
    return True
