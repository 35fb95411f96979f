"""`torch-serving haproxy`: what it prints, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from torch_serving.cli import haproxy as command
from torch_serving.cli.main import main
from torch_serving.haproxy import Address, DnsName, Fleet, binary, render

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command: its exit code, what it prints, and what it says."""

    def run_one(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["haproxy", *map(str, arguments)])
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run_one


NODES = (Address("a", 8888), Address("10.0.0.2", 9000))


@pytest.mark.parametrize(
    ("arguments", "fleet"),
    [
        (["--node", "a:8888", "10.0.0.2:9000"], Fleet(NODES)),
        (["--node", "a", "--node", "10.0.0.2:9000"], Fleet(NODES)),
        (["--dns", "nodes"], Fleet(dns=DnsName("nodes", 8888))),
        (["--dns", "nodes:80", "--slots", "9"], Fleet(dns=DnsName("nodes", 80), slots=9)),
        (["--dns", "_http._tcp.nodes"], Fleet(dns=DnsName("_http._tcp.nodes", None))),
        (
            ["--node", "[::1]:1", "--bind", ":80", "--stats"],
            Fleet((Address("::1", 1),), bind=Address("", 80), stats=Address("127.0.0.1", 8404)),
        ),
        (
            ["--dns", "nodes", "--bind", "10.0.0.1:80", "--stats", ":9000"],
            Fleet(dns=DnsName("nodes"), bind=Address("10.0.0.1", 80), stats=Address("", 9000)),
        ),
        (
            ["--dns", "n", "--balance-factor", "150", "--copies", "a b=c.pt=3", "--copies", "d=2"],
            Fleet(dns=DnsName("n"), balance_factor=150, copies={"a b=c.pt": 3, "d": 2}),
        ),
        (
            ["--dns", "n", "--request-timeout", "20", "--header-timeout", "2"],
            Fleet(dns=DnsName("n"), request_timeout_s=20, header_timeout_s=2),
        ),
        (
            ["--dns", "n", "--max-connections", "9", "--balancer-threads", "2"],
            Fleet(dns=DnsName("n"), max_connections=9, threads=2),
        ),
        (
            ["--dns", "n", "--node-ca", "ca.pem", "--stats-socket", "socket"],
            Fleet(dns=DnsName("n"), node_ca=Path("ca.pem"), stats_socket=Path("socket")),
        ),
    ],
)
def test_what_it_prints(arguments: list[str], fleet: Fleet, run: Run):
    code, out, err = run(*arguments)
    assert (code, out) == (0, render(fleet))
    assert "--open-health" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected either --node HOST:PORT ... or --dns NAME"),
        (["--node", "a", "--dns", "b"], "expected either --node HOST:PORT ... or --dns NAME"),
        (["--node", "a", "a:8888"], "a:8888 is given twice"),
        (["--node", "a b:1"], "neither an IP address nor a name"),
        (["--node", "a:1\nbind"], "expected a port"),
        (["--node", "$(id):1"], "neither an IP address nor a name"),
        (["--dns", "a'b"], "expected a name of DNS"),
        (["--bind", "8000"], "no port"),
        (["--bind", "*:8000"], "neither an IP address nor a name"),
        (["--node", "a", "--slots", "3"], "--slots: it is for --dns"),
        (["--node", "a", "--balance-factor", "99"], "from 101 on"),
        (["--node", "a", "--copies", "nothing.map"], "No such file"),
        (["--node", "a", "--copies", "it's.pt=3"], "can't be used"),
        (["--node", "a", "--copies", "a.pt=0"], "No such file"),
        (["--node", "a", "--stats-socket", "a\nb"], "HAProxy can't read"),
        (["--nodes", "a"], "did you mean --node?"),
    ],
)
def test_what_it_refuses(arguments: list[str], words: str, run: Run):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("torch-serving")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hot 3\nhot.pt 3\n", "line 2: write hot; names have no .pt here"),
        ("hot\n", "line 1: expected a name and a number"),
        ("two words 3\n", "line 1: expected a name and a number"),
        ("# hot\n\nhot 0\n", "line 3: expected a name and a number"),
    ],
)
def test_a_file_of_copies_that_would_not_do(text: str, words: str, run: Run, tmp_path: Path):
    file = tmp_path / "copies.map"
    file.write_text(text)
    code, out, err = run("--node", "a", "--copies", file)
    assert (code, out) == (2, "")
    assert words in err
    assert "HAProxy reads one file" in run("--node", "a", "--copies", file, "--copies", file)[2]


def test_a_file_of_copies(run: Run, tmp_path: Path):
    file = tmp_path / "copies.map"
    file.write_text("# as measured on Monday\nhot 3\ntext/été 2\n")
    code, out, _ = run("--node", "a", "--copies", file)
    assert (code, out) == (0, render(Fleet(NODES[:1], copies_file=file)))


def test_a_certificate_without_its_key(run: Run, certificate: tuple[Path, Path], tmp_path: Path):
    file = tmp_path / "cert.pem"
    file.write_text(certificate[0].read_text())
    assert "no cert.pem.key beside" in run("--node", "a", "--tls-cert", file)[2]
    (tmp_path / "cert.pem.key").write_text(certificate[1].read_text())
    assert run("--node", "a", "--tls-cert", file)[0] == 0
    assert run("--node", "a", "--tls-cert", "/elsewhere.pem")[0] == 0  # on another machine


@pytest.mark.skipif(binary() is None, reason="haproxy is not installed")
def test_check(run: Run, tmp_path: Path):
    code, out, _ = run("--node", "no-such-name.invalid:80", "--check")
    assert (code, out) == (0, run("--node", "no-such-name.invalid:80")[1])
    code, out, err = run("--node", "a", "--tls-cert", tmp_path / "nothing.pem", "--check")
    assert (code, out) == (1, "")
    assert "nothing.pem" in err


def test_check_without_haproxy(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "binary", lambda: None)
    code, out, err = run("--node", "a", "--check")
    assert (code, out) == (2, "")
    assert "apt-get install haproxy" in err
