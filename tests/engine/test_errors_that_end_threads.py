"""What is no Exception, as SystemExit or a panic of Rust, ends a job, and never its thread."""

import asyncio
from typing import Any

import pytest

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S, in_a_thread
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents


class Panic(BaseException):
    """As pyo3 raises it."""


async def ask(engine: Engine, model: Any, step: str, error: BaseException, warm_ups: int) -> Any:
    """Send three requests that fail in a step, and one that does not."""

    def fail(*_: Any) -> Any:
        raise error

    for _ in range(warm_ups):
        await engine.submit(model, body_of(1.0))
    working = getattr(model, step)
    setattr(model, step, fail)
    asked = (engine.submit(model, body_of(1.0)) for _ in range(3))
    failed = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), LIMIT_S)
    setattr(model, step, working)
    return failed, await asyncio.wait_for(engine.submit(model, body_of(1.0)), LIMIT_S)


@pytest.mark.parametrize("error", [SystemExit(3), Panic("unwrap")], ids=repr)
@pytest.mark.parametrize("step", ["decode", "run", "encode"])
@pytest.mark.parametrize("warm_ups", [0, 8])  # then they run inline
def test_the_next_request_has_its_response(
    error: BaseException, step: str, warm_ups: int, every_run_is_short: None
):
    reported: list[Any] = []
    engine = Engine(1, events=EngineEvents(on_fatal=lambda *why: reported.append(why)))
    engine.start()
    try:
        asking = ask(engine, method(), step, error, warm_ups)
        failed, response = in_a_thread(asyncio.run, asking)
    finally:
        engine.close()
        engine.join(LIMIT_S)
    assert [str(each) for each in failed] == [f"a step raised {type(error).__name__}"] * 3
    assert all(each.__cause__ is error for each in failed)
    assert b"[2.0]" in response
    assert not reported


def test_a_program_can_be_interrupted():
    model = method()

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    model._run = interrupt
    with pytest.raises(KeyboardInterrupt):
        in_a_thread(Engine(1).run, model, body_of(1.0))
