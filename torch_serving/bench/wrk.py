"""The same load by `wrk`, which can send more than a generator in Python; it has no open loop."""

import json
import math
import os
import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch_serving.bench.histogram import Latencies
from torch_serving.bench.load import Load
from torch_serving.bench.measurement import Generator, Measurement
from torch_serving.bench.recorder import Failure
from torch_serving.bench.server_steps import StepReader
from torch_serving.bench.target import Target
from torch_serving.errors import StartupError

MARK = "latencies: "
SCRIPT = """
wrk.method = "POST"
wrk.body = io.open({body}, "rb"):read("*a")
{headers}
done = function(summary, latency)
    io.write("{mark}{{\\"counts\\": [")
    for index = 1, #latency do
        local microseconds, count = latency(index)
        io.write(string.format("%s[%d, %d]", index > 1 and ", " or "", microseconds, count))
    end
    io.write(string.format('], "duration_us": %d', summary.duration))
    io.write(string.format(', "requests": %d', summary.requests))
    for name, count in pairs(summary.errors) do
        io.write(string.format(', "%s": %d', name, count))
    end
    io.write("}}\\n")
end
"""
FAILURES = {
    "status": "answers with other statuses than 2xx and 3xx, which wrk does not tell",
    "connect": "no connection",
    "read": "the connection was closed before the answer",
    "write": "the request could not be sent",
    "timeout": "no answer in time",
}


class WrkReport(NamedTuple):
    document: dict[str, Any]
    cpu_share: float  # of its threads' cores


def reason_against_wrk(target: Target, load: Load) -> str:
    """Why wrk can't put this load on a server; nothing if it can."""
    if load.rate is not None:
        return "wrk has no open loop"
    if target.address.uds:
        return "wrk does not speak to Unix sockets"
    if target.address.is_tls and not target.address.insecure:
        return "wrk looks at no certificate, which --insecure allows"
    return "" if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"


def measure_with_wrk(
    target: Target, load: Load, begins: Callable[[], None] = lambda: None
) -> Measurement:
    """Put a load on a server by wrk. `begins` is called after the warm-up. Raises StartupError."""
    reader = StepReader(target)
    with tempfile.TemporaryDirectory(prefix="torch-serving-bench-") as folder:
        script = write_script(Path(folder), target)
        if load.warm_up_s:
            run_wrk(target, load, script, load.warm_up_s)
        begins()
        reader.read()
        report = run_wrk(target, load, script, load.seconds)
        reader.read()
    found = report.document
    failures = {
        Failure(0, reason): found[name] for name, reason in FAILURES.items() if found.get(name)
    }
    return Measurement(
        load=load,
        generator=Generator("wrk", cpu_share=report.cpu_share),
        seconds=found["duration_us"] / 1e6,
        answers=found["requests"] - found.get("status", 0),
        latencies=Latencies.counted(dict(found["counts"])),
        failures=Counter(failures),
        steps=reader.steps(),
    )


def write_script(folder: Path, target: Target) -> Path:
    """Write the request as wrk wants it."""
    body, script = folder / "body", folder / "post.lua"
    body.write_bytes(target.body)
    headers = target.address.headers | dict(target.headers)
    lines = [f"wrk.headers[{quoted(name)}] = {quoted(text)}" for name, text in headers.items()]
    script.write_text(SCRIPT.format(body=quoted(str(body)), headers="\n".join(lines), mark=MARK))
    return script


def quoted(text: str) -> str:
    """Return a string of Lua."""
    return '"' + "".join(f"\\{byte:03d}" for byte in text.encode()) + '"'


def run_wrk(target: Target, load: Load, script: Path, seconds: float) -> WrkReport:
    threads = min(load.connections, max(1, (os.cpu_count() or 1) // 2))
    whole_s = math.ceil(seconds)  # it knows no parts of them
    command = ["wrk", f"-t{threads}", f"-c{load.connections}", f"-d{whole_s}s"]
    command += [f"--timeout={math.ceil(load.timeout_s)}s", f"-s{script}", target.url]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, mark, text = done.stdout.partition(MARK)
    if done.returncode or not mark:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StartupError(f"wrk failed: {' '.join(last) or f'exit code {done.returncode}'}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return WrkReport(json.loads(text), cpu_s / whole_s / threads)
