"""What a person must type into the phone, and where the phone finds this machine."""

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
_MOST = 3


def lan_addresses() -> list[str]:
    """The IPv4 addresses under which a phone in the same network may find this machine, the likeliest first."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    preferred = _default_route()
    found = [
        (one.address != preferred, name.startswith(_VIRTUAL), one.address)
        for name, addresses in psutil.net_if_addrs().items()
        for one in addresses
        if one.family == socket.AF_INET and name in up and not one.address.startswith(("127.", "169.254."))
    ]
    return [address for *_, address in sorted(found)][:_MOST]


def _default_route() -> str | None:
    """This machine's address on the way to everybody else; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def push_urls(host: str, port: int, token: str) -> list[str]:
    """What the app may be told to push to, the likeliest first.

    Raises:
        ConfigError: this machine is in no network.
    """
    hosts = lan_addresses() if host in ("0.0.0.0", "", "::") else [host]
    if not hosts:
        raise ConfigError(
            "this machine has no address that a phone could reach; join the phone's Wi-Fi or its hotspot, "
            "or for a phone on a cable (adb reverse) say phone://?host=127.0.0.1"
        )
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}/{token}" for name in hosts]


def invitation(urls: list[str], port: int, *, code: bool) -> str:
    """The lines for the terminal; with a QR code of the first address where ``code`` is true."""
    lines = [
        "In Sensor Logger: Settings > Data Streaming > Enable HTTP Push, and as Push URL",
        f"    {urls[0]}",
        *(f"    or {url}" for url in urls[1:]),
    ]
    if code:
        lines += [
            qr_code(urls[0]),
            "The code opens the same address in the phone's browser, to copy it and to see that it gets here.",
        ]
    lines += [
        "Switch on Accelerometer, Gravity and Gyroscope, then Start Recording (docs/phone.md).",
        "The token at the end keeps strangers out; the way is plain HTTP, which others in the network can read.",
        f"If nothing comes: the same Wi-Fi, no guest network, no VPN, and a firewall that lets TCP port {port} in.",
    ]
    return "\n".join(lines)


def qr_code(text: str) -> str:
    """A QR code for a terminal, in half blocks."""
    out = io.StringIO()
    segno.make(text, micro=False, error="l").terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")
