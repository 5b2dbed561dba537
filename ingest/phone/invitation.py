"""Instructions for the user: the push URL for the phone, and a QR code of it."""

from __future__ import annotations

import io
import socket

import psutil
import segno

from kinestream.core.errors import ConfigError

_VIRTUAL = (
    "docker",
    "veth",
    "br-",
    "virbr",
    "vmnet",
    "vboxnet",
    "cni",
    "flannel",
    "utun",
    "tun",
    "wg",
    "zt",
    "tailscale",
)
_MAX_ADDRESSES = 3


def lan_addresses() -> list[str]:
    """Return this machine's IPv4 addresses that a phone in the same network may reach, the likeliest first."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    preferred = _default_route()
    ranked = [
        (entry.address != preferred, name.startswith(_VIRTUAL), entry.address)
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family == socket.AF_INET and name in up and not entry.address.startswith(("127.", "169.254."))
    ]
    return [address for *_, address in sorted(ranked)][:_MAX_ADDRESSES]


def _default_route() -> str | None:
    """Return this machine's address on its default route; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def push_urls(host: str, port: int, token: str) -> list[str]:
    """Return the URLs to which the app may push, the likeliest first.

    Raises:
        ConfigError: this machine is not in a network.

    >>> push_urls("192.168.1.20", 8000, "k3x9abcd")
    ['http://192.168.1.20:8000/k3x9abcd']
    """
    hosts = lan_addresses() if host in ("0.0.0.0", "", "::") else [host]
    if not hosts:
        raise ConfigError(
            "this machine has no address that a phone can reach; join the phone's Wi-Fi or its hotspot, "
            "or for a phone on a cable (adb reverse) use phone://?host=127.0.0.1"
        )
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}/{token}" for name in hosts]


def invitation(urls: list[str], port: int, *, code: bool) -> str:
    """Return the instructions for the terminal, with a QR code of the first URL if ``code`` is true."""
    lines = [
        "In Sensor Logger: Settings > Data Streaming > Enable HTTP Push, with the Push URL",
        f"    {urls[0]}",
        *(f"    or {url}" for url in urls[1:]),
    ]
    if code:
        lines += [
            qr_code(urls[0]),
            "The code opens the same address in the phone's browser, to copy it and to test the connection.",
        ]
    lines += [
        "Switch on Accelerometer, Gravity and Gyroscope, then Start Recording (docs/phone.md).",
        "The token at the end keeps strangers out, but plain HTTP lets others in the network read the data.",
        f"If nothing arrives, check: same Wi-Fi, no guest network, no VPN, firewall open for TCP port {port}.",
    ]
    return "\n".join(lines)


def qr_code(text: str) -> str:
    """Return a QR code for the terminal, drawn with half blocks."""
    out = io.StringIO()
    segno.make(text, micro=False, error="l").terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")
