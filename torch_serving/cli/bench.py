"""`torch-serving bench`: load for a model or a server, and what it measures."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from torch_serving.cli.bench_flags import (
    CONNECTIONS,
    OPEN_CONNECTIONS,
    build_parser,
    read_arguments,
)
from torch_serving.cli.progress import Progress
from torch_serving.cli.requirements import required_modules
from torch_serving.errors import StartupError

if TYPE_CHECKING:  # what a server needs not
    from torch_serving.bench.document import Earlier
    from torch_serving.bench.load import Load
    from torch_serving.bench.measurement import Measurement
    from torch_serving.bench.target import Target
    from torch_serving.cli.bench_subject import Subject

__all__ = ["bench", "build_parser"]

EXIT_NOTHING = 1  # no answer was 200
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def bench(argv: Sequence[str]) -> int:
    """Measure, and print or write what was measured."""
    flags, server_flags = split(argv)
    arguments = read_arguments(flags)
    if arguments.suggest:
        return search(arguments, server_flags)
    with required_modules():
        from torch_serving.bench import document
        from torch_serving.cli.bench_subject import subject_of
    earlier = document.read_document(arguments.compare) if arguments.compare else None
    check_writable(arguments.svg)
    subject = subject_of(arguments, server_flags)
    signal.signal(signal.SIGTERM, end)
    run = Run(arguments, subject)
    run.measure()
    if run.target is None or not run.measurements:
        return EXIT_INTERRUPTED
    found = document.document_of(run.target, run.measurements, server_flags)
    print_results(arguments, found, run.measurements, earlier)
    if run.problem:
        raise run.problem
    if run.is_interrupted:
        return EXIT_INTERRUPTED
    return 0 if any(each.answers for each in run.measurements) else EXIT_NOTHING


def search(arguments: argparse.Namespace, server_flags: Sequence[str]) -> int:
    """Look for better flags in subject of measuring."""
    with required_modules():
        from torch_serving.cli.bench_suggest import suggest

    signal.signal(signal.SIGTERM, end)
    return suggest(arguments, server_flags)


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the flags of a server, which stand after `--`."""
    at = list(argv).index("--") if "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])


def end(number: int, frame: object) -> NoReturn:
    """Let SIGTERM end the server that was started, too."""
    sys.exit(EXIT_TERMINATED)


def check_writable(path: Path | None) -> None:
    """Raise StartupError for a picture that could not be written at the end."""
    if path and path.is_dir():
        raise StartupError(f"--svg: {path} is a folder; name a file in it")
    if path and not path.parent.is_dir():
        raise StartupError(f"--svg: no such folder: {path.parent}")


class Run:
    """The loads that were asked for, one after the other."""

    def __init__(self, arguments: argparse.Namespace, subject: "Subject") -> None:
        self._arguments = arguments
        self._subject = subject
        self.target: Target | None = None
        self.measurements: list[Measurement] = []
        self.problem: StartupError | None = None  # that ended the loads
        self.is_interrupted = False

    def measure(self) -> None:
        """Measure all loads, or those before Ctrl-C. Raises StartupError."""
        try:
            with ExitStack() as stack:
                progress = stack.enter_context(Progress())
                self._measure_all(self._started(stack, progress), progress)
        except KeyboardInterrupt:
            self.is_interrupted = True

    def _started(self, stack: ExitStack, progress: Progress) -> "Subject":
        """Start the server that is wanted, if any; return the subject at its address."""
        from torch_serving.bench.own_server import own_server

        if self._subject.server is None:
            return self._subject
        progress.step("starting the server")
        server = stack.enter_context(own_server(self._subject.server, self._subject.address))
        return replace(self._subject, address=server.address)

    def _measure_all(self, subject: "Subject", progress: Progress) -> None:
        progress.step("loading the model")
        target = subject.target()
        target.check(self._arguments.timeout)
        self.target = target
        for load in loads_of(self._arguments):
            try:
                measurement = measure_one(target, load, self._arguments.generator, progress)
            except StartupError as error:  # the server has gone
                if not self.measurements:
                    raise
                self.problem = error
                return
            self.is_interrupted = measurement.is_interrupted
            if measurement.answers or not self.is_interrupted:  # else it had hardly begun
                self.measurements.append(measurement)
            if self.is_interrupted:
                return


def loads_of(arguments: argparse.Namespace) -> "list[Load]":
    from torch_serving.bench.load import Load

    times = {
        "seconds": arguments.seconds,
        "warm_up_s": arguments.warm_up,
        "timeout_s": arguments.timeout,
    }
    if arguments.rate:
        (most,) = arguments.connections or [OPEN_CONNECTIONS]
        return [Load(most, rate, **times) for rate in arguments.rate]
    return [Load(each, **times) for each in arguments.connections or CONNECTIONS]


def measure_one(
    target: "Target", load: "Load", generator: str, progress: Progress
) -> "Measurement":
    """Measure by our own generator, or by wrk where that is asked for or better."""
    from torch_serving.bench.generator import Generated
    from torch_serving.bench.measurement import measure
    from torch_serving.bench.progress_text import progress_text
    from torch_serving.bench.wrk import measure_with_wrk, reason_against_wrk

    reason = reason_against_wrk(target, load)
    if generator == "wrk":
        if reason:
            raise StartupError(f"--generator wrk: {reason}")
        progress.step(f"{load.name}, by wrk")
        return measure_with_wrk(target, load)
    generated = Generated()
    progress.step(load.name)
    if progress.redraws:
        progress.follow(lambda: progress_text(load, generated))
    measured = measure(target, load, generated)
    if generator == "auto" and not reason and measured.is_busy and not measured.is_interrupted:
        progress.step(f"{load.name}: our generator was the limit; again by wrk")
        return measure_with_wrk(target, load)
    return measured


def print_results(
    arguments: argparse.Namespace,
    found: dict[str, Any],
    measurements: "Sequence[Measurement]",
    earlier: "Earlier | None",
) -> None:
    """Print the figures, and write the picture."""
    from torch_serving.bench.machine import machine_text
    from torch_serving.bench.report import generator_text, remarks, table

    ratios = beside(earlier, found["request"], measurements) if earlier else []
    about = [request_text(found["request"]), machine_text(found["machine"])]
    if found["server_flags"]:
        about.append(f"server: {' '.join(found['server_flags'])}")
    if arguments.json:
        print(json.dumps({**found, "comparison": ratios}, indent=2))
    else:
        lines = [*about, "", *table(measurements), "", *remarks(measurements)]
        lines.append(generator_text(measurements))
        if ratios:
            lines += ["", f"beside {arguments.compare}:", *ratios]
        print("\n".join(lines))
    if arguments.svg:
        before = earlier.measurements if earlier else []
        write_picture(arguments.svg, about, measurements, before)


def beside(
    earlier: "Earlier", request: dict[str, Any], measurements: "Sequence[Measurement]"
) -> list[str]:
    """The figures as shares of earlier ones, and a word where those are of another request."""
    from torch_serving.bench.compare import comparison

    ratios = comparison(measurements, earlier.measurements)
    was, now = ({**each, "url": "", "body": ""} for each in (earlier.request, request))
    if was == now:
        return ratios
    return [f"not the same request: it was {request_text(earlier.request)}", *ratios]


def request_text(request: dict[str, Any]) -> str:
    what = f"{request['model']}, {request['method']}: " if request["model"] else ""
    kind = request["content_type"].rpartition("/")[2]
    return f"{what}{request['bytes']:,} bytes of {kind} ({request['body']}) to {request['url']}"


def write_picture(
    path: Path,
    about: Sequence[str],
    measurements: "Sequence[Measurement]",
    earlier: "Sequence[Measurement]",
) -> None:
    from torch_serving.bench.svg import picture

    title = f"{about[0].partition(':')[0]}: throughput and latency"
    try:
        path.write_text(picture(title, about[1:], measurements, earlier), encoding="utf-8")
    except OSError as error:
        raise StartupError(f"--svg {path}: {error.strerror}") from None
