"""The scenarios of `dane_table`, running: every service listens, and zones tell of them."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from .chains import CHAINS, Chain, Holder, records_of
from .dane_table import FAULTS, MAIL, SCENARIOS, UNSIGNED, MailDomain, Scenario
from .keys import ECDSAP256SHA256
from .plan import Plan
from .services import Service, start_service


@dataclass(slots=True)
class Running:
    """What runs: the port of each service and its chain, by host or domain; and the zones' plans.

    `sts_ports` are those of the web servers with policies of MTA-STS, by domain. `roots` are the
    public CAs' certificates in PEM.
    """

    ports: dict[str, int] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)
    mail_chains: dict[str, dict[str, Chain]] = field(default_factory=dict)
    sts_ports: dict[str, int] = field(default_factory=dict)
    plans: tuple[Plan, ...] = ()
    roots: bytes = b""


@asynccontextmanager
async def running(
    scenarios: Iterable[Scenario] = SCENARIOS, domains: Iterable[MailDomain] = MAIL
) -> AsyncIterator[Running]:
    """Services on ports of their own while the context lasts. Raises AnchordError."""
    scenarios, domains = list(scenarios), list(domains)
    lab = Running()
    async with trio.open_nursery() as nursery:
        for scenario in scenarios:
            service = _service(scenario, lab)
            lab.ports[scenario.host] = await start_service(nursery, service)
        for domain in domains:
            mail = _mail_service(domain, lab)
            lab.ports[domain.name] = await start_service(nursery, mail)
            if domain.sts:
                policy = _policy_service(domain, lab)
                lab.sts_ports[domain.name] = await start_service(nursery, policy)
        for domain in domains:
            if domain.port_of:
                lab.ports[domain.name] = lab.ports[domain.port_of]
        lab.plans = tuple(_plans(scenarios, domains, lab))
        lab.roots = b"".join(_roots(scenarios, domains, lab))
        yield lab
        nursery.cancel_scope.cancel()


def _service(scenario: Scenario, lab: Running) -> Service:
    chain = CHAINS[scenario.chain](scenario.base_name)
    others = {}
    if scenario.other:
        others = {scenario.base_name: CHAINS[scenario.other](scenario.base_name)}
        chain.parts["other"] = others[scenario.base_name].leaf
    lab.chains[scenario.host] = chain
    return Service(chain, others, scenario.starttls, scenario.conduct)


def _mail_service(domain: MailDomain, lab: Running) -> Service:
    """One service for all hosts of a domain; a client that names none of them gets a stranger."""
    chains = {}
    for host in domain.hosts:
        name = f"{host.name.format(domain=domain.name)}.{domain.zone}"
        chains[name] = CHAINS[host.chain](name)
    lab.mail_chains[domain.name] = chains
    stranger: Holder = CHAINS["self-signed"]("nobody").leaf
    return Service(Chain((stranger,)), chains, "smtp", domain.conduct)


def _policy_service(domain: MailDomain, lab: Running) -> Service:
    """The web server with the domain's policy of MTA-STS."""
    name = f"mta-sts.{domain.full_name}"
    chain = CHAINS["good"](name)
    lab.mail_chains[domain.name][name] = chain
    page = domain.sts.format(domain=domain.full_name).replace(";", "\r\n") + "\r\n"
    return Service(chain, {}, conduct=domain.sts_conduct, page=page)


def _roots(
    scenarios: Iterable[Scenario], domains: Iterable[MailDomain], lab: Running
) -> Iterator[bytes]:
    """What PKIX trusts."""
    for scenario in scenarios:
        if scenario.is_public:
            yield lab.chains[scenario.host].parts["root"].pem
    for domain in domains:
        if domain.is_public:
            yield from (chain.parts["root"].pem for chain in lab.mail_chains[domain.name].values())


# ------------ Zones ------------


def _plans(
    scenarios: Iterable[Scenario], domains: Iterable[MailDomain], lab: Running
) -> Iterator[Plan]:
    ports = {name.lower().replace("-", "_"): port for name, port in lab.ports.items()}
    lines: dict[str, list[str]] = {zone: [] for zone in FAULTS}
    for scenario in scenarios:
        lines[scenario.zone] += _lines(scenario, lab, ports)
    for domain in domains:
        lines[domain.zone] += _mail_lines(domain, lab)
    for zone, faults in FAULTS.items():
        yield Plan(
            zone,
            "services, and what is said about them",
            records="\n".join(dict.fromkeys(lines[zone])),
            faults=faults.format_map(_Ports(ports)),
            algorithms=() if zone == UNSIGNED else (ECDSAP256SHA256,),
        )


class _Ports(dict[str, int]):
    """Ports by name; of services that do not run, a port that nothing has."""

    def __missing__(self, key: str) -> int:
        return 1


def _lines(scenario: Scenario, lab: Running, ports: dict[str, int]) -> Iterator[str]:
    known = _Ports(ports)
    yield from (scenario.lines or f"{scenario.host} A 127.0.0.1").format_map(known).splitlines()
    port = lab.ports[scenario.host]
    owner = scenario.owner or f"_{port}._tcp.{scenario.base or scenario.host}"
    for name, texts in ((owner, scenario.records), *scenario.more):
        for record in records_of(texts, lab.chains[scenario.host]):
            yield f"{name.format_map(known)} TLSA {record}"


def _mail_lines(domain: MailDomain, lab: Running) -> Iterator[str]:
    names = [host.name.format(domain=domain.name) for host in domain.hosts]
    usual = (f"{domain.name} MX {10 * n} {name}" for n, name in enumerate(names, 1))
    yield from domain.lines.format(domain=domain.name).splitlines() or usual
    for host, name in zip(domain.hosts, names, strict=True):
        yield f"{name} A 127.0.0.1"
        chain = lab.mail_chains[domain.name][f"{name}.{domain.zone}"]
        for record in records_of(host.records, chain):
            yield f"_{lab.ports[domain.name]}._tcp.{name} TLSA {record}"
