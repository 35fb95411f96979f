"""Commands about a model that takes images: `inspect` and `run`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Image = pytest.importorskip("PIL.Image")

Command = Callable[..., tuple[int, bytes, bytes]]


class OfBytes(torch.nn.Module):
    """Takes one image as it comes from a file."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torch.nn.Conv2d(3, 2, 7)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image.unsqueeze(0).float() / 255)


@pytest.mark.parametrize(
    ("module", "header", "size"),
    [
        (torch.nn.Conv2d(3, 2, 7), "image/jpeg; data_type=float32; batch=true", ""),
        (torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 1)),
         "image/jpeg; mode=L; data_type=float32; batch=true", " of 8 x 8 pixels"),
        (OfBytes(), "image/jpeg", ""),
        (torch.nn.Linear(8, 2), "", ""),
    ],
)  # fmt: skip
def test_inspect_prints_how_an_image_is_sent(
    module: torch.nn.Module, header: str, size: str, tmp_path: Path, command: Command
):
    torch.jit.script(module).save(tmp_path / "m.pt")
    _, out, _ = command("inspect", tmp_path / "m.pt")
    assert (f"  or an image{size}:\n" in out.decode()) == bool(header)
    assert (f"--data-binary @photo.jpg -H 'Content-Type: {header}'\n" in out.decode()) == bool(
        header
    )
    assert b"photo" not in command("inspect", tmp_path / "m.pt", "--json")[1]


def test_run_with_an_image(tmp_path: Path, command: Command):
    torch.jit.script(OfBytes()).save(tmp_path / "m.pt")
    Image.new("RGB", (20, 10)).save(tmp_path / "photo.jpg")
    arguments = ["run", tmp_path / "m.pt", "--data", f"@{tmp_path / 'photo.jpg'}"]
    code, out, _ = command(*arguments, "--content-type", "image/jpeg")
    assert (code, json.loads(out)["result"]["shape"]) == (0, [1, 2, 4, 14])
    code, out, _ = command(*arguments, "--content-type", "image/jpeg", "--plain")
    assert (code, len(json.loads(out)["result"][0])) == (0, 2)
    for wrong in ([], ["--content-type", "image/jpeg; size=2"], ["--content-type", "text/plain"]):
        assert command(*arguments, *wrong)[0] == 1
