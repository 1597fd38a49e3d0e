"""The Debian package: built, checked, installed and removed."""

import subprocess
from pathlib import Path

import pytest

from anchord import __version__
from support.booted import is_secure, prepare
from support.boots import MAKE_NEWER, MANIFEST, booted, package, system, within

pytestmark = pytest.mark.long


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_r21_r33_in_an_image_it_is_installed_proves_answers_and_goes_without_a_trace(
    release: str, folder: Path
) -> None:
    with system(release, folder) as root:
        before = within(root, MANIFEST)
        within(root, "dpkg -i /anchord.deb")
        assert within(root, "anchord --version") == f"anchord {__version__}"
        assert within(root, "anchord lab --tour").endswith("answers as they should be.")
        units = "anchord.service anchord.socket anchord-ipv6.socket anchord-recover.service"
        assert set(within(root, f"systemctl is-enabled {units}").split()) == {"enabled"}
        within(root, f"{MAKE_NEWER}; dpkg -i /newer.deb")
        assert within(root, "dpkg-query -W anchord").endswith("+newer")
        within(root, "dpkg -r anchord; dpkg -P anchord")
        assert within(root, MANIFEST) == before
        assert within(root, "find /usr /var/lib /var/cache /etc -name '*anchord*'") == ""


def test_r21_what_was_decided_before_is_done_at_once_and_a_purge_takes_all_of_it(
    folder: Path,
) -> None:
    with booted("trixie", folder) as boot:
        before = boot.manifest()
        prepare(boot)
        boot.run("cp -a /etc/anchord /kept; DEBIAN_FRONTEND=noninteractive dpkg -P anchord")
        assert boot.changes(before) == []
        boot.run("cp -a /kept /etc/anchord")
        boot.run("echo 'anchord anchord/takeover boolean true' | debconf-set-selections")
        boot.run("DEBIAN_FRONTEND=noninteractive dpkg -i /anchord.deb")
        assert is_secure(boot)
        assert boot.run("dig +short a.corp.test") == "192.0.2.99"
        boot.run("DEBIAN_FRONTEND=noninteractive dpkg -P anchord")
        assert boot.changes(before) == []
        assert boot.run("find /usr /var /run /etc -name '*anchord*'") == ""
        boot.wait("getent hosts b.corp.test")
        assert boot.run("systemctl --failed --no-legend") == ""


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_r21_the_package_is_the_same_each_time(release: str, folder: Path) -> None:
    built = package(release, epoch="0000000001")
    again = subprocess.run(
        ["packaging/deb/build", release, folder],
        cwd=Path(__file__).parents[2],
        env={"SOURCE_DATE_EPOCH": "0000000001", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert Path(again.stdout.strip()).read_bytes() == built.read_bytes()


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_r21_lintian_has_neither_errors_nor_warnings(release: str, folder: Path) -> None:
    assert folder.is_dir()
    ran = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", package(release)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


ACCOUNTS = "/(passwd|group|shadow|gshadow|subuid|subgid)-?( |$)|.pwd.lock"
"""A user that came and went leaves these files with the same lines, but written anew."""

OPENRC = f"""
openrc sysinit >/dev/null
openrc default >/dev/null
dpkg -i /anchord.deb
echo 'nameserver 192.0.2.53' >/etc/resolv.conf
python3 /upstream.py world &
until [ -e /etc/anchord/anchord.toml ]; do sleep 0.1; done
({MANIFEST}) >/before
cat /etc/passwd /etc/group >/accounts
find /run /var /usr -name '*anchord*' >/traces

anchord install
dig good.lab | grep ' ad;'
grep 'CapEff:.0000000000000400' /proc/$(pgrep -u anchord)/status

kill -9 $(pgrep -u anchord)
until dig +tries=1 +time=1 good.lab | grep ' ad;'; do sleep 0.1; done
echo '[nonsense' >>/etc/anchord/anchord.toml
rc-service anchord reload
until grep 'the configuration in force stays' /var/log/anchord.log; do sleep 0.1; done
sed -i '$d' /etc/anchord/anchord.toml
dig good.lab | grep ' ad;'

anchord uninstall
({MANIFEST}) >/after
diff <(grep -vE '{ACCOUNTS}|anchord.toml' /before) <(grep -vE '{ACCOUNTS}|anchord.toml' /after)
cat /etc/passwd /etc/group | diff /accounts -
find /run /var /usr -name '*anchord*' | diff /traces -
echo all is as it was
"""


def test_openrc_runs_it_with_one_capability_and_uninstalled_nothing_is_left(folder: Path) -> None:
    with system("trixie-openrc", folder) as root:
        assert within(root, OPENRC).endswith("all is as it was")
