"""`torch-serving bench MODEL --suggest`: the flags with which this machine serves a model best."""

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from torch_serving.bench.address import Address
from torch_serving.bench.candidates import DEFAULTS, Candidate
from torch_serving.bench.contestant import Contestant
from torch_serving.bench.load import Load
from torch_serving.bench.machine import machine, machine_text
from torch_serving.bench.measurement import measure
from torch_serving.bench.process_memory import available_bytes
from torch_serving.bench.same_results import is_same
from torch_serving.bench.suggest import Search, Server
from torch_serving.bench.suggest_report import report
from torch_serving.bench.target import Target
from torch_serving.cli.bench_subject import Subject, subject_of_file
from torch_serving.cli.progress import Progress
from torch_serving.cli.settings import read_settings
from torch_serving.errors import StartupError

CONNECTIONS = 16
EXIT_INTERRUPTED = 130
MEMORY_SHARE = 0.5  # of what is free, for one more server
FORMAT_S = 1.5
ELSEWHERE = "--suggest tries servers with other flags, so it takes a model file, not a URL"


def suggest(arguments: argparse.Namespace, server_flags: Sequence[str]) -> int:
    """Search, and print what was found; after Ctrl-C, what was found until then."""
    if arguments.url or arguments.uds or "://" in arguments.model:
        raise StartupError(ELSEWHERE)
    servers = Servers(arguments, server_flags)
    connections = max(arguments.connections or [CONNECTIONS])
    with Progress() as progress:
        search = Search(servers.start, servers.allows, connections, arguments.budget, progress.step)
        try:
            search.run(Path(arguments.model).name, len(os.sched_getaffinity(0)))
            progress.step("")
            note = "" if search.is_interrupted else servers.format_note(search, connections)
        finally:
            search.end()
    about = f"{connections} connections, {search.passed_s:.0f} s; {machine_text(machine())}"
    lines = report(search, arguments.model, list(server_flags)) if search.defaults else []
    print("\n".join([about, "", *lines, *([note] if note else [])]))
    return EXIT_INTERRUPTED if search.is_interrupted else 0


class Servers:
    """Starts servers of the model with the flags that were given and others."""

    def __init__(self, arguments: argparse.Namespace, server_flags: Sequence[str]) -> None:
        self._arguments = arguments
        self._flags = list(server_flags)
        subject_of_file(arguments, self._flags)  # says what is wrong before anything starts
        settings = read_settings([arguments.model, *self._flags], os.environ)
        self._given = set(settings.given)
        taken = [name for name in ("port", "uds") if self._is_flag(settings.given.get(name))]
        if taken:
            raise StartupError(f"--suggest starts several servers; leave --{taken[0]} out")
        self._is_stateful = False
        self._target: Target | None = None
        self._expected = b""
        self._only_structure = False
        self._server_bytes = 0

    @staticmethod
    def _is_flag(given: object) -> bool:
        return str(getattr(given, "origin", "")).startswith("--")

    def allows(self, candidate: Candidate) -> bool:
        """Whether a candidate sets nothing that was given, nor splits the state of a model."""
        names = {name.replace("-", "_") for name in candidate.settings}
        splits_state = self._is_stateful and bool(candidate.workers)
        return not names & self._given and not splits_state

    def start(self, candidate: Candidate) -> Server:
        """Start a server, and compare its answers. Raises StartupError with what is wrong."""
        self._check_memory(candidate)
        contestant = Contestant(candidate, self._locate)
        try:
            contestant.start()
            if self._target is None:
                self._learn(contestant)
            else:
                contestant.set_target(self._target)
                if problem := contestant.problem(self._expected, self._only_structure):
                    raise StartupError(problem)
        except BaseException:
            contestant.end()
            raise
        return contestant

    def _locate(self, flags: list[str]) -> tuple[Address, list[str]]:
        subject = self._subject(flags)
        return subject.address, list(subject.server or ())

    def _subject(self, flags: list[str]) -> Subject:
        return subject_of_file(self._arguments, [*self._flags, *flags])

    def _learn(self, contestant: Contestant) -> None:
        """Learn from the server with the defaults what to send, and what the answer is."""
        if contestant.address is None:
            return
        request = self._subject([]).request
        target = request.target_at(contestant.address)
        target.check(self._arguments.timeout)
        contestant.set_target(target)
        described = contestant.address.get(f"/models/{quote(request.model)}").document()
        self._is_stateful = "stateful" in described
        first, *others = contestant.answers()
        self._only_structure = not all(is_same(each, first) for each in others)
        self._target, self._expected = target, first
        self._server_bytes = contestant.memory()

    def _check_memory(self, candidate: Candidate) -> None:
        wanted = self._server_bytes * (candidate.workers or 1)
        if candidate != DEFAULTS and wanted > MEMORY_SHARE * available_bytes():
            raise StartupError(f"it may take {wanted / (1 << 20):,.0f} MiB, which is too much here")

    def format_note(self, search: Search, connections: int) -> str:
        """How much a binary form would gain, where the request can be sent so."""
        best = search.suggestion or search.defaults
        arguments = self._arguments
        if not isinstance(best, Contestant) or best.address is None or not self._target:
            return ""
        if arguments.body is not None or arguments.form not in (None, "json"):
            return ""
        load = Load(connections, seconds=FORMAT_S, warm_up_s=0.2)
        with suppress(StartupError):
            request = replace(self._subject([]).request, form="safetensors")
            binary = request.target_at(best.address)
            binary.check(arguments.timeout)
            as_json, as_binary = measure(best.target, load), measure(binary, load)
            if as_binary.rate > as_json.rate > 0 and not as_binary.failed:
                ratio = as_binary.rate / as_json.rate
                return (
                    f"\nas safetensors, it answers {ratio:.1f} times as many (--form safetensors)"
                )
        return ""
