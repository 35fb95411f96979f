"""`torch-serving example`: two small models, made and served: a server to try without a model."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from torch_serving.cli.flags import Parser
from torch_serving.cli.requirements import required_modules
from torch_serving.cli.serving import act_on, end
from torch_serving.cli.settings import read_settings
from torch_serving.errors import StartupError

DESCRIPTION = """\
Make two small models and serve them: iris.pt tells irises apart, picture.pt tells the colours of
any picture and where they change. All flags of the server may follow, as in --port 0.
"""


def example(argv: Sequence[str]) -> NoReturn:
    """Make the models and serve them until a signal says stop."""
    arguments, flags = build_parser().parse_known_args(argv)
    with folder_of(arguments.keep) as folder:
        settings = read_settings([str(folder), *flags], os.environ)
        with required_modules():
            from torch_serving.cli.example_models import save_example_models

        save_example_models(folder)
        code = act_on(settings)
    end(code)


def build_parser() -> Parser:
    parser = Parser("example", description=DESCRIPTION)
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        type=Path,
        help="make the models in this folder, and leave them there",
    )
    return parser


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    """A folder for the models: the one that is kept, or one that is removed at the end."""
    if kept is not None:
        try:
            kept.mkdir(exist_ok=True)
        except OSError as error:
            raise StartupError(f"--keep {kept}: {error.strerror}") from None
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="torch-serving-example-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
