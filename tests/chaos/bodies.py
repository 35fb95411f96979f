"""Memory that a body takes, per byte of the body."""

from tests.chaos.load import LoadConnection
from tests.chaos.stage import MEBIBYTE, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import with_length

SUM = "/serve?servable_identifier=sum.pt"
SIZE, MOST = 64 * MEBIBYTE, 3.0


def made(size: int) -> dict[str, bytes]:
    """Bodies of about `size` bytes, invalid ones and sums."""
    number = b'[{"type":"tensor","value":[%b]}]'
    plain = b'[{"type":"tensor","value":%b}]'
    return {
        "one string": b'["%b"]' % (b"a" * size),
        "one number": b"[%b]" % (b"1" * size),
        "spaces": b"[%b]" % (b" " * size),
        "nesting": b"[" * size,
        "keys": b"{%b}" % b",".join(b'"%08d":1' % index for index in range(size // 13)),
        "numbers of 17 digits": number % b",".join([b"0.12345678901234567"] * (size // 20)),
        "`1,1,1,…`": number % (b"1," * (size // 2) + b"1"),
        "`[],[],[],…`": plain % (b"[" + b"[]," * (size // 3) + b"[]]"),
    }


def bodies(stage: Stage) -> Rows:
    """Peak memory while a body is refused or run."""
    size = int(SIZE * min(1.0, 4 * stage.effort.share))
    for name, body in made(max(MEBIBYTE, size)).items():
        with stage.server("--log-level", "warning") as server, LoadConnection(server.url) as one:
            pids = server.pids()
            one.ask(with_length(b'[{"type":"tensor","value":[1]}]', SUM))
            before = server.resident_bytes()
            server.forget_peak()
            status = one.ask(with_length(body, SUM)).status
            ratio = (server.status("VmHWM") * 1024 - before) / len(body)
            problem = server.check(pids)
        done = f"a body of {len(body) / MEBIBYTE:.0f} MiB: {name}"
        fine = ratio < MOST and status < 500 and not problem
        yield Row(done, problem or f"{status}, {ratio:.1f} × body", f"< {MOST:.0f} × body", fine)
