"""What Serve says of an application, for people. Nothing here needs Ray."""

import re
from collections import Counter
from typing import Any

UNSCHEDULED = re.compile(r"to be scheduled.*Resources required for each replica: (\{.*?\})", re.S)
CAUSE = re.compile(r"^\s*[\w.]*(?:Error|Exception): (.+)$", re.M)


def progress_of(name: str, status: Any) -> str:
    """Say how many actors run, of both versions during an update, and what others wait for."""
    counts: Counter[str] = Counter()
    for each in status.deployments.values():
        counts.update({str(state).lower(): count for state, count in each.replica_states.items()})
    text = f"{name}: " + (", ".join(f"{counts[each]} {each}" for each in sorted(counts)) or "none")
    for each in status.deployments.values():
        if found := UNSCHEDULED.search(each.message):
            text += f"; Ray has no machine yet for who starts, which wants one with {found[1]}"
    return text


def state_of(name: str, status: Any) -> str:
    """Say how an application is that is not as it shall be; nothing of one that is."""
    if status.status == "RUNNING":
        return ""
    text = progress_of(name, status)
    if status.status in ("DEPLOY_FAILED", "UNHEALTHY"):
        text += f"; it failed: {cause_in(status)}"
    return text


def cause_in(status: Any) -> str:
    """The innermost error of a deployment's message, which has the trace of an actor as well."""
    texts = [status.message, *(each.message for each in status.deployments.values())]
    found = [each for text in texts for each in CAUSE.findall(text)]
    return " ".join((found or texts)[-1].split())
