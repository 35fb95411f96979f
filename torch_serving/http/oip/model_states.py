"""The states of models, in the words of the Open Inference Protocol's repository extension."""

from typing import NamedTuple

from torch_serving.service.interfaces import ModelStatus

NOT_LOADED = "not loaded; the first request loads it"
FETCHING = "its file is being fetched; ask again"
LOADING = "it is being loaded; ask again"


class ModelState(NamedTuple):
    """`state` is READY for a model that is loaded, else UNAVAILABLE, for a `reason`."""

    name: str
    state: str
    reason: str


def model_state(status: ModelStatus) -> ModelState:
    reason = "" if status["state"] == "loaded" else NOT_LOADED
    if status["state"] == "invalid":
        reason = f"it can't be loaded: {status['problem']}"
    if status["state"] == "fetching":
        reason = FETCHING
    if status["state"] == "quarantined":
        reason = f"in quarantine for {status['quarantine_left_s']} s, as the server died with it"
    return ModelState(status["identifier"], "UNAVAILABLE" if reason else "READY", reason)
