"""What a server prints once it serves: its address, what it serves, and what to do next."""

import shlex
from pathlib import Path
from urllib.parse import quote

from torch_serving import __version__
from torch_serving.config import Config
from torch_serving.errors import ServingError
from torch_serving.models.repository import CPU, ModelRepository
from torch_serving.server.curl import serve_command

MAX_READ = 50  # models that are looked at
MAX_SHOWN = 200  # characters of a request
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


def announcement(config: Config, url: str, repository: ModelRepository) -> list[str]:
    """Return what to print; the first line is the same for all to parse."""
    names = repository.names()
    workers = f"{config.workers} workers with " if config.workers != 1 else ""
    lines = [
        f"torch-serving {__version__} on {url} ({config.server}): {quantity(len(names), 'model')} "
        f"in {config.model_root}, device {config.device}, "
        f"{workers}{quantity(config.threads or 1, 'thread')}"
    ]
    if not names:
        lines += how_to_make_a_model(config.model_root)
    if config.uds:  # browsers don't reach it
        url = "https://localhost" if config.tls_cert else "http://localhost"
    elif config.server == "uvicorn":
        lines.append(f"docs: {reachable(url)}/docs")
    return [*lines, f"try: {first_command(config, reachable(url), names, repository)}"]


def how_to_make_a_model(root: Path) -> list[str]:
    return [
        "no model yet; Python makes one:",
        "import torch",
        f'torch.jit.script(torch.nn.Linear(4, 2).eval()).save("{root}/linear.pt")',
    ]


def first_command(config: Config, url: str, names: list[str], repository: ModelRepository) -> str:
    """Return a command that works: a request that is known, else one that shows what there is."""
    curl = "curl --insecure" if config.tls_cert else "curl"
    if config.uds:
        curl += f" --unix-socket {shlex.quote(str(config.uds))}"
    if config.api_key_file:
        curl += ' -H "X-Api-Key: $KEY"'
    if not names:
        return serve_command(url, "linear.pt", '{"input": [[1, 2, 3, 4]]}', curl)
    loadable = [name for name in names[:MAX_READ] if not repository.problem_with(name)]
    for name in loadable:
        if body := known_request(repository, name):
            return serve_command(url, name, body, curl)
    if config.server == "meinheld":
        return f"{curl} {url}/healthcheck"
    below = f"/{quote(loadable[0])}" if loadable else ""
    return f"{curl} {shlex.quote(f'{url}/models{below}')}"


def known_request(repository: ModelRepository, name: str) -> str:
    """Return the first short warm-up request of a model, or nothing."""
    try:
        requests = repository.read_config(repository.resolve(name, CPU)).warmup
    except ServingError:
        return ""
    bodies = [each.body.decode("utf-8", "replace").strip() for each in requests]
    return next((body for body in bodies if len(body) <= MAX_SHOWN and body.isprintable()), "")


def reachable(url: str) -> str:
    """The address for a client on this machine."""
    for any_address, address in ANY_ADDRESS.items():
        url = url.replace(f"//{any_address}:", f"//{address}:")
    return url


def quantity(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
