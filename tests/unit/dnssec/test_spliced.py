"""What the splicing adversary has found in the engine, each kept as a test of its own."""

from msgspec.structs import replace

from anchord.dnssec.anchors import trust_anchors
from anchord.dnssec.asking import Context
from anchord.dnssec.replay import Zones, validate_question
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes, rdtypes
from anchord.model.question import Question
from anchord.model.response import Response, RRset, Unanswered
from anchord.model.verdict import Answer, Status
from support.lab import ask, brief, question, world_of
from support.splices import Move

FORGED_SOA = Move("forge_soa", which=1)
"""An SOA of the TLD, before whatever the authority section holds."""


def judged(world: World, asked: Question, spoilt: dict[Question, list[Response]]) -> Answer:
    """The engine's answer where some questions are answered so, in turn, and then truly."""
    anchor = world.anchor()

    def answers(asked: Question) -> Response | Unanswered:
        said = spoilt.get(asked)
        return said.pop(0) if said else world.answer(asked)

    anchors = trust_anchors((anchor.name, anchor.rdtype, rdata) for rdata in anchor.rdatas)
    answer = validate_question(asked, answers, Context(anchors, Zones()), world.now)
    assert isinstance(answer, Answer)
    return answer


def test_data_are_never_told_with_a_code_that_denies_them() -> None:
    world = world_of(Plan("z.lab", "a good zone"))
    asked = question("www.z.lab")
    lying = replace(ask(world, "www.z.lab"), rcode=rcodes.NXDOMAIN)
    answer = judged(world, asked, {asked: [lying]})
    assert (answer.verdict.status, answer.rcode) == (Status.SECURE, rcodes.NOERROR)


def test_an_upstream_that_tells_the_chain_at_second_asking_is_believed_then() -> None:
    world = world_of(Plan("z.lab", "a good zone"))
    ds = question("z.lab", "DS")
    nonsense = Response(ds, rcodes.NOERROR)
    answer = judged(world, question("nx.z.lab"), {ds: [nonsense]})
    assert (answer.verdict.status, answer.rcode) == (Status.SECURE, rcodes.NXDOMAIN)


def test_an_insecure_denial_brings_no_soa_of_the_secure_zone_above() -> None:
    world = world_of(Plan("z.lab", "an unsigned zone", algorithms=()))
    asked = question("z.lab", "TXT")
    honest = ask(world, "z.lab", "TXT")
    (soa,) = judged(world, asked, {}).authority
    assert brief((soa.rrset,)) == ["z.lab. SOA"]
    forged = FORGED_SOA(replace(honest, authority=()))
    assert [rrset.rdtype for rrset in forged.authority] == [rdtypes.SOA]
    answer = judged(world, asked, {asked: [forged]})
    assert (answer.verdict.status, answer.authority) == (Status.INSECURE, ())


def test_an_insecure_zone_has_no_alias_in_place_of_its_parents_ds_set() -> None:
    world = world_of(Plan("z.lab", "an unsigned zone", algorithms=()), Plan("y.lab", "a good zone"))
    asked = question("z.lab", "DS")
    alias = RRset(asked.name, rdtypes.CNAME, 300, (names.from_text("y.lab"),))
    forged = replace(ask(world, "y.lab", "DS"), question=asked)
    forged = replace(forged, answer=(alias, *forged.answer))
    assert judged(world, asked, {asked: [forged]}).verdict.status is Status.BOGUS
