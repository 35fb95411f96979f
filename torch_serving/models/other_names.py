"""Other names of models, which the operator gives: `--name iris=flowers/iris.pt`."""

from collections.abc import Iterable

from torch_serving.errors import InvalidServable, StartupError
from torch_serving.models.identifiers import NoSuchModel, normalize
from torch_serving.models.repository import ModelRepository


def other_names(repository: ModelRepository, given: Iterable[str]) -> dict[str, str]:
    """Return the identifiers of models by the names given, as in `iris=flowers/iris.pt`.

    Without an identifier, as in `iris`, the only model is meant. Raises StartupError for a name
    that already means another model, and for a model that is not there.
    """
    found: dict[str, str] = {}
    for text in given:
        name, _, meant = text.partition("=")
        identifier = identifier_of(repository, text, meant)
        already = found.get(name) or identifier_by_itself(repository, text, name)
        if already not in ("", identifier):
            raise StartupError(f"--name {text}: `{name}` is {already} already")
        found[name] = identifier
    return found


def identifier_of(repository: ModelRepository, text: str, meant: str) -> str:
    try:
        if meant:
            return repository.check_exists(repository.find_identifier(meant))
    except InvalidServable as error:
        hint = repository.near_names.hint(meant)
        raise StartupError(f"--name {text}: {error.detail}{hint}") from None
    if only := repository.near_names.only():
        return only
    count = len(repository.names())
    raise StartupError(f"--name {text}: there are {count} models; say which, as in {text}=iris.pt")


def identifier_by_itself(repository: ModelRepository, text: str, name: str) -> str:
    """The identifier that a name means anyway, or nothing."""
    try:
        if normalize(name) != name:
            raise StartupError(f"--name {text}: write it as {normalize(name)}")
    except InvalidServable:
        raise StartupError(f"--name {text}: `{name}` can't be the name of a model") from None
    try:
        return repository.find_identifier(name)
    except NoSuchModel:
        return ""
