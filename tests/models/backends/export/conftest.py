import pytest

from tests.support.packages import Odd, compile_odd


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Odd:
    """A package of a model whose results are of all kinds, and its program."""
    return compile_odd(tmp_path_factory)
