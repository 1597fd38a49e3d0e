"""Faults by name: every one explained, unknown ones refused, each acting at its stage."""

import pytest

from anchord.lab.faults import FAULTS, Stage, parse
from anchord.model import rdtypes
from support.lab import invalid, zone_of


def test_every_fault_has_a_name_and_a_sentence() -> None:
    for name, fault in FAULTS.items():
        assert name == fault.name
        assert fault.explanation.endswith("."), name


def test_a_fault_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault named explode"):
        zone_of(faults="expired; explode")


def test_faults_are_written_as_names_with_arguments() -> None:
    assert parse("expired A AAAA; wrong-ds;") == [["expired", "A", "AAAA"], ["wrong-ds"]]
    assert parse("") == []


def test_faults_compose_each_at_its_stage() -> None:
    zone = zone_of(faults="stripped NSEC; wrong-ds; expired A; forged SOA")
    assert {FAULTS[n].stage for n in ("stripped", "wrong-ds", "expired")} == set(Stage)
    assert invalid(zone) == {rdtypes.NSEC, rdtypes.A, rdtypes.SOA}


def test_a_zone_without_faults_is_valid() -> None:
    assert invalid(zone_of()) == set()
