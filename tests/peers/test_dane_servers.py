"""Real servers: OpenSSL, Postfix, Dovecot, PostgreSQL, OpenLDAP, each with a chain of its own.

Every server is checked twice: with a record that is right and with one that is not.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anchord.dane.check import Request
from anchord.dane.handshake import Keys
from anchord.dane.results import CheckResult, Result
from anchord.lab.chains import CHAINS, Chain, records_of
from anchord.lab.plan import Plan
from support.dane import checker_over, service
from support.programs import free_ports, path_of, server, skip_unless_installed

HOST = "host.z.lab"

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="the servers change to users of their own"
)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return CHAINS["with-next"](HOST)


@pytest.fixture
def folder(chain: Chain) -> Iterator[Path]:
    """A folder that other users may enter, with the chain and its key."""
    path = Path(tempfile.mkdtemp(prefix="anchord-"))
    path.chmod(0o755)
    (path / "chain.pem").write_bytes(b"".join(holder.pem for holder in chain.presented))
    (path / "key.pem").write_bytes(chain.leaf.key_pem)
    (path / "both.pem").write_bytes(chain.leaf.key_pem + (path / "chain.pem").read_bytes())
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def checked(
    chain: Chain,
    port: int,
    records: str,
    starttls: str = "",
    keys: tuple[Keys, ...] = (Keys.ANY,),
) -> CheckResult:
    lines = "".join(f"\n_{port}._tcp.host TLSA {one}" for one in records_of(records, chain))
    plan = Plan("z.lab", "a test", records=f"host A 127.0.0.1{lines}")
    async with checker_over(plan) as checker:
        is_mail = starttls == "smtp"
        request = Request(service(HOST, port), starttls, is_mail=is_mail, keys=keys)
        return await checker.check(request)


async def assert_told_apart(chain: Chain, port: int, starttls: str = "") -> None:
    """The right records match, the wrong ones do not, and the whole chain is seen."""
    for records, result in {
        "3 1 1 leaf": Result.MATCH,
        "2 1 1 root": Result.MATCH,
        "3 1 1 next": Result.MISMATCH,
    }.items():
        check = await checked(chain, port, records, starttls)
        assert check.result is result, (records, check.reason)
        assert len(check.chain) == 3
        assert check.addresses[0].tls_version == "TLSv1.3"


async def test_openssl(chain: Chain, folder: Path) -> None:
    skip_unless_installed("openssl")
    (port,) = free_ports(1)
    command = [
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem",
        "-cert", "chain.pem", "-cert_chain", "above.pem", "-quiet",
    ]  # fmt: skip
    above = b"".join(holder.pem for holder in chain.presented[1:])
    (folder / "above.pem").write_bytes(above)
    with server(command, folder, port=port):
        await assert_told_apart(chain, port)


async def test_openssl_with_an_rsa_and_an_ecdsa_certificate(chain: Chain, folder: Path) -> None:
    skip_unless_installed("openssl")
    (port,) = free_ports(1)
    rsa = CHAINS["weak-key"](HOST)
    (folder / "rsa.pem").write_bytes(rsa.leaf.pem)
    (folder / "rsa.key").write_bytes(rsa.leaf.key_pem)
    command = [
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem",
        "-cert", "chain.pem", "-dcert", "rsa.pem", "-dkey", "rsa.key",
        "-cipher", "DEFAULT:@SECLEVEL=0", "-quiet",
    ]  # fmt: skip
    with server(command, folder, port=port):
        check = await checked(chain, port, "3 1 1 leaf", keys=(Keys.RSA, Keys.ECDSA))
    assert [(one.key, one.result) for one in check.addresses] == [
        ("rsa", Result.MISMATCH),
        ("ecdsa", Result.MATCH),
    ]


async def test_a_server_of_old_versions_of_tls_is_listened_to_and_warned_of(
    chain: Chain, folder: Path
) -> None:
    skip_unless_installed("openssl")
    (port,) = free_ports(1)
    command = [
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem",
        "-cert", "chain.pem", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-quiet",
    ]  # fmt: skip
    with server(command, folder, port=port):
        check = await checked(chain, port, "3 1 1 leaf")
    assert (check.result, check.addresses[0].tls_version) == (Result.MATCH, "TLSv1.1")
    assert any("TLSv1.1, which most clients refuse" in text for text in check.warnings)


# ------------ Postfix ------------

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {host}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_tls_chain_files = {folder}/both.pem
smtpd_tls_security_level = {level}
smtpd_relay_restrictions = reject
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(folder: Path, port: int, level: str) -> Iterator[None]:
    skip_unless_installed("postfix", "postconf")
    (folder / "main.cf").write_text(MAIN_CF.format(folder=folder, host=HOST, level=level))
    (folder / "master.cf").write_text(MASTER_CF.format(port=port))
    for name in ("queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    command = ["postfix", "-c", str(folder), "start-fg"]
    try:
        with server(command, folder, port=port):
            yield
    finally:
        stop = [path_of("postfix"), "-c", str(folder), "abort"]
        subprocess.run(stop, check=False, capture_output=True)


async def test_postfix_over_starttls(chain: Chain, folder: Path) -> None:
    (port,) = free_ports(1)
    with postfix(folder, port, "may"):
        await assert_told_apart(chain, port, "smtp")
        await assert_told_apart(chain, port, "submission")


async def test_postfix_without_starttls_is_a_mismatch_where_records_are(
    chain: Chain, folder: Path
) -> None:
    (port,) = free_ports(1)
    with postfix(folder, port, "none"):
        check = await checked(chain, port, "3 1 1 leaf", "smtp")
        assert (check.result, check.failure) == (Result.MISMATCH, "starttls-not-supported")


# ------------ Dovecot ------------

HAS_POP3 = Path("/usr/lib/dovecot/pop3-login").exists()
"""Debian has it in a package of its own."""

DOVECOT_CONF = """
protocols = imap pop3
base_dir = {folder}/run
log_path = {folder}/maillog
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/chain.pem
ssl_key = <{folder}/key.pem
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
"""


async def test_dovecot_over_imap_imaps_and_pop3(chain: Chain, folder: Path) -> None:
    skip_unless_installed("dovecot")
    imap, imaps, pop3 = free_ports(3)
    conf = folder / "dovecot.conf"
    conf.write_text(DOVECOT_CONF.format(folder=folder, imap=imap, imaps=imaps, pop3=pop3))
    protocols = [(imap, "imap"), (imaps, "")]
    if HAS_POP3:
        protocols.append((pop3, "pop3"))
    else:
        conf.write_text(conf.read_text().replace("protocols = imap pop3", "protocols = imap"))
    with server(["dovecot", "-F", "-c", str(conf)], folder, port=imap):
        for port, starttls in protocols:
            await assert_told_apart(chain, port, starttls)


# ------------ OpenLDAP ------------

SLAPD_CONF = """
pidfile {folder}/slapd.pid
TLSCertificateFile {folder}/chain.pem
TLSCertificateKeyFile {folder}/key.pem
TLSVerifyClient never
"""


async def test_openldap_over_starttls(chain: Chain, folder: Path) -> None:
    skip_unless_installed("slapd")
    (port,) = free_ports(1)
    conf = folder / "slapd.conf"
    conf.write_text(SLAPD_CONF.format(folder=folder))
    command = ["slapd", "-h", f"ldap://127.0.0.1:{port}", "-f", str(conf), "-d", "0"]
    with server(command, folder, port=port):
        await assert_told_apart(chain, port, "ldap")


# ------------ PostgreSQL ------------


def initialise(folder: Path) -> list[str]:
    """Makes a database in the folder; returns the words that run a command as its owner."""
    data = folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres")
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    make = [*as_postgres, path_of("initdb"), "--no-sync", "--auth=trust", "-D", str(data)]
    subprocess.run(make, check=True, capture_output=True, cwd=folder)
    for name in ("chain.pem", "key.pem"):
        shutil.copy(folder / name, data / name)
        shutil.chown(data / name, "postgres")
        (data / name).chmod(0o600)
    return as_postgres


async def test_postgresql(chain: Chain, folder: Path) -> None:
    skip_unless_installed("setpriv", "initdb", "postgres")
    (port,) = free_ports(1)
    as_postgres = initialise(folder)
    settings = {
        "ssl": "on",
        "ssl_cert_file": "chain.pem",
        "ssl_key_file": "key.pem",
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = [*as_postgres, path_of("postgres"), "-D", str(folder / "data"), *options]
    with server(command, folder, port=port):
        await assert_told_apart(chain, port, "postgres")
