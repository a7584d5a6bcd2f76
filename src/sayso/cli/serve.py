"""``sayso serve``: the service."""

from __future__ import annotations

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
def serve(
    *, host: str | None, port: int | None, tls_cert: Path | None, tls_key: Path | None
) -> None:
    """Serve the gallery to other programs: Rekognition's API for AWS clients, and REST.

    The first start makes an access key and shows how to use it. SIGTERM or Ctrl-C ends the service
    when everything that it has accepted is done; a second one ends it at once.
    """
    from sayso.service import server
    from sayso.service.first_key import how_to_use, make_first_key
    from sayso.settings import load_service_settings

    settings = load_service_settings(host=host, port=port, tls_cert=tls_cert, tls_key=tls_key)
    tls = server.tls_context(settings)
    with server.bound(settings) as sockets:
        number = server.port_of(sockets)
        if (warning := server.warning_of(settings)) is not None:
            complain(warning)
        with gallery(make=True) as app:
            made = make_first_key(app)
            if made is not None:
                url = server.url_of(settings, number, everywhere="localhost")
                kept = not sys.stdout.isatty()
                click.echo(how_to_use(made, url, settings.region or "us-east-1", kept=kept))

            def started() -> None:
                click.echo(f"listening on {server.url_of(settings, number)}")
                sys.stdout.flush()

            server.run(app, settings, sockets, tls=tls, started=started)
