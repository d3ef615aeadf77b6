"""Data sets as others lay them out: Parquet files, lists, the owners' text files."""

import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.fuzz.inputs import ODD_TEXTS, damaged, damaged_text, fuzzed

from heatproof.data import Preprocessing, open_dataset, read_shard

SMALL = Preprocessing(resize=(10, 10), max_pixels=2**20)


def png(value=0):
    file = io.BytesIO()
    Image.fromarray(np.full((12, 12, 3), value, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def parquet(frame, **options):
    file = io.BytesIO()
    frame.write_parquet(file, **options)
    return file.getvalue()


CONTENTS = [png(value) for value in range(4)]
FRAMES = [
    parquet(pl.DataFrame({"image": CONTENTS, "label": [0, 1, 2, 3]})),
    parquet(pl.DataFrame({"image": CONTENTS, "label": ["cat", "dog", "cat", None]}), compression="snappy"),
    parquet(pl.DataFrame({"image": [{"bytes": c, "path": "a"} for c in CONTENTS]}), compression="uncompressed"),
]
LISTS = {
    "list": ("l.txt", "1.png 0\n2.png 3\n\n../3.png 2\nmissing file.png 1\n1.png 1\n"),
    "list csv": ("l.csv", 'path,label\n1.png,0\n"2.png",3\n\n3.png,2\n'),
    "csv": ("table.csv", 'path,label\n1.png,cat\n"2.png","a, b"\n\n3.png,\n'),
    "places365": ("places365_val.txt", "1.png 0\n2.png 1\n3.png 2\n"),
    "places365 categories": ("categories_places365.txt", "/a/airfield 0\n/b/bar 1\n/z/zoo 2\n"),
    "places205": ("val_places205.csv", "a/1.png 0\nb/2.png 1\n"),
    "ilsvrc2012": ("ILSVRC2012_validation_ground_truth.txt", "3\n1\n2\n"),
    "ilsvrc2012 classes": ("map_clsloc.txt", "n01440764 1 tench\nn01443537 2 goldfish\nn02119789 3 kit_fox\n"),
    "sun397": ("categories.txt", "/a/abbey 0\n/d/desert/sand 1\n"),
    "cifar10": ("batches.meta.txt", "airplane automobile bird cat deer dog frog horse ship truck\n"),
}


@pytest.fixture
def places(judge, tmp_path_factory):
    """The other files that belong to each list."""
    root = tmp_path_factory.mktemp("places")
    for name in ("val_256/1.png", "val_256/2.png", "images256/a/1.png", "1.png", "SUN397/a/abbey/1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    for number in (1, 2, 3):
        (root / "val").mkdir(exist_ok=True)
        (root / f"val/ILSVRC2012_val_{number:08d}.JPEG").write_bytes(png())
    (root / "test_batch.bin").write_bytes(bytes(3073))
    for name, text in LISTS.values():
        (root / name).write_text(text)
    return root


def look(judge, spec, kind):
    with judge.judging(kind):
        dataset = open_dataset(spec)
        assert all(member.label is None or member.label >= 0 for member in dataset.members)
        assert len(dataset.fingerprint) == 16
        count = min(len(dataset), 5)
        shard = read_shard(dataset, range(count), SMALL, workers=1)
        assert len(shard.names) + len(shard.skipped) == count


@fuzzed(300)
@given(data=st.data())
def test_damaged_parquet(judge, data):
    content = data.draw(damaged(data.draw(st.sampled_from(FRAMES)), near_the_end=600))
    path = judge.file(content, ".parquet")
    look(judge, f"parquet:{path}", "Parquet data sets")
    path.unlink()


CELLS = st.one_of(
    st.lists(st.one_of(st.none(), st.binary(max_size=60), st.sampled_from(CONTENTS)), min_size=1, max_size=4),
    st.lists(st.text(max_size=5), min_size=1, max_size=4),
    st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=4).map(lambda v: [v]),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    st.lists(st.one_of(st.floats(), st.none()), min_size=1, max_size=4),
    st.lists(st.fixed_dictionaries({"bytes": st.one_of(st.none(), st.sampled_from(CONTENTS))}), min_size=1, max_size=4),
)


@fuzzed(150)
@given(image=CELLS, label=CELLS)
def test_parquet_with_other_columns(judge, image, label):
    count = min(len(image), len(label))
    try:
        content = parquet(pl.DataFrame({"image": image[:count], "label": label[:count]}, strict=False))
    except (pl.exceptions.PolarsError, OverflowError, TypeError):
        return  # no such file can be written
    path = judge.file(content, ".parquet")
    look(judge, f"parquet:{path}", "Parquet data sets")
    path.unlink()


@fuzzed(400)
@given(data=st.data())
def test_damaged_lists(judge, places, data):
    layout = data.draw(st.sampled_from(sorted(LISTS)))
    name, text = LISTS[layout]
    path = places / name
    path.write_bytes(data.draw(damaged_text(text)).encode("utf-8", "surrogatepass"))
    spec = {
        "csv": f"csv:{path}",
        "list": f"list:{path}",
        "list csv": f"list:{path}",
        "sun397": f"sun397[categories={path}]:{places}",
    }
    look(judge, spec.get(layout, f"{layout.split()[0]}:{places}"), "lists of data sets")
    path.write_text(text)


@fuzzed(300)
@given(
    name=st.sampled_from(
        [
            "folder",
            "list",
            "csv",
            "webdataset",
            "huggingface",
            "parquet",
            "cifar10",
            "places365",
            "sun397",
            "nothing",
            "",
        ]
    ),
    options=st.one_of(st.just(""), st.text(max_size=10), st.sampled_from(["[split=val]", "[split=", "[x=1]", "[]:"])),
    path=st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=20)),
)
def test_any_spec_of_a_data_set(judge, name, options, path):
    with judge.judging("specs of data sets"):
        open_dataset(f"{name}{options}:{path}")
