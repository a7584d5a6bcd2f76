from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import sayso
from sayso.callers import ACTIONS
from tests.cli.conftest import Cli
from tests.service.process import ServerProcess, serving, settled, until


def test_help_tells_of_the_options(cli: Cli) -> None:
    outcome = cli("serve", "--help")
    assert outcome.status == 0
    for option in ("--host", "--port", "--tls-cert", "--tls-key", "--sign-in-link"):
        assert option in outcome.out


def test_help_does_not_load_the_service() -> None:
    script = (
        "import sys\n"
        "from sayso.cli.run import run\n"
        "run(['serve', '--help'])\n"
        "heavy = {'uvicorn', 'starlette', 'fastapi', 'botocore', 'prometheus_client', 'pydantic'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("options", "variables", "told"),
    [
        (["--tls-cert", "cert.pem"], {}, "TLS takes a certificate and its key"),
        (["--tls-cert", "no.pem", "--tls-key", "no.key"], {}, "SAYSO_TLS_CERT='no.pem': No such"),
        ([], {"SAYSO_WORKERS": "many"}, "SAYSO_WORKERS='many'"),
        ([], {"SAYSO_BUCKETS": '{"a": {"secret_key": "hush"}}'}, "SAYSO_BUCKETS: a: "),
        (["--host", "192.0.2.1"], {}, "192.0.2.1 is no address of this machine"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    outcome = cli("serve", *options)
    assert outcome.status == 1
    assert told in outcome.err
    assert "hush" not in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_none_is_wrong_usage(cli: Cli) -> None:
    assert cli("serve", "--port", "65536").status == 2


def test_a_gallery_is_made_and_the_first_key_is_in_it(data_dir: Path) -> None:
    with serving(data_dir, "--host", "localhost") as server:
        key, secret = server.key()
        assert server.url.startswith("http://localhost:")
        assert "a master key was made" in server.log
        assert server.stop() == 0
    with sayso.open(data_dir) as app:
        (found,) = app.keys()
        assert (found.id, found.actor, found.purpose) == (key, "admin", "administration")
        assert found.collections is None
        caller = app.authenticate(key, secret)
        assert caller.actions == set(ACTIONS)


def test_no_key_is_made_where_there_was_ever_one(data_dir: Path) -> None:
    with sayso.open(data_dir) as app:
        made = app.create_key("ada", purpose="door", actions=["search"])
        app.revoke_key(made.key.id)
    with serving(data_dir) as server:
        assert server.output.splitlines() == [f"listening on {server.url}"]
    with sayso.open(data_dir) as app:
        (still,) = app.keys()
        assert still.id == made.key.id


def test_the_command_it_shows_for_an_application_works(data_dir: Path) -> None:
    with serving(data_dir) as server:
        shown = re.search(r"^  sayso (keys create (?:.*\\\n)*.*)$", server.output, re.MULTILINE)
        assert shown
        command = f'"{sys.executable}" -m sayso {shown[1]}'
        environment = settled({"SAYSO_DATA": str(data_dir)})
        done = subprocess.run(
            ["sh", "-c", command], env=environment, capture_output=True, text=True, check=True
        )
        id_, secret = re.findall(r"^(?:id|secret) +(\S+)$", done.stdout, re.MULTILINE)
        # It may enrol and search, and nothing else.
        client = server.rekognition((id_, secret))
        with pytest.raises(client.exceptions.AccessDeniedException):
            client.create_collection(CollectionId="club")


def test_on_a_terminal_nobody_is_warned_of_logs(data_dir: Path) -> None:
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sayso", "serve", "--port", "0"],
        env=settled({"SAYSO_DATA": str(data_dir)}),
        stdin=end,
        stdout=end,
        stderr=subprocess.DEVNULL,
    )
    try:
        shown = b""
        while b"listening on" not in shown:
            shown += os.read(terminal, 65536)
        assert b"keep it to yourself" in shown
        assert b"may be kept in a log" not in shown
        while b"/console/enter#" not in shown:
            shown += os.read(terminal, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(end)


# --- the link to the console -----------------------------------------------------------------


def link_of(output: str) -> str:
    (link,) = re.findall(r"^  (http\S+/console/enter#\S+)$", output, re.MULTILINE)
    return str(link)


def enter(server: ServerProcess, link: str) -> httpx.Response:
    """Send what the page of the link sends."""
    address, _, token = link.partition("#")
    assert address == f"{server.url}/console/enter"
    return httpx.post(address, data={"token": token}, timeout=60)


def test_a_link_is_shown_when_it_is_asked_for_and_works_once(data_dir: Path) -> None:
    with serving(data_dir, "--sign-in-link") as server:
        until(lambda: "/console/enter#" in server.output)
        link = link_of(server.output)
        entered = enter(server, link)
        assert entered.status_code == 303
        cookies = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        assert server.get("/v1/collections", headers=cookies).status_code == 200
        again = enter(server, link)
        assert again.status_code == 403
        assert "set-cookie" not in again.headers
        assert server.stop() == 0
        token = link.partition("#")[2]
        assert token not in server.log
    with sayso.open(data_dir) as app:
        signed_in = [each for each in app.audit_entries() if each.event.kind == "signed-in"]
        assert [each.actor for each in signed_in] == [app.caller.actor]


def test_a_signal_has_another_link_shown_and_the_service_goes_on(data_dir: Path) -> None:
    with serving(data_dir, "--sign-in-link") as server:
        until(lambda: "/console/enter#" in server.output)
        first = link_of(server.output)
        server.get("/healthz")
        server.signal(signal.SIGUSR1)
        until(lambda: server.output.count("/console/enter#") == 2)
        second = link_of(server.output.replace(first, ""))
        assert second != first
        for link in (second, first):  # that one is as good as it was
            assert enter(server, link).status_code == 303
            assert enter(server, link).status_code == 403
        assert server.stop() == 0


@pytest.mark.parametrize("options", [[], ["--no-sign-in-link"]])
def test_no_link_gets_into_a_log_by_itself(data_dir: Path, options: list[str]) -> None:
    with serving(data_dir, *options) as server:
        server.get("/healthz")
        server.signal(signal.SIGUSR1)
        until(lambda: "no link is shown" in server.log)
        assert server.get("/healthz").status_code == 200
        assert server.stop() == 0
        assert "/console/enter" not in server.output + server.log


def test_the_link_is_for_the_address_that_browsers_use(data_dir: Path) -> None:
    public = "https://faces.example.org"
    with serving(data_dir, "--sign-in-link", public_url=public) as server:
        until(lambda: "/console/enter#" in server.output)
        assert link_of(server.output).startswith(f"{public}/console/enter#")


@pytest.mark.parametrize("url", ["faces.example.org", "ftp://a", "https://a/../b", "https://u:p@a"])
def test_a_public_address_that_is_none_is_told(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SAYSO_PUBLIC_URL", url)
    outcome = cli("serve")
    assert outcome.status == 1
    assert "SAYSO_PUBLIC_URL" in outcome.err
