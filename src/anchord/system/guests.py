"""Containers and virtual machines of this system, whose DNS changes with its resolv.conf.

A resolver on loopback is not reached from another network namespace. Docker and Podman leave such
addresses out of the resolv.conf of a container and, when none is left, write those of a public
resolver, unless they are told of one. libvirt's networks have a forwarder of their own, which runs
here and reaches us.
"""

from collections.abc import Iterator
from contextlib import suppress

import msgspec
from msgspec import MsgspecError, Struct

from . import links
from .machine import Machine

DOCKER_FILE = "/etc/docker/daemon.json"
PODMAN_FILES = ("/etc/containers/containers.conf", "/etc/containers/containers.conf.d")


def notes(machine: Machine) -> Iterator[str]:
    """What people must know of each kind that is here, with the setting that helps."""
    if machine.is_socket("/run/docker.sock") and not _docker_has_servers(machine):
        yield (
            "Docker: containers on the default bridge cannot reach a resolver on loopback, and"
            f' Docker gives them 8.8.8.8 instead; to choose, put "dns": ["{_server(machine)}"]'
            f" into {DOCKER_FILE}"
        )
    if machine.program("podman") and not _podman_has_servers(machine):
        yield (
            "Podman: containers on its bridges cannot reach a resolver on loopback, and Podman"
            f' gives them 8.8.8.8 instead; to choose, put dns_servers = ["{_server(machine)}"]'
            f" below [containers] into {PODMAN_FILES[0]}"
        )
    if machine.exists("/run/libvirt/network"):
        yield (
            "libvirt: guests ask the dnsmasq of their network, and that asks anchord; answers"
            " are proven here, but no AD flag reaches the guests"
        )


def _server(machine: Machine) -> str:
    """One that containers had until now, or the word for one."""
    return next(iter(links.all_servers(links.links(machine))), "ADDRESS")


class _Docker(Struct, frozen=True):
    """What matters of its file, which is JSON."""

    dns: tuple[str, ...] = ()


class _Containers(Struct, frozen=True):
    dns_servers: tuple[str, ...] = ()


class _Podman(Struct, frozen=True):
    """What matters of its files, which are TOML (containers.conf(5))."""

    containers: _Containers = _Containers()


def _docker_has_servers(machine: Machine) -> bool:
    with suppress(MsgspecError):
        return bool(msgspec.json.decode(machine.text(DOCKER_FILE), type=_Docker).dns)
    return False


def _podman_has_servers(machine: Machine) -> bool:
    file, folder = PODMAN_FILES
    for path in (file, *machine.files(folder)):
        with suppress(MsgspecError):
            if msgspec.toml.decode(machine.text(path), type=_Podman).containers.dns_servers:
                return True
    return False
