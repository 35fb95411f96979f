"""What Serve says of an application, for people."""

from types import SimpleNamespace

import pytest

from torch_serving.ray.progress import progress_of, state_of

TRACE = """\
The deployment failed to start 3 times in a row. Error:
  File "deployment_state.py", line 1, in check_ready
RayTaskError(RuntimeError): \x1b[36mray::nodes()\x1b[39m
  File "server_process.py", line 2, in __init__
RuntimeError: the server ended with exit code 2:
 --import nosuch"""
WAITING = """\
Deployment 'Node' in application 'nodes' has 2 replicas that have taken more than 30s to be
scheduled. This may be due to waiting for the cluster to auto-scale. Resources required for each
replica: {"CPU": 1.0}, total resources available: {}. Use `ray status` for more details.""".replace(
    "\n", " "
)
NO_MACHINE = '; Ray has no machine yet for who starts, which wants one with {"CPU": 1.0}'
STATES = [
    ("RUNNING", {"RUNNING": 3}, "", "nodes: 3 running", ""),
    ("DEPLOYING", {}, "", "nodes: none", "nodes: none"),
    (
        "DEPLOYING",
        {"STOPPING": 1, "RUNNING": 2, "STARTING": 1},
        "",
        "nodes: 2 running, 1 starting, 1 stopping",
        "nodes: 2 running, 1 starting, 1 stopping",
    ),
    (
        "DEPLOYING",
        {"STARTING": 2, "RUNNING": 3},
        WAITING,
        f"nodes: 3 running, 2 starting{NO_MACHINE}",
        f"nodes: 3 running, 2 starting{NO_MACHINE}",
    ),
    (
        "DEPLOY_FAILED",
        {"RUNNING": 1},
        TRACE,
        "nodes: 1 running",
        "nodes: 1 running; it failed: the server ended with exit code 2:",
    ),
    ("UNHEALTHY", {}, "a reason", "nodes: none", "nodes: none; it failed: a reason"),
]


@pytest.mark.parametrize(("status", "states", "message", "progress", "state"), STATES)
def test_states(status: str, states: dict[str, int], message: str, progress: str, state: str):
    deployment = SimpleNamespace(replica_states=states, message=message)
    found = SimpleNamespace(status=status, message="", deployments={"Node": deployment})
    assert progress_of("nodes", found) == progress
    assert state_of("nodes", found) == state
