"""Whom a request is from, behind proxies and without."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from sayso.service.addresses import Forwarded, is_in, network_of
from sayso.settings import ServiceSettings, load_service_settings

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/64"))


def client_of(peer: str | None, *lines: str, proxies: Any = PROXIES) -> Any:
    """Return whom a request with these lines of X-Forwarded-For is taken to be from."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", line.encode()) for line in lines]
    scope: dict[str, Any] = {
        "type": "http",
        "client": None if peer is None else (peer, 1234),
        "headers": headers,
    }
    asyncio.run(Forwarded(app, proxies=proxies)(scope, None, None))  # type: ignore[arg-type]
    return seen[0] and seen[0][0]


def test_only_a_trusted_proxy_says_whom_a_request_is_from() -> None:
    assert client_of("10.1.2.3", "192.0.2.1") == "192.0.2.1"
    assert client_of("::ffff:10.1.2.3", "192.0.2.1") == "192.0.2.1"
    assert client_of("fd00::9", "2001:db8::1") == "2001:db8::1"
    assert client_of("192.0.2.9", "192.0.2.1") == "192.0.2.9"
    assert client_of("10.1.2.3", "192.0.2.1", proxies=()) == "10.1.2.3"
    assert client_of(None, "192.0.2.1") is None


def test_what_a_client_wrote_itself_is_not_believed() -> None:
    assert client_of("10.1.2.3", "127.0.0.1, 192.0.2.1") == "192.0.2.1"
    assert client_of("10.1.2.3", "127.0.0.1", "192.0.2.1, 10.9.9.9") == "192.0.2.1"


@pytest.mark.parametrize("line", ["", "nobody", "10.1.1.1", "192.0.2.1:80", "192.0.2.1, x"])
def test_where_nothing_is_told_it_is_the_proxy(line: str) -> None:
    assert client_of("10.1.2.3", line) == "10.1.2.3"


def test_an_address_of_ipv6_is_of_its_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::")
    assert network_of("2001:db8:1:2::") != network_of("2001:db8:1:3::")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of(None) == network_of("a name") == "unknown"
    assert not is_in("a name", PROXIES)


def test_proxies_are_a_list_of_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,fd00::/64")
    assert load_service_settings().trusted_proxies == (ip_network("127.0.0.1"), *PROXIES)
    assert ServiceSettings().trusted_proxies != ()
    monkeypatch.setenv("SAYSO_TRUSTED_PROXIES", "10.0.0.1/8")
    with pytest.raises(Exception, match="SAYSO_TRUSTED_PROXIES"):
        load_service_settings()
