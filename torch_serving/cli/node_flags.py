"""The flags of servers as nodes of a fleet."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch_serving.cli.flags import NOT_GIVEN, Parser
from torch_serving.cli.flags import build_parser as parser_of_server
from torch_serving.cli.options import CONFIG_FILE, OPTIONS

REFUSED = {  # flags of the server that say nothing of nodes, and what to do instead
    "uds": "a node listens on the address of its machine",
    "tls_key": "--tls-cert names certificate and key in one file, for the balancers",
    "lifeline_fd": "nodes have one already",
    "ready_fd": "nodes have one already",
    "check": "`torch-serving FOLDER --check` looks for mistakes",
    "print_config": "`torch-serving FOLDER --print-config` prints the settings of a server",
}
NOT_WITH_NODES = "meinheld does not serve /load, which nodes are asked for; leave --server out"
PATHS = {
    CONFIG_FILE.name,
    *(each.name for each in OPTIONS if each.setting.kind in ("file", "folder")),
}


def read_node_flags(parser: Parser, flags: Sequence[str]) -> argparse.Namespace:
    """Read the flags of servers. Ends the process if they are wrong, or make no sense here."""
    server = parser_of_server()
    set_up, unknown = server.parse_known_args(flags)
    root = set_up.model_root
    if root is not NOT_GIVEN:
        unknown.append(str(root))
    if unknown:
        parser.refuse(unknown, [*parser.flags, *server.flags])
    for name, instead in REFUSED.items():
        if hasattr(set_up, name):
            parser.error(f"--{name.replace('_', '-')}: {instead}; leave it out")
    if getattr(set_up, "server", "") == "meinheld":
        parser.error(NOT_WITH_NODES)
    return set_up


def with_whole_paths(flags: Sequence[str]) -> tuple[str, ...]:
    """Return flags with whole names, and paths that hold in any folder: nodes start in Ray's."""
    server = parser_of_server()
    words: list[str] = []
    rest = iter(flags)
    for word in rest:
        flag, equals, value = word.partition("=")
        action = server.action_of(flag)
        if action is None:
            words.append(word)
            continue
        name = flag if flag in server.flags else action.option_strings[-1]
        if action.nargs == 0:
            words.append(name)
            continue
        value = value if equals else next(rest, "")
        if action.dest in PATHS:
            value = str(Path(value).absolute())
        words += [f"{name}={value}"] if equals else [name, value]
    return tuple(words)
