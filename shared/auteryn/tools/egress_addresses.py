"""Which hosts and addresses lead out to the public internet, by our own table.

`ipaddress.is_global` is not asked: in Python 3.11 it lets NAT64, 6to4 and multicast through, and it changes with the version.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_V4 = {
    "this network": ("0.0.0.0/8",),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "loopback": ("127.0.0.0/8",),
    "link-local, where clouds keep their metadata": ("169.254.0.0/16",),
    "kept for protocols": ("192.0.0.0/24", "192.88.99.0/24"),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    "for benchmarks": ("198.18.0.0/15",),
    "multicast": ("224.0.0.0/4",),
    "reserved": ("240.0.0.0/4",),
    "Azure's metadata": ("168.63.129.16/32",),
}
"""IANA's special-purpose registry, and the one cloud whose metadata address looks public."""
_V6 = {
    "kept for protocols (Teredo among them)": ("2001::/23",),
    "for documentation": ("2001:db8::/32", "3fff::/20"),
    "6to4": ("2002::/16",),
}
_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is handed out: what lies outside is loopback, private, link-local, multicast or nothing yet."""
_CARRIES_V4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""IPv4-mapped and NAT64: the connection goes to the IPv4 address in the last 32 bits."""
_ISATAP = (0x5EFE, 0x0200_5EFE)

_METADATA = frozenset({"169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"})
_METADATA_NETS = (IPv4Network("169.254.0.0/16"), IPv6Network("fe80::/10"))
_METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)

_NETS_V4 = [(IPv4Network(net), why) for why, nets in _V4.items() for net in nets]
_NETS_V6 = [(IPv6Network(net), why) for why, nets in _V6.items() for net in nets]
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LIKE_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def not_public(address: Address) -> str | None:
    """Why the address is none of the public internet; None if it is."""
    address = carried(address)
    if isinstance(address, IPv4Address):
        return next((why for net, why in _NETS_V4 if address in net), None)
    if address not in _UNICAST:
        return "outside public IPv6"
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return "a tunnel into IPv4"
    return next((why for net, why in _NETS_V6 if address in net), None)


def metadata(address: Address) -> bool:
    """Whether a cloud's metadata server may answer there: never reached, whatever is allowed."""
    address = carried(address)
    return str(address) in _METADATA or any(address in net for net in _METADATA_NETS if net.version == address.version)


def this_machine(address: Address) -> bool:
    """Whether the address is one of this machine's own: a public one leads to what listens here as well, past its firewall."""
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))  # sends nothing; the way to an own address begins there
        except OSError:
            return False
        return ip_address(probe.getsockname()[0]) == address


def carried(address: Address) -> Address:
    """The IPv4 address a mapped or NAT64 address stands for; else the address itself."""
    if isinstance(address, IPv6Address) and any(address in net for net in _CARRIES_V4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def plain_host(host: str) -> str:
    """The host in the one form it is judged and connected by: lower case, ASCII, no trailing dot, IPv6 without brackets.

    Raises `ValueError` for whatever programs read differently: octal, hexadecimal, short and whole-number addresses, zones,
    names that are no host names, the clouds' metadata names.
    """
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if ":" in host:
        return str(IPv6Address(host if "%" not in host else "zone"))
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if _LIKE_A_NUMBER.fullmatch(labels[-1]):
        return str(IPv4Address(name))
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("is no host name")
    if name in _METADATA_HOSTS:
        raise ValueError("is a cloud's metadata server")
    return name


def listed_host(host: str) -> str:
    """A host of an owner's list as hosts are judged; raises `ValueError` for one that no host could ever be."""
    plain = host.lower().removesuffix(".")
    return plain if plain in _METADATA_HOSTS else plain_host(host)


def literal(host: str) -> Address | None:
    """The address, if a plain host is one."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    import idna

    return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
