"""The service in booted systems: how much it is allowed, and what it does with that."""

import re
import shutil
from pathlib import Path

import pytest

import support
from support.booted import LINK, UP, is_secure, start_world
from support.boots import Boot, booted

pytestmark = pytest.mark.long

UNITS = "/usr/lib/systemd/system/anchord*"
PID = "$(systemctl show -p MainPID --value anchord)"
CAPABILITIES = ("CapPrm", "CapEff", "CapBnd", "CapAmb")
NET_BIND_SERVICE = 1 << 10


def exposure(boot: Boot) -> float:
    """The score of systemd-analyze for the service as it runs: 0 is nothing, 10 is everything."""
    said = boot.run("systemd-analyze security --no-pager anchord.service | tail -n 1")
    found = re.search(r"anchord.service: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def capabilities(boot: Boot) -> set[int]:
    """The sets of the running service, each as a number."""
    status = boot.run(f"cat /proc/{PID}/status")
    assert "\nNoNewPrivs:\t1\n" in status
    assert "\nUid:\t0" not in status
    found = re.findall(r"^(Cap\w+):\s+([0-9a-f]+)$", status, re.MULTILINE)
    return {int(value, 16) for name, value in found if name in CAPABILITIES}


def verified(boot: Boot) -> str:
    """What systemd-analyze has against any of our units."""
    return boot.run(f"systemd-analyze verify --man=no $(ls {UNITS}) 2>&1")


def test_r19_r20_the_units_are_clean_and_hardly_exposed(boot: Boot) -> None:
    assert len(boot.run(f"ls {UNITS}").split()) == 10
    assert verified(boot) == ""
    assert exposure(boot) <= 1.1
    offline = "systemd-analyze security --offline=true --threshold=11 --no-pager"
    assert boot.status(f"{offline} /usr/lib/systemd/system/anchord.service") == 0
    assert capabilities(boot) == {0}


def test_r19_with_the_drop_in_it_binds_its_ports_itself_and_is_little_exposed(boot: Boot) -> None:
    """By the commands that stand in the drop-in; at an address that the sockets do not have."""
    drop_in = "/usr/share/doc/anchord/own-ports.conf"
    commands = re.findall(r"^#   (.*)$", boot.run(f"cat {drop_in}"), re.MULTILINE)
    assert len(commands) == 4
    boot.run("cd /etc/anchord; echo '[listen]\ndns = [\"127.0.0.2:53\"]' >>anchord.toml")
    boot.run(f"cd /usr/share/doc/anchord; {'; '.join(commands)}")
    boot.wait("dig @127.0.0.2 good.lab +tries=1 +time=2 | grep -q 'flags:.* ad'")
    assert boot.status("systemctl is-active anchord.socket anchord-ipv6.socket") != 0
    assert verified(boot) == ""
    assert exposure(boot) <= 1.5
    assert capabilities(boot) == {NET_BIND_SERVICE}
    boot.run("systemctl restart anchord")
    assert boot.run("dig @127.0.0.2 +short good.lab +tries=3 +time=2") == "192.0.2.1"
    boot.run("DEBIAN_FRONTEND=noninteractive dpkg -i /anchord.deb")  # it stays so
    assert boot.status("systemctl is-active anchord.socket anchord-ipv6.socket") != 0
    assert boot.run("dig @127.0.0.2 +short good.lab +tries=3 +time=2") == "192.0.2.1"


def test_r20_it_writes_nowhere_but_in_its_own_folders(boot: Boot) -> None:
    """In its view of the files nearly all is read-only even to root; and it is a nobody."""
    others = "/ /etc /etc/anchord /usr /usr/lib/anchord /var /var/lib /var/log /home /root /boot"
    own = "/var/lib/private/anchord /var/cache/private/anchord"
    told = boot.run(f"nsenter -t {PID} -m sh -c 'touch {_in(others)}' 2>&1 || true").splitlines()
    assert len(told) == len(others.split())
    assert all(re.search("Read-only|Permission denied|No such file", line) for line in told), told
    assert boot.run("stat -c %U /etc/anchord") == "root"
    nobody = f"setpriv --reuid=$(stat -c %u /proc/{PID}) --regid=65534 --clear-groups"
    boot.run(f"nsenter -t {PID} -m {nobody} touch {_in(own)}")
    mounts = boot.run(f"cat /proc/{PID}/mountinfo").splitlines()
    writable = {line.split()[4] for line in mounts if line.split()[5].startswith("rw")}
    assert writable >= set(own.split())
    assert {path.split("/")[1] for path in writable} <= {"var", "tmp", "dev", "proc", "run"}


def test_r19_every_encrypted_transport_works_within_these_bounds(boot: Boot) -> None:
    """MemoryDenyWriteExecute, the filter of system calls and the rest forbid none of it."""
    shutil.copytree(Path(support.__file__).parent, boot.root / "support")
    boot.run("systemd-run --unit=encrypted -E PYTHONPATH=/ python3 /encrypted.py")
    boot.wait("test -e /etc/anchord/authority.pem")
    for url in (
        "tls://127.0.0.1:5853",
        "https://127.0.0.1:5443/dns-query",
        "quic://127.0.0.1:5853",
        "h3://127.0.0.1:5444/dns-query",
    ):
        upstream = f'[[upstream]]\nurl = "{url}"\nca_file = "/etc/anchord/authority.pem"\n'
        dnssec = '[dnssec]\ntrust_anchors = "/etc/anchord/lab.ds"\n'
        (boot.root / "etc/anchord/anchord.toml").write_text(upstream + dnssec)
        boot.run("systemctl restart anchord; anchord flush")
        found = boot.run("dig @127.0.0.1 good.lab +tries=3 +time=3")
        assert re.search(r"flags:.* ad", found), url
        assert '"answers": ' in boot.run("anchord stats --json")
    assert boot.run("systemctl show -p MemoryDenyWriteExecute --value anchord") == "yes"


def test_r4_without_a_package_uninstall_leaves_nothing_of_the_service(folder: Path) -> None:
    """An environment below /opt, as the page for Linux has it."""
    with booted("trixie", folder) as boot:
        boot.run(LINK)
        boot.run(UP["trixie"])
        boot.run("python3 -m venv --without-pip /opt/anchord; dpkg-deb -x /anchord.deb /opt/deb")
        boot.run(f"mv /opt/deb{LIBRARY}/site-packages/* /opt/anchord/lib/python3*/site-packages/")
        boot.run("rm -r /opt/deb")
        program = boot.root / "opt/anchord/bin/anchord"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        boot.run(f"mkdir -p {LIBRARY}; ln -s /opt/anchord/lib/python3*/site-packages {LIBRARY}")
        start_world(boot)
        before, found = boot.manifest(), boot.run(TRACES)
        boot.run("/opt/anchord/bin/anchord install --yes")
        assert is_secure(boot)
        assert boot.run("dig +short a.corp.test") == "192.0.2.99"
        assert exposure(boot) <= 1.1
        assert "/var/lib/private/anchord" in boot.run(TRACES)
        boot.run("/opt/anchord/bin/anchord uninstall")
        assert boot.changes(before) == []
        assert boot.run(TRACES) == found
        assert boot.run("systemctl list-units --all --no-legend 'anchord*'") == ""
        assert boot.run("systemctl --failed --no-legend") == ""


PROGRAM = """\
#!/opt/anchord/bin/python
import sys
from anchord.cli.main import main
sys.exit(main())
"""
"""What an installer of wheels writes."""

LIBRARY = "/usr/lib/anchord"
"""Where the package has its libraries, and the world looks for them."""

TRACES = "find / /run -xdev -name '*anchord*' -not -path '/opt/*' | sort; ls /run"


def _in(folders: str) -> str:
    return " ".join(f"{folder}/trace" for folder in folders.split())
