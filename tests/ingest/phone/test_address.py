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


def test_everything_has_a_default_and_a_token_is_made_up() -> None:
    one, other = PhoneAddress.parse("phone://"), PhoneAddress.parse("phone://")
    assert (one.app, one.host, one.port, one.convention) == ("sensorlogger", "0.0.0.0", 8000, None)
    assert len(one.token) == 12
    assert one.token != other.token


def test_settings_are_read() -> None:
    one = PhoneAddress.parse("phone://?port=9000&token=correct-horse&os=ios&host=10.0.0.7")
    assert (one.host, one.port, one.token, one.convention) == ("10.0.0.7", 9000, "correct-horse", "ios")
    phyphox = PhoneAddress.parse("phone://192.168.1.5:8081?app=phyphox&start=no")
    assert (phyphox.app, phyphox.host, phyphox.port, phyphox.start) == ("phyphox", "192.168.1.5", 8081, False)
    assert PhoneAddress.parse("phone://192.168.1.5").app == "phyphox"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("phone://?prot=1", r"unknown setting 'prot' \(did you mean 'port'\?\); known for sensorlogger"),
        ("phone://?port=99999", "expected 1 to 65535"),
        ("phone://?port=-1", "expected 1 to 65535"),
        ("phone://?token=short", "8 to 128"),
        ("phone://?token=with%20blank/and", "8 to 128"),
        ("phone://?os=windows", "expected ios, android, standard"),
        ("phone://?app=other", "expected sensorlogger or phyphox"),
        ("phone://?app=phyphox", "names no phone"),
        ("phone://1.2.3.4?app=phyphox&token=12345678", "unknown setting 'token'"),
        ("phone://1.2.3.4?start=maybe", "expected yes or no"),
        ("phone://1.2.3.4?app=sensorlogger", "say phone://[?]host=1.2.3.4"),
        ("phone://1.2.3.4:x", "no IP:PORT"),
        ("phone:///data", "'/data' means nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(uri: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        PhoneAddress.parse(uri)


def test_options_that_a_phone_cannot_heed_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not accept --speed"):
        open_source("phone://?host=127.0.0.1&port=0", SourceOptions(speed=2.0))


@pytest.mark.parametrize(("uri", "package"), [("phone://", "segno"), ("phone://1.2.3.4", "aiohttp")])
def test_without_the_extra_it_is_named(uri: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("kinestream.ingest.phone.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="phone:// needs the 'phone' extra"):
        open_source(uri)


def interfaces(monkeypatch: pytest.MonkeyPatch, **addresses: str) -> None:
    """Let the machine have these interfaces; one called ``down`` is not up."""
    monkeypatch.setattr(invitation, "_default_route", lambda: addresses.get("wlan0"))
    found = {name: [SimpleNamespace(family=socket.AF_INET, address=text)] for name, text in addresses.items()}
    monkeypatch.setattr(invitation.psutil, "net_if_addrs", lambda: found)
    up = {name: SimpleNamespace(isup=name != "down") for name in addresses}
    monkeypatch.setattr(invitation.psutil, "net_if_stats", lambda: up)


def test_the_address_on_the_way_out_comes_first_and_virtual_ones_last(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_machine_in_no_network_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces(monkeypatch, lo="127.0.0.1")
    with pytest.raises(ConfigError, match="join the phone's Wi-Fi or its hotspot"):
        open_source("phone://?port=0")
    assert push_urls("127.0.0.1", 8000, "abcdefgh") == ["http://127.0.0.1:8000/abcdefgh"]
    assert push_urls("fe80::1", 8000, "abcdefgh") == ["http://[fe80::1]:8000/abcdefgh"]


def test_this_machine_s_own_addresses_are_found() -> None:
    for address in lan_addresses():
        socket.inet_aton(address)


def test_the_code_is_a_square_of_half_blocks() -> None:
    lines = qr_code("http://192.168.1.20:8000/k3x9abcdefgh").splitlines()
    assert len(lines) in range(15, 25)
    assert any("▀" in line or "▄" in line for line in lines)
