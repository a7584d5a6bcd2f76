"""``sayso serve``: the service."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from sayso.cli.gallery import gallery
from sayso.cli.output import complain

_file = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="Serve the gallery to other programs, over HTTP.")
@click.option("--host", metavar="HOST", help="Address to listen on; SAYSO_HOST, or 127.0.0.1.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Port to listen on; SAYSO_PORT, or 8080. 0: any that is free.",
)
@click.option(
    "--tls-cert", metavar="FILE", type=_file, help="Certificate and its chain, in PEM, for TLS."
)
@click.option("--tls-key", metavar="FILE", type=_file, help="Private key of the certificate.")
@click.option(
    "--sign-in-link/--no-sign-in-link",
    default=None,
    help="Show a link that signs in to the console, once; by default where this is a terminal.",
)
@click.option(
    "--purpose",
    metavar="P",
    help="Purpose of the access key that the first start makes; SAYSO_FIRST_KEY_PURPOSE, or "
    "administration.",
)
@click.option(
    "--attestation",
    metavar="TEXT",
    help="Your statement of how consent is collected, with which that key can enrol people; "
    "SAYSO_FIRST_KEY_ATTESTATION.",
)
def serve(
    *,
    host: str | None,
    port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    sign_in_link: bool | None,
    purpose: str | None,
    attestation: str | None,
) -> None:
    """Serve the gallery: pages for people, Rekognition's API for AWS clients, and REST.

    The first start makes an access key and shows how to use it. The link signs in whoever opens it
    first, within 15 minutes, as yourself; SIGUSR1 has another one shown. SIGTERM or Ctrl-C ends the
    service when everything that it has accepted is done; a second one ends it at once.
    """
    import asyncio

    from sayso.service import server
    from sayso.service.first_key import how_to_enter, how_to_use, make_first_key
    from sayso.service.sessions import Sessions
    from sayso.settings import load_service_settings

    settings = load_service_settings(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        first_key_purpose=purpose,
        first_key_attestation=attestation,
    )
    tls = server.tls_context(settings)
    with server.bound(settings) as sockets:
        number = server.port_of(sockets)
        if (warning := server.warning_of(settings)) is not None:
            complain(warning)
        with gallery(make=True) as app:
            made = make_first_key(app, settings.first_key_purpose, settings.first_key_attestation)
            url = server.url_of(settings, number, everywhere="localhost")
            sessions = Sessions()
            if made is None and (purpose or attestation):
                complain(
                    "this gallery has had access keys, so --purpose and --attestation do nothing: "
                    "make another key with them (sayso keys create)"
                )
            if made is not None:
                kept = not sys.stdout.isatty()
                click.echo(how_to_use(made, url, settings.region or "us-east-1", kept=kept))

            shown = sys.stdout.isatty() if sign_in_link is None else sign_in_link

            def show_link() -> None:
                if shown:
                    click.echo(
                        how_to_enter(
                            (settings.public_url or url).rstrip("/"), sessions.link(app.caller)
                        )
                    )
                    sys.stdout.flush()
                else:  # what is printed here may be a log that others read
                    complain("no link is shown: the service was started without --sign-in-link")

            def started() -> None:
                click.echo(f"listening on {server.url_of(settings, number)}")
                sys.stdout.flush()
                if shown:
                    show_link()
                if hasattr(signal, "SIGUSR1"):  # from whoever runs the service, or root, alone
                    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, show_link)

            server.run(app, settings, sockets, tls=tls, started=started, sessions=sessions)
