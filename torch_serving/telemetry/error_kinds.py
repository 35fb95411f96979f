"""The kinds of errors, as metrics name them: the classes of `torch_serving.errors`."""

from collections.abc import Iterator

from torch_serving.errors import ServingError

CLIENT_GONE = "client_gone"


def subclasses(base: type[ServingError]) -> Iterator[type[ServingError]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def kind_of(error: type[ServingError]) -> str:
    """The name of a class, or that of its base in `torch_serving.errors`, in lower case."""
    known = next(each for each in error.__mro__ if each.__module__ == ServingError.__module__)
    letters = (f"_{each.lower()}" if each.isupper() else each for each in known.__name__)
    return "".join(letters).strip("_")


KINDS = tuple(sorted({kind_of(each) for each in subclasses(ServingError)} | {CLIENT_GONE}))
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
