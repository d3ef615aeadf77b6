"""What a stored run holds of each image is small, however many regions it has; the rest is read when asked for."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from tests.studied import draw_eleven, small_network

from heatproof.data import as_dataset
from heatproof.perturbation import Curves, Protocol
from heatproof.results import part
from heatproof.results.part import REFERENCE, Part
from heatproof.runs import ledger
from heatproof.runs import store as stores
from heatproof.runs.log import RunLog
from heatproof.runs.serialization import scores_frame
from heatproof.runs.store import open_store
from heatproof.studies.road import driver, shards, stored_removal
from heatproof.studies.road.collecting import gathered_from
from heatproof.studies.road.record import read_assignment
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.wanted import Wanted

METHODS = ("lrp-epsilon", "sensitivity-l2")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Stores of runs of eleven pictures, two in a shard, by the side of their regions."""
    network = small_network()
    photos = draw_eleven(tmp_path_factory.mktemp("photos"), "05 broken.png")
    found = {}
    for side in (6, 2):
        store = open_store(tmp_path_factory.mktemp(f"side {side}") / "run")
        protocol = Protocol(replacement="constant", regions=side, repeats=2, scored=3)
        wanted = Wanted(
            methods={name: name for name in METHODS},
            protocol=protocol,
            lerf=True,
            measures=(),
            rule=None,
            audit=0,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver, "SIZE", 2)
            run_comparison(wanted, lambda: (network, as_dataset(photos)), store, {"side": side}, Execution())
        found[side] = store
    return found


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 2)


def held(value, known):
    """Bytes of all numbers and texts that can be reached from a value, each counted once."""
    if id(value) in known:
        return 0
    known[id(value)] = value
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        address = storage.data_ptr()
        return 0 if known.setdefault(address, storage) is not storage else storage.nbytes()
    if isinstance(value, np.ndarray):
        return value.nbytes if value.base is None else held(value.base, known)
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(held(one, known) for one in value.values())
    if isinstance(value, list | tuple):
        return sum(held(one, known) for one in value)
    if dataclasses.is_dataclass(value):
        return sum(held(getattr(value, field.name), known) for field in dataclasses.fields(value))
    return sum(held(one, known) for one in getattr(value, "__dict__", {}).values())


def held_of(store, count):
    """Bytes of what the first shards of a run make together, without its pictures."""
    assignment = read_assignment(store)
    parts = [whole.part for whole in assignment.sink.read_all(assignment.protocol)][:count]
    joined = dataclasses.replace(Part.joined(parts), heatmaps={})
    return held(joined, {id(assignment.sink): assignment.sink}) - held(parts[0].curves[REFERENCE].protocol, {})


def read_whole(store):
    """The part of all shards with everything in memory, as a study in memory has it."""
    assignment = read_assignment(store)
    sink = assignment.sink
    return Part.joined([sink.read(number, assignment.protocol).part for number in sink.whole()])


def test_an_image_takes_as_much_memory_however_many_regions_it_has(finished):
    growth = {side: held_of(store, 5) - held_of(store, 1) for side, store in finished.items()}
    images = 8
    assert growth[2] == growth[6], "81 regions of an image take more than 9"
    values = (len(METHODS) * 2 + 1) * 2 * 4 * 4 + 2 * 4 * 4  # scores of each curve, and the steps that all share
    assert values < growth[2] / images < values + 300  # measures, names, identities
    in_memory = held(read_whole(finished[2]), {})
    assert in_memory > 3 * held_of(finished[2], 6)  # so that the count sees what is left out


def test_curves_of_a_run_have_all_fields(finished):
    found, whole = gathered_from(finished[2]).found, read_whole(finished[2])
    assert isinstance(found.curves[REFERENCE].removal, stored_removal.StoredRemoval)
    for key, curves in whole.walks().items():
        again = found.walks()[key]
        assert again.steps == 81
        for some in (slice(None), slice(1, 4), slice(3, 4), slice(9, 20)):
            assert torch.equal(again.of(some).orders, curves.of(some).orders), (key, some)
            assert torch.equal(again.of(some).removed_fraction, curves.of(some).removed_fraction)
        torch.testing.assert_close(again.mean_removed, curves.removed_fraction.mean(dim=(0, 1)))
        torch.testing.assert_close(again.of(slice(1, 4)).mean_removed, curves.removed_fraction[1:4].mean(dim=(0, 1)))
        assert torch.equal(again.removed_in_the_end, curves.removed_fraction[..., -1])
        assert torch.equal(again.first_regions, curves.orders[:, 0, 0])
        assert torch.equal(curves.mean_removed, curves.removed_fraction.mean(dim=(0, 1)))  # in memory, to the last bit


def test_curves_of_one_image_are_the_same_objects_where_they_are_the_same(finished):
    curves = list(gathered_from(finished[6]).found.walks().values())
    assert len({id(one.scored) for one in curves}) == len({id(one.images) for one in curves}) == 1
    assert len({id(one.targets) for one in curves}) == 1


def test_the_frame_of_a_run_reads_each_shard_once(finished, monkeypatch):
    study, whole = gathered_from(finished[6]), read_whole(finished[6])
    read = []
    call = shards.Shards.read
    monkeypatch.setattr(shards.Shards, "read", lambda self, number, by: read.append(number) or call(self, number, by))
    monkeypatch.setattr(part, "BLOCK", 3)  # images, of shards of two
    monkeypatch.setattr(stored_removal, "KEPT", 3)
    frame = study.frame()
    expected = pl.concat([scores_frame(curves, whole.names) for curves in (whole.curves, whole.lerf)])
    assert frame.equals(expected)
    assert read == list(range(6))


def test_what_a_page_needs_of_orders_is_read_of_its_pictures_only(finished, monkeypatch):
    study = gathered_from(finished[6])
    asked = set()
    call = stored_removal.ShardReader.__call__
    monkeypatch.setattr(
        stored_removal.ShardReader, "__call__", lambda self, number: asked.add(number) or call(self, number)
    )
    study.derived()
    assert asked == {number // 2 for number in study.shown.numbers}


def test_shards_with_other_numbers_of_steps_are_refused(finished):
    runs = [read_assignment(store) for store in finished.values()]
    first, second = (next(run.sink.read_all(run.protocol)).part.curves[REFERENCE] for run in runs)
    with pytest.raises(ValueError, match="same number of steps, got"):
        Curves.joined([first, second])


def test_lines_of_a_log_do_not_read_what_was_written_before(tmp_path, monkeypatch):
    store = open_store(tmp_path / "run")
    ledger.begin_ledger(store.path)
    checks = []
    check = stores.check_replaceable
    monkeypatch.setattr(stores, "check_replaceable", lambda *given: checks.append(given) or check(*given))
    for number in range(5):
        RunLog(store).write("shard done", shard=number)
    assert len(checks) == 0
    with (store.path / "log.jsonl").open("ab") as file:
        file.write(b"not ours\n")
    with pytest.raises(ValueError, match="has changed since heatproof wrote it"):
        RunLog(store).write("shard done", shard=5)


def test_a_ledger_is_read_for_one_name(tmp_path):
    ledger.begin_ledger(tmp_path)
    for name in ("a.json", "b/a.json", "a.json"):
        ledger.note(tmp_path, name, name.encode() * 2)
    every = ledger.ledger_of(tmp_path)
    assert set(every) == {"a.json", "b/a.json"}
    assert all(ledger.ledger_of(tmp_path, name)[name] == hashes for name, hashes in every.items())
