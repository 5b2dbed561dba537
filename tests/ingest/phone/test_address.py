"""Addresses of phones, and the addresses at which a phone reaches this machine."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from kinestream.core.errors import ConfigError, MissingExtra
from kinestream.ingest.phone import invitation
from kinestream.ingest.phone.address import PhoneAddress
from kinestream.ingest.phone.invitation import lan_addresses, push_urls, qr_code
from kinestream.launch.open_source import SourceOptions, open_source


def test_every_setting_has_a_default_and_a_token_is_generated() -> None:
    address, other = PhoneAddress.parse("phone://"), PhoneAddress.parse("phone://")
    assert (address.app, address.host, address.port, address.convention) == ("sensorlogger", "0.0.0.0", 8000, None)
    assert len(address.token) == 12
    assert address.token != other.token


def test_settings_are_parsed() -> None:
    address = PhoneAddress.parse("phone://?port=9000&token=correct-horse&os=ios&host=10.0.0.7")
    assert (address.host, address.port, address.token, address.convention) == ("10.0.0.7", 9000, "correct-horse", "ios")
    phyphox = PhoneAddress.parse("phone://192.168.1.5:8081?app=phyphox&start=no")
    assert (phyphox.app, phyphox.host, phyphox.port, phyphox.start) == ("phyphox", "192.168.1.5", 8081, False)
    assert PhoneAddress.parse("phone://192.168.1.5").app == "phyphox"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("phone://?prot=1", r"unknown setting 'prot' \(did you mean 'port'\?\); known for sensorlogger"),
        ("phone://?port=99999", "expected 1 to 65535"),
        ("phone://?port=-1", "expected 1 to 65535"),
        ("phone://?token=short", "8 to 128"),
        ("phone://?token=with%20blank/and", "8 to 128"),
        ("phone://?os=windows", "expected ios, android, standard"),
        ("phone://?app=other", "expected sensorlogger or phyphox"),
        ("phone://?app=phyphox", "has no address"),
        ("phone://1.2.3.4?app=phyphox&token=12345678", "unknown setting 'token'"),
        ("phone://1.2.3.4?start=maybe", "expected yes or no"),
        ("phone://1.2.3.4?app=sensorlogger", "listen there with phone://[?]host=1.2.3.4"),
        ("phone://1.2.3.4:x", "is not IP:PORT"),
        ("phone:///data", "unexpected path '/data'"),
    ],
)
def test_a_bad_address_is_rejected_with_a_hint(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PhoneAddress.parse(uri)


def test_options_that_a_phone_cannot_follow_are_rejected() -> None:
    with pytest.raises(ConfigError, match="does not accept --speed"):
        open_source("phone://?host=127.0.0.1&port=0", SourceOptions(speed=2.0))


@pytest.mark.parametrize(("uri", "package"), [("phone://", "segno"), ("phone://1.2.3.4", "aiohttp")])
def test_a_missing_package_is_reported_with_its_extra(uri: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("kinestream.ingest.phone.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="phone:// needs the 'phone' extra"):
        open_source(uri)


def interfaces(monkeypatch: pytest.MonkeyPatch, **addresses: str) -> None:
    """Simulate a machine with these interfaces; an interface called ``down`` is not up."""
    monkeypatch.setattr(invitation, "_default_route", lambda: addresses.get("wlan0"))
    entries = {name: [SimpleNamespace(family=socket.AF_INET, address=text)] for name, text in addresses.items()}
    monkeypatch.setattr(invitation.psutil, "net_if_addrs", lambda: entries)
    up = {name: SimpleNamespace(isup=name != "down") for name in addresses}
    monkeypatch.setattr(invitation.psutil, "net_if_stats", lambda: up)


def test_the_default_route_comes_first_and_virtual_interfaces_last(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces(
        monkeypatch,
        docker0="172.17.0.1",
        lo="127.0.0.1",
        eth0="10.0.0.2",
        wlan0="192.168.1.20",
        usb0="169.254.7.7",
        down="10.9.9.9",
    )
    assert lan_addresses() == ["192.168.1.20", "10.0.0.2", "172.17.0.1"]
    assert push_urls("0.0.0.0", 8000, "abcdefgh")[0] == "http://192.168.1.20:8000/abcdefgh"


def test_a_machine_without_a_network_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces(monkeypatch, lo="127.0.0.1")
    with pytest.raises(ConfigError, match="join the phone's Wi-Fi or its hotspot"):
        open_source("phone://?port=0")
    assert push_urls("127.0.0.1", 8000, "abcdefgh") == ["http://127.0.0.1:8000/abcdefgh"]
    assert push_urls("fe80::1", 8000, "abcdefgh") == ["http://[fe80::1]:8000/abcdefgh"]


def test_real_interfaces_give_valid_addresses() -> None:
    for address in lan_addresses():
        socket.inet_aton(address)


def test_the_qr_code_is_a_square_of_half_blocks() -> None:
    lines = qr_code("http://192.168.1.20:8000/k3x9abcdefgh").splitlines()
    assert len(lines) in range(15, 25)
    assert any("▀" in line or "▄" in line for line in lines)
