"""The steps of the pages about systemd and containers, as far as they can be taken here."""

import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path

from tests.support.deployed import tool
from tests.support.pages import ROOT, blocks_of, commands_of, run_shell
from torch_serving.cli.flags import build_parser

CONTAINERFILE = ROOT / "deploy" / "Containerfile"
SYSTEM_FOLDERS = ("/opt/", "/srv/", "/etc/")


def commands(page: str) -> list[str]:
    blocks = blocks_of(f"docs/recipes/{page}")
    return [each for block in blocks if block.language == "sh" for each in commands_of(block.text)]


def instructions() -> list[list[str]]:
    """The instructions of the Containerfile in words."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE)
    return [line.split() for line in text.replace("\\\n", "").splitlines() if line]


def arguments_of(kind: str) -> list[str]:
    """A program and its arguments, as ENTRYPOINT and CMD have them; the last ones hold."""
    words = [words for words in instructions() if words[0] == kind][-1]
    return re.findall(r'"([^"]*)"', " ".join(words))


def test_the_steps_for_systemd(tmp_path: Path):
    clone, system = tmp_path / "clone", tmp_path / "system"
    (clone / "models").mkdir(parents=True)
    (clone / "models" / "mlp.pt").write_text("a model")
    (clone / "deploy").symlink_to(ROOT / "deploy")
    for folder in ("srv", "etc/systemd/system"):
        (system / folder).mkdir(parents=True)
    for command in commands("systemd.md"):
        if "venv" in command or "pip" in command or "systemctl" in command:
            continue
        for folder in SYSTEM_FOLDERS:
            command = command.replace(folder, f"{system}{folder}")
        run_shell(command.replace("sudo ", ""), clone)
    unit = (system / "etc/systemd/system/torch-serving.service").read_text()
    assert "/opt/torch-serving/bin/torch-serving /srv/models" in unit
    keys = system / "etc/torch-serving/keys"
    assert f"LoadCredential=keys:{str(keys).removeprefix(str(system))}\n" in unit
    assert re.fullmatch(r"[0-9a-f]{64}\n", keys.read_text())
    assert (keys.stat().st_mode & 0o777, keys.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (system / "srv/models/mlp.pt").read_text() == "a model"


def test_the_containers_sources_are_there():
    """Each is copied from the clone, and not ignored; all that the build needs is among them."""
    copied = {
        source
        for words in instructions()
        if words[0] == "COPY" and not words[1].startswith("--from")
        for source in words[1:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
    for needed in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "ext", "torch_serving"):
        assert needed in copied


def test_the_container_runs_the_server():
    by_name = {words[0]: words[1:] for words in instructions()}
    assert by_name["USER"] == ["10001:10001"]
    assert instructions()[0] == ["ARG", "BASE=python:3.13-slim-bookworm"]
    assert by_name["ENV"] == ["TORCH_SERVING_HOST=0.0.0.0"]
    [program] = arguments_of("ENTRYPOINT")
    assert program.endswith("/bin/torch-serving")
    build_parser().read(arguments_of("CMD"))


def test_its_extras_are_there():
    project = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    extras = set(re.findall(r"^(\w+) = \[", project.partition("\n[")[0], re.MULTILINE))
    [default] = re.findall(r"^ARG EXTRAS=(\S+)$", CONTAINERFILE.read_text(), re.MULTILINE)
    assert set(default.split(",")) <= extras


def test_its_health_check_is_a_program():
    _, code = arguments_of("HEALTHCHECK")[1:]
    compile(code, "HEALTHCHECK", "exec")
    assert "/healthcheck" in code


def test_docker_gets_flags_that_exist():
    [built, ran] = [
        shlex.split(each)
        for each in commands("container.md")
        if re.match("docker (build|run)", each)
    ]
    assert ROOT / built[built.index("--file") + 1] == CONTAINERFILE
    image = built[built.index("--tag") + 1]
    mounted = [word.split(":")[1] for word in ran if word.endswith(":ro")]
    read = vars(build_parser().read(ran[ran.index(image) + 1 :]))
    assert [str(read["model_root"]), str(read["api_key_file"])] == mounted


def test_its_readme_names_what_there_is():
    targets = re.findall(
        r"\]\(([^()#]+)(?:#[^()]*)?\)", (ROOT / "deploy" / "README.md").read_text()
    )
    assert all((ROOT / "deploy" / target).exists() for target in targets)
    named = {target.partition("/")[0] for target in targets}
    assert {each.name for each in (ROOT / "deploy").iterdir()} - {"README.md"} <= named


def test_hadolint_finds_nothing():
    done = subprocess.run([tool("hadolint"), CONTAINERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_that_was_built_is_copied():
    patterns = (ROOT / ".dockerignore").read_text().split()
    assert any(fnmatch("torch_serving/http/_connection.so", each) for each in patterns)
