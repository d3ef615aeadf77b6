"""Archives of pictures and of networks, and what describes them: damaged, and made of anything."""

import io
import json
import os
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.inputs import ODD, ODD_TEXTS, damaged, damaged_text, fuzzed
from tests.fuzz.test_data_sets import look, png
from torch import nn

import heatproof.network.formats.huggingface as transformers
from heatproof.json_objects import read_json_object
from heatproof.network import load_network


def tarred(files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


SHARD = tarred({"a/1.png": png(), "a/1.cls": b"3", "a/2.png": png(9), "a/2.json": b'{"label": 1}', "b" * 150: b"x"})


@fuzzed(300)
@given(data=st.data())
def test_damaged_shards(judge, data):
    path = judge.file(data.draw(damaged(SHARD)), ".tar")
    look(judge, f"webdataset:{path}", "tar shards")
    path.unlink()


@fuzzed(200)
@given(
    name=st.text(max_size=30), content=st.one_of(st.binary(max_size=40), st.just(png())), label=st.binary(max_size=9)
)
def test_shards_with_any_names(judge, name, content, label):
    try:
        shard = tarred({f"{name}.png": content, f"{name}.cls": label, f"{name}.json": label})
    except (UnicodeEncodeError, ValueError):
        return  # no such archive can be written
    path = judge.file(shard, ".tar")
    look(judge, f"webdataset:{path}", "tar shards")
    path.unlink()


@fuzzed(200)
@given(data=st.data())
def test_damaged_arrow(judge, tmp_path_factory, data):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    folder = tmp_path_factory.mktemp("arrow")
    table = pyarrow.table({"image": [{"bytes": png(), "path": None}] * 3, "label": [0, 1, None]})
    file = io.BytesIO()
    with pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    texts = {
        "state.json": json.dumps({"_data_files": [{"filename": "a.arrow"}]}),
        "dataset_info.json": json.dumps({"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}),
    }
    spoiled = data.draw(st.sampled_from([*texts, "a.arrow", "a.arrow"]))
    for name, text in texts.items():
        changed = data.draw(damaged_text(text)) if name == spoiled else text
        (folder / name).write_bytes(changed.encode("utf-8", "surrogatepass"))
    content = file.getvalue()
    (folder / "a.arrow").write_bytes(data.draw(damaged(content)) if spoiled == "a.arrow" else content)
    look(judge, f"huggingface:{folder}", "folders of Arrow")


# --- networks


def saved(save):
    """The entries of an archive that torch writes."""
    file = io.BytesIO()
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        save(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval(), file)
    return file.getvalue()


def to_program(module, file):
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, 4, 4),), dynamic_shapes=shapes), file)


PROGRAM = saved(to_program)
SCRIPT = saved(lambda module, file: torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 4, 4)), file))
with zipfile.ZipFile(io.BytesIO(PROGRAM)) as _archive:
    ENTRIES = {name: _archive.read(name) for name in _archive.namelist()}


def load(judge, content, ending):
    path = judge.file(content, ending)
    with judge.judging(f"networks in {ending}"), torch.random.fork_rng():
        network = load_network(str(path), preprocessing="none")
        network.logits(torch.zeros(3, 3, 4, 4))
    path.unlink()


def repacked(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_the_seeds_are_networks(judge):
    for content, ending in ((PROGRAM, ".pt2"), (SCRIPT, ".torchscript"), (repacked(ENTRIES), ".pt2")):
        load_network(str(judge.file(content, ending)), preprocessing="none").logits(torch.zeros(1, 3, 4, 4))


@fuzzed(60)
@given(data=st.data())
def test_damaged_programs(judge, data):
    """The archive as it is, or one of its texts."""
    name = data.draw(st.sampled_from(["", *(name for name in ENTRIES if name.endswith(".json"))]))
    if name:
        text = data.draw(damaged_text(ENTRIES[name].decode().replace(",", ",\n")))
        content = repacked({**ENTRIES, name: text.encode("utf-8", "surrogatepass")})
    else:
        content = data.draw(damaged(PROGRAM))
    load(judge, content, ".pt2")


VALUES = st.one_of(st.sampled_from(ODD), st.sampled_from(ODD_TEXTS), st.none(), st.booleans(), st.just([]), st.just({}))


@fuzzed(100)
@given(data=st.data())
def test_programs_with_any_value_somewhere(judge, data):
    """Valid JSON in which one value is another."""
    name = data.draw(st.sampled_from([name for name in ENTRIES if name.endswith("model.json") or "config" in name]))
    found = json.loads(ENTRIES[name])
    place = found
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 9)) == 0:
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    load(judge, repacked({**ENTRIES, name: json.dumps(found).encode()}), ".pt2")


@fuzzed(60)
@given(content=st.one_of(st.binary(max_size=60), damaged(SCRIPT, near_the_end=900)))
def test_damaged_scripts(judge, content):
    load(judge, content, ".torchscript")


PROCESSOR = json.dumps(
    {"do_resize": True, "size": {"shortest_edge": 4}, "crop_pct": 0.9, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
)


@fuzzed(200)
@given(text=damaged_text(PROCESSOR.replace(",", ",\n")))
def test_damaged_preprocessing(judge, text):
    path = Path(judge.file(text.encode("utf-8", "surrogatepass"), ".json"))
    with judge.judging("image processors"):
        transformers.preprocessing_of(read_json_object(path))
    os.unlink(path)  # noqa: PTH108
