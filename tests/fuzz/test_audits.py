"""The stored audit of a run that somebody damaged, or made: refused, or restored as an audit that can be drawn."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.inputs import damaged, damaged_text, fuzzed
from tests.fuzz.test_runs import ANYTHING
from torch import nn

import heatproof as hp
from heatproof.report.studies import audit
from heatproof.runs.ledger import digest
from heatproof.runs.store import LocalStore
from heatproof.studies.road.stored_audit import MARKER, TABLE, store_audit, stored_audit

IMAGES = 4


@pytest.fixture(scope="module")
def study():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 10, 3))
    images = torch.from_numpy(np.random.default_rng(0).random((IMAGES, 3, 12, 12), dtype=np.float32))
    methods = ["gradient-x-input", "sensitivity-l2"]
    return hp.compare(hp.Network(module), images, methods, regions=4, audit=IMAGES, engine="full", protocol="samek2017")


@pytest.fixture
def whole(study, judge):
    """The store of a whole audit, and its two files."""
    store = LocalStore(judge.folder / "AUDIT")
    store_audit(store, study.audit, IMAGES)
    return store, store.get(MARKER), store.get(TABLE)


def look(judge, store, study, kind):
    with judge.judging(kind):
        found = stored_audit(store, study.protocol, IMAGES)
        if found is not None:
            assert all(0 <= value.low <= value.high <= 1 for value in found.r_oms.values())
            assert found.frame().height > 0


def test_the_seed_is_an_audit(whole, study):
    found = stored_audit(whole[0], study.protocol, IMAGES)
    assert audit.verdict(found) == audit.verdict(study.audit)


@fuzzed(60)
@given(data=st.data())
def test_damaged_markers(judge, whole, study, data):
    store, marker, table = whole
    store.put(TABLE, table)
    changed = data.draw(damaged_text(marker.decode()))
    store.put(MARKER, changed.encode("utf-8", "surrogatepass"))
    look(judge, store, study, "audits")


@fuzzed(80)
@given(data=st.data(), value=ANYTHING)
def test_markers_that_say_something_else(judge, whole, study, data, value):
    store, marker, table = whole
    store.put(TABLE, table)
    told = json.loads(marker)
    told[data.draw(st.sampled_from(list(told)))] = value
    store.put(MARKER, json.dumps(told).encode())
    look(judge, store, study, "audits")


@fuzzed(40)
@given(data=st.data())
def test_damaged_tables(judge, whole, study, data):
    """Damage that fits its checksum."""
    store, marker, table = whole
    content = data.draw(damaged(table, near_the_end=1500))
    store.put(TABLE, content)
    store.put(MARKER, json.dumps(json.loads(marker) | {"objects": {TABLE: digest(content)}}).encode())
    look(judge, store, study, "audits")
