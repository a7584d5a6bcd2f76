"""The only way out of the process: connections that are checked, and no redirects.

Two things connect to other hosts: a model that is fetched, and a picture in a bucket at an S3
endpoint. Neither may reach an address that belongs to the machine's own link, where clouds answer
with the machine's credentials, however that address is spelt. What is checked is what is connected
to: a name is resolved once, every address that it has is judged, and the connection is made to one
of those, so that a second answer of the name server changes nothing.

Loopback and private addresses are allowed: object stores are often on the same machine or network.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds answer with a machine's credentials although the address is not link-local:
#: AWS, Google Cloud (IPv6), Alibaba Cloud, Oracle Cloud.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"),
    )
)
_BROADCAST: Final = ipaddress.ip_address("255.255.255.255")
#: Prefixes of IPv6 whose last 32 bits are an IPv4 address: IPv4-compatible (RFC 4291), translated
#: (RFC 2765), NAT64 (RFC 6052), and its local-use prefix (RFC 8215) as it is used with 96 bits.
_AT_THE_END: Final = tuple(
    map(
        ipaddress.IPv6Network,
        ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    )
)
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = 0x5EFE  # RFC 5214: the interface identifier is 0:5efe or 200:5efe, then the IPv4
_WORD: Final = (1 << 32) - 1
_OCTET: Final = 8
_ZONE: Final = "%"


class ForbiddenAddress(OSError):
    """A host has an address that is never connected to."""


def why_forbidden(address: str) -> str | None:
    """Return what a numeric address is, if it is never connected to; else None.

    An IPv4 address inside an IPv6 one counts as itself, whatever form it has there. Raises
    ValueError for text that is not an address.
    """
    parsed: Address = ipaddress.ip_address(address.partition(_ZONE)[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    if parsed.is_unspecified or parsed == _BROADCAST:
        return "an address of no host"
    inside = _inside(parsed) if isinstance(parsed, ipaddress.IPv6Address) else ()
    for each in (parsed, *inside):
        # ``is_link_local`` of Python 3.11 knows nothing of the IPv4 address in an IPv6 one.
        if each.is_link_local:
            return "a link-local address"
        if each.is_multicast:
            return "a multicast address"
        if each in _METADATA:
            return "the address of a cloud's metadata"
    return None


def _inside(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield every IPv4 address that an IPv6 one may stand for."""
    number = int(address)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in each for each in _AT_THE_END) or (number >> 32) & 0xFDFFFFFF == _ISATAP:
        yield ipaddress.IPv4Address(number & _WORD)
    if address in _LOCAL_NAT64:
        # RFC 6052: after 48, 56 or 64 bits, and around the octet of bits 64 to 71, which is zero.
        octets = address.packed
        for start in (6, 7, 8):
            rest = [octets[at] for at in range(start, len(octets)) if at != _OCTET]
            yield ipaddress.IPv4Address(bytes(rest[:4]))


def connect(
    address: tuple[str, int],
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
    *,
    ends: float | None = None,
) -> socket.socket:
    """Return a connection to a host's port, as ``socket.create_connection`` does.

    ``timeout`` is in seconds, for each address of the host and for the connection from then on;
    ``ends`` is when all attempts together are over, by ``time.monotonic``. Raises ForbiddenAddress
    if any address of the host is one that is never connected to, or OSError.
    """
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, where in found:
        _require_allowed(host, str(where[0]))
    problem: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, where in found:
        patience = timeout if ends is None else min(timeout or ends, ends - time.monotonic())
        if patience is not None and patience <= 0:
            raise TimeoutError(f"{host} was not reached in time")
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(patience)
            if source_address is not None:
                made.bind(source_address)
            made.connect(where)
            # Whatever is on the way, such as a translation of addresses: who was reached counts.
            _require_allowed(host, str(made.getpeername()[0]))
            made.settimeout(timeout)
        except ForbiddenAddress:
            made.close()
            raise
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def _require_allowed(host: str, address: str) -> None:
    why = why_forbidden(address)
    if why is not None:
        raise ForbiddenAddress(f"{host} is at {address}, {why}, which is never connected to")


class HTTPConnection(http.client.HTTPConnection):
    """A connection of ``http.client`` whose addresses are checked; it follows no redirect."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = connect


class HTTPSConnection(http.client.HTTPSConnection):
    """The same over TLS."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = connect


@contextlib.contextmanager
def exchange(
    host: str, port: int | None, *, secure: bool, silence: float, longest: float
) -> Iterator[http.client.HTTPConnection]:
    """Give a connection that ends by itself after ``longest`` seconds, whatever the host does.

    Connecting and the TLS handshake are part of them. ``silence`` is how long the host may say
    nothing, in seconds. Raises ForbiddenAddress or OSError, also when the time is over.
    """
    ends = time.monotonic() + longest
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(host, port, timeout=silence)
    with contextlib.closing(connection):
        connection.sock = connect((host, connection.port), silence, ends=ends)
        end = threading.Timer(max(0.0, ends - time.monotonic()), _cut, [connection])
        end.daemon = True
        end.start()
        try:
            if secure:
                secured = ssl.create_default_context().wrap_socket(
                    connection.sock, server_hostname=host, do_handshake_on_connect=False
                )
                connection.sock = secured  # first, so that the handshake can be cut, too
                secured.do_handshake()
            yield connection
        finally:
            end.cancel()


def _cut(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):  # closed by now
        connection.sock.shutdown(socket.SHUT_RDWR)
