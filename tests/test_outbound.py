"""What is connected to, and what never is."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sayso import outbound
from sayso.outbound import ForbiddenAddress, why_forbidden


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"),
        # The same IPv4 address in every form that IPv6 has for it: mapped, translated, compatible,
        # 6to4, NAT64 and its local-use prefix (with 96, 48, 56 and 64 bits), ISATAP, Teredo.
        *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:0:169.254.169.254"),
        *("::169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::169.254.169.254"),
        *("64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::"),
        *("64:ff9b:1:0:a9:fea9:fe00:0", "2001:db8::5efe:a9fe:a9fe", "2001:db8::200:5efe:a9fe:a9fe"),
        *("2001:0:a9fe:a9fe::", "2001::5601:5601"),
        *("224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:224.0.0.1"),
        *("0.0.0.0", "::", "::ffff:0.0.0.0", "255.255.255.255"),
        *("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "::ffff:100.100.100.200"),
        "192.0.0.192",
    ],
)
def test_these_are_never_connected_to(address: str) -> None:
    assert why_forbidden(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8", "2002:808:808::1"),
        *("64:ff9b:1::8.8.8.8", "8.8.8.8", "2606:4700::1111", "169.253.255.255", "169.255.0.0"),
    ],
)
def test_these_may_be(address: str) -> None:
    assert why_forbidden(address) is None


def _resolving(*answers: list[str]) -> Any:
    """Return a name server that gives one of the answers after the other, and then the last."""
    left = list(answers)

    def getaddrinfo(_host: str, port: int, **_: Any) -> list[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    return getaddrinfo


def test_a_name_that_is_answered_differently_the_second_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was checked is connected to: the name is not looked up again (DNS rebinding)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(socket, "getaddrinfo", _resolving(["127.0.0.1"], ["169.254.169.254"]))
        with outbound.connect(("example.org", listening.getsockname()[1]), 5) as made:
            assert made.getpeername()[0] == "127.0.0.1"


def test_one_such_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        monkeypatch.setattr(socket, "getaddrinfo", _resolving(["127.0.0.1", "169.254.169.254"]))
        with pytest.raises(ForbiddenAddress, match=r"169\.254\.169\.254, a link-local address"):
            outbound.connect(("example.org", listening.getsockname()[1]), 5)
        with pytest.raises(TimeoutError):  # nobody was spoken to
            listening.accept()


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listening:
        monkeypatch.setattr(socket, "getaddrinfo", _resolving(["127.0.0.1", "127.0.0.2"]))
        with outbound.connect(("example.org", listening.getsockname()[1]), 5) as made:
            assert made.getpeername()[0] == "127.0.0.2"
