"""What the network says of DNS, from each of its tellers."""

import json
import os
import time
from pathlib import Path

from anchord.model.names import from_text
from anchord.system import detect, dns, journal, links
from anchord.system.links import Link, servers_for
from support import trees

CORP, VPN = from_text("corp.test."), from_text("vpn.test.")

BUSCTL = """\
case "$*" in
    *" DNS") echo '%s' ;;
    *" Domains") echo '%s' ;;
esac
"""


def test_systemd_resolved_is_asked_over_the_bus(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    tree.put("/run/systemd/resolve/resolv.conf")
    tree.put("/sys/class/net/v0/ifindex", "3\n")
    servers = [[0, 2, [127, 0, 0, 1]], [3, 2, [192, 0, 2, 53]], [4, 2, [127, 0, 0, 1]]]
    domains = [[0, ".", True], [3, "corp.test", False], [3, "VPN.test", True], [4, ".", True]]
    tree.program(
        "busctl", BUSCTL % tuple(json.dumps({"data": data}) for data in (servers, domains))
    )
    assert links.links(tree.machine) == (Link("v0", ("192.0.2.53",), (CORP, VPN)),)


def test_a_link_that_wants_every_name_is_marked(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    tree.put("/run/systemd/resolve/resolv.conf")
    data = [{"data": [[7, 10, list(b"\x20\x01\x0d\xb8" + bytes(12))]]}, {"data": [[7, ".", True]]}]
    tree.program("busctl", BUSCTL % tuple(json.dumps(each) for each in data))
    assert links.links(tree.machine) == (Link("7", ("2001:db8::",), (), is_default=True),)


def test_what_root_has_written_down_is_what_the_service_is_told(tmp_path: Path) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    read = links.links(tree.machine)
    assert links.told(tree.machine) == read
    before = links.signature(tree.machine)
    links.write_down(tree.machine, tree.machine.path(links.TOLD))
    assert links.signature(tree.machine) != before
    tree.machine.path("/run/resolvconf/interface/eth0.dhclient").unlink()
    assert links.told(tree.machine) == read


def test_networkmanager_is_asked_by_its_command(tmp_path: Path) -> None:
    tree = trees.networkmanager(tmp_path)
    tree.program(
        "nmcli",
        "cat <<END\nGENERAL.DEVICE:eth0\nIP4.DNS[1]:192.0.2.1\nIP4.DOMAIN[1]:corp.test\n"
        "IP6.DNS[1]:2001:db8::1\n\nGENERAL.DEVICE:lo\nEND\n",
    )
    assert links.links(tree.machine) == (Link("eth0", ("192.0.2.1", "2001:db8::1"), (CORP,)),)


def test_records_of_resolvconf_are_read(tmp_path: Path) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    tree.put("/run/resolvconf/interface/lo.anchord", "nameserver 127.0.0.1\n")
    assert links.links(tree.machine) == (Link("eth0.dhclient", ("192.0.2.1",)),)


def test_the_last_lease_of_dhclient_counts(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    lease = (
        'lease {\n  interface "eth0";\n  option domain-name-servers %s;\n'
        '  option domain-name "corp.test";\n  option domain-search "vpn.test.", "corp.test.";\n}\n'
    )
    tree.put("/var/lib/dhcp/dhclient.eth0.leases", lease % "192.0.2.1" + lease % "192.0.2.2,::1")
    assert links.links(tree.machine) == (Link("eth0", ("192.0.2.2",), (CORP, VPN)),)


def test_a_lease_ends_by_its_time_or_with_its_release(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    lease = (
        'lease {\n  interface "%s";\n  option domain-name-servers 192.0.2.%d;\n  expire %s;\n}\n'
    )
    later, past = int(time.time()) + 60, "2 2001/01/01 00:00:00"
    leases = ("eth0", 1, "never"), ("eth1", 2, f"epoch {later}"), ("eth2", 3, past)
    tree.put("/var/lib/dhcp/dhclient.leases", "".join(lease % each for each in leases))
    assert [link.name for link in links.links(tree.machine)] == ["eth0", "eth1"]
    tree.put("/var/lib/dhcp/dhclient.eth1.leases", lease % ("eth1", 2, past))
    assert [link.name for link in links.links(tree.machine)] == ["eth0", "eth1"]
    tree.put("/var/lib/dhcp/dhclient.zz.leases", lease % ("eth1", 2, past))
    assert [link.name for link in links.links(tree.machine)] == ["eth0"]


def test_a_link_without_a_carrier_says_nothing(tmp_path: Path) -> None:
    tree = trees.debian_resolvconf(tmp_path)
    links.write_down(tree.machine, tree.machine.path(links.TOLD))
    for state, names in (("up", ["eth0.dhclient"]), ("down", []), ("unknown", ["eth0.dhclient"])):
        tree.put("/sys/class/net/eth0/operstate", f"{state}\n")
        assert [link.name for link in links.links(tree.machine)] == names
        assert [link.name for link in links.told(tree.machine)] == names


def test_a_resolv_conf_that_a_dhcp_client_wrote_tells_nothing_once_its_lease_has_ended(
    tmp_path: Path,
) -> None:
    tree = trees.dhcp(tmp_path)
    tree.put("/etc/resolv.conf", "search corp.test\nnameserver 192.0.2.1\n")
    lease = 'lease {\n  interface "v0";\n  option domain-name-servers 192.0.2.1;\n  expire %s;\n}\n'
    tree.put("/var/lib/dhcp/dhclient.v0.leases", lease % "1 2024/01/01 00:00:00")  # once written
    assert links.links(tree.machine) == ()
    os.utime(tree.resolv_conf)  # by hand, later
    assert links.links(tree.machine) == (Link("/etc/resolv.conf", ("192.0.2.1",), (CORP,)),)
    tree.put("/etc/resolv.conf", "# Generated by dhcpcd\nnameserver 192.0.2.9\n")
    assert links.links(tree.machine) == ()


def test_records_of_dhcpcd_are_read_while_its_links_are_there(tmp_path: Path) -> None:
    tree = trees.dhcp(tmp_path)
    record = tree.put(
        f"{links.RECORDS_OF_DHCPCD}/v0.dhcp", "domain corp.test\nnameserver 192.0.2.53\n"
    )
    tree.put("/etc/resolv.conf", "# Generated by dhcpcd from v0.dhcp\nnameserver 192.0.2.53\n")
    found = Link("v0.dhcp", ("192.0.2.53",), (CORP,))
    assert links.links(tree.machine) == links.leased(tree.machine) == (found,)
    record.unlink()
    assert links.links(tree.machine) == links.leased(tree.machine) == ()


def test_the_original_resolv_conf_is_the_last_to_be_asked(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path)
    home = Link("/etc/resolv.conf", ("192.0.2.1",), (from_text("home.test."),))
    assert links.links(tree.machine) == (home,)
    tree.resolv_conf.rename(tmp_path / "etc/.resolv.conf.anchord-orig")
    tree.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    assert links.links(tree.machine) == (home,)


def test_an_original_that_was_written_over_is_read_in_the_journal(tmp_path: Path) -> None:
    tree = trees.mounted(tmp_path)
    before = links.links(tree.machine)
    facts = detect.look(tree.machine)
    with journal.locked(tree.machine):
        journal.apply(tree.machine, dns.plan(tree.machine, facts, ("127.0.0.1",), in_place=True))
    assert links.links(tree.machine) == before
    assert before[0].domains == (from_text("home.test."),)


def test_what_the_network_calls_a_domain_may_be_anything(tmp_path: Path) -> None:
    tree = trees.plain(tmp_path, f"search {'x' * 64}.test a..b ok.test\nnameserver 192.0.2.1\n")
    assert links.links(tree.machine)[0].domains == (from_text("ok.test."),)


def test_servers_are_those_of_the_links_that_have_the_domain() -> None:
    here = Link("v0", ("192.0.2.1",), (CORP,))
    there = Link("v1", ("192.0.2.2",), (VPN,))
    assert servers_for((here, there), CORP) == ("192.0.2.1",)
    assert servers_for((here, there), from_text("a.corp.test.")) == ("192.0.2.1",)
    assert servers_for((here, there), from_text("test.")) == ("192.0.2.1", "192.0.2.2")
    assert servers_for((here, there), from_text("other.")) == ()


def test_a_change_of_what_a_link_says_is_seen_in_the_files(tmp_path: Path) -> None:
    tree = trees.resolved(tmp_path)
    before = links.signature(tree.machine)
    assert links.signature(tree.machine) == before
    tree.put("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.1\n")
    assert links.signature(tree.machine) != before
