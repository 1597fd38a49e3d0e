"""What outlives a restart of the whole system."""

from pathlib import Path

import pytest

from support.booted import LINK, UP, asked, is_secure, prepare, start_world
from support.boots import started, system

pytestmark = pytest.mark.long


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_r3_after_a_reboot_it_is_the_resolver_and_gives_back_what_was_before(
    release: str, folder: Path
) -> None:
    with system(release, folder) as root:
        with started(root, release) as boot:
            prepare(boot)
            before = boot.manifest()
            boot.run("anchord install --yes")
            assert is_secure(boot)
        with started(root, release) as boot:
            assert "nameserver 127.0.0.1" in boot.run("cat /etc/resolv.conf")
            boot.run(LINK)
            boot.run(UP[release])
            start_world(boot)
            boot.wait("dig good.lab +tries=1 +time=2 | grep -q 'flags:.* ad'")
            assert "EDE: 7 (Signature Expired)" in boot.run("dig expired.lab")
            assert "192.0.2.1" in boot.run("getent ahostsv4 good.lab")

            # The link has come after the service, and its names are asked of it again.
            asked(boot)
            boot.wait("test $(dig +short +tries=1 a.corp.test) = 192.0.2.99")
            assert "192.0.2.99" in boot.run("getent ahostsv4 b.corp.test")
            assert set(asked(boot)) == {"a.corp.test.", "b.corp.test."}
            assert "changed" not in boot.run("anchord status")

            # In a pause the network is asked for everything: its server knows of no such name.
            boot.run("anchord pause 1m")
            assert "NXDOMAIN" in boot.run("dig good.lab")
            assert asked(boot) == ["good.lab."]
            boot.run("anchord resume")
            assert is_secure(boot)

            boot.run("anchord uninstall")
            assert boot.changes(before) == []
            boot.wait("getent hosts c.corp.test")
            assert boot.run("systemctl --failed --no-legend") == ""
