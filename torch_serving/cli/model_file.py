"""What `inspect` and `run` share: one model file, loaded as a server would load it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch_serving.cli.flag_types import module
from torch_serving.cli.flags import Parser
from torch_serving.cli.near_path import check_file
from torch_serving.cli.requirements import required_modules
from torch_serving.config import Config
from torch_serving.errors import ServingError, StartupError

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.models.servable import Servable
    from torch_serving.service.runtime import Runtime


def command_parser(name: str, description: str) -> Parser:
    """Return a parser of a command about one model."""
    parser = Parser(name, description=description)
    parser.add_argument("model", type=Path, help="a model file: .pt or .pt2")
    parser.add_argument(
        "--device", help="where to load it (default: what its TOML file says, else cpu)"
    )
    add_imports(parser)
    return parser


def add_imports(parser: Parser) -> None:
    parser.add_argument(
        "--import",
        dest="imports",
        metavar="MODULE",
        type=module,
        action="append",
        default=[],
        help="import this Python module first; may be repeated",
    )


def load_model(
    path: Path, device: str | None, imports: Sequence[str] = ()
) -> "tuple[Runtime, Servable]":
    """Return a runtime of the model's folder, and the model. Raises StartupError."""
    check_file(path)
    with required_modules():
        from torch_serving.service.runtime import Runtime

    try:
        runtime = Runtime.build(Config(model_root=path, device="cpu", imports=tuple(imports)))
        models = runtime.models
        chosen = models.repository.placement.choose(path.name, runtime.devices, device or None)
        return runtime, models.preload(path.name, chosen)
    except ServingError as error:
        raise StartupError(error.detail) from None
