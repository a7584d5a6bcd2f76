"""``sayso ready``: whether the service of this gallery is ready, and no other one."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.gallery import gallery
from sayso.errors import InvalidPageToken, SaysoError

if TYPE_CHECKING:
    from sayso.settings import ServiceSettings

_PAUSE = 0.2
#: How long, in seconds, one question may take; a service that starts accepts none for a while.
_PATIENCE = 10.0
_LONGEST = 4096


class NotReady(SaysoError):
    """The service of this gallery does not answer, or is not ready."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came from where the service should be."""

    ready: bool
    reason: str
    proof: str


@click.command(short_help="Say whether the service of this gallery is ready.")
@click.option("--host", metavar="HOST", help="Address that it listens on; SAYSO_HOST.")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(1, 65535), help="Port of it; SAYSO_PORT."
)
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=0,
    show_default=True,
    help="Wait so long for it.",
)
def ready(*, host: str | None, port: int | None, wait: float) -> None:
    """Say whether the service of this gallery is ready: after "sayso serve", or again and again.

    The service proves that it has the keys of the gallery, so that another program that answers at
    the same port, because "sayso serve" could not start there, is not taken for it.
    """
    from sayso.settings import load_service_settings

    settings = load_service_settings(host=host, port=port)
    challenge, ends = secrets.token_urlsafe(16), time.monotonic() + wait
    while True:
        answer = _asked(settings, challenge)
        if answer is not None:
            _require_proof(settings, challenge, answer.proof)
            if answer.ready:
                click.echo(f"ready at {_url(settings)}")
                return
        if time.monotonic() >= ends:
            told = "nothing answers there" if answer is None else answer.reason
            raise NotReady(f"{_url(settings)} is not ready: {told}; see what sayso serve says")
        time.sleep(_PAUSE)


def _asked(settings: ServiceSettings, challenge: str) -> _Answer | None:
    """Return what the service says, or None where nothing listens or nothing comes."""
    import http.client
    import json

    connection = _connection(settings)
    try:
        connection.request("GET", f"/readyz?challenge={challenge}")
        response = connection.getresponse()
        body = response.read(_LONGEST)
    except http.client.HTTPException:  # something else than a service speaks there
        return _Answer(ready=False, reason="", proof="")
    except OSError:
        return None
    finally:
        connection.close()
    document: Any = None
    with contextlib.suppress(ValueError):
        document = json.loads(body)
    if not isinstance(document, dict):
        document = {}
    proof, reason = document.get("proof"), document.get("reason")
    return _Answer(
        ready=response.status == http.client.OK,
        reason=str(reason),
        proof=proof if isinstance(proof, str) else "",
    )


def _connection(settings: ServiceSettings) -> Any:
    import http.client
    import ssl

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    if settings.tls_cert is None:
        return http.client.HTTPConnection(host, settings.port, timeout=_PATIENCE)
    # The certificate is for the name that others use. Nothing is sent, and the proof decides.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, settings.port, timeout=_PATIENCE, context=context)


def _require_proof(settings: ServiceSettings, challenge: str, proof: str) -> None:
    """Raise NotReady unless a service with the keys of this gallery answered."""
    if proof:  # a service that gives one has made its gallery, and only then there is one
        with contextlib.suppress(InvalidPageToken), gallery() as app:
            app.page_position(f"ready {challenge}", proof)
            return
    raise NotReady(
        f"something else than the service of this gallery answers at {_url(settings)}, so sayso "
        "serve could not start there, or runs with another SAYSO_DATA: see what it says, or give "
        "it another port (SAYSO_PORT)"
    )


def _url(settings: ServiceSettings) -> str:
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{settings.port}"
