"""Data sets as tables, tar shards and Arrow folders, made here and read back."""

import io
import json
import os
import pickle
import tarfile

import numpy as np
import polars as pl
import pytest
from PIL import Image

import heatproof as hp
from heatproof.data import Preprocessing, as_dataset, load_dataset, open_dataset, read_pictures, read_shard
from heatproof.data.layouts.webdataset import expanded
from heatproof.errors import InputError

SMALL = Preprocessing(resize=(12, 12))


def png(value):
    file = io.BytesIO()
    Image.new("RGB", (14, 16), (value, 50, 100)).save(file, "PNG")
    return file.getvalue()


def reds(pictures):
    return [round(255 * float(image[0, 0, 0])) for image in pictures.images]


def read(spec):
    return read_pictures(open_dataset(spec), SMALL)


# --- tables


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "in").mkdir()
    for value in range(4):
        (tmp_path / "in" / f"{value}.png").write_bytes(png(value))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "labels", "classes"),
    [
        ("a.csv", "path,label\nin/0.png,3\nin/1.png,1\n", (3, 1), ()),
        ("a.csv", "label,Filename,size\ncat,in/0.png,9\ndog,in/1.png,9\n", (0, 1), ("cat", "dog")),
        ("a.csv", "in/0.png,dog\nin/1.png,cat\n", (1, 0), ("cat", "dog")),
        ("a.tsv", "in/0.png\t7\nin/1.png\t8\n", (7, 8), ()),
        ("a.csv", "in/0.png\tn01\nin/1.png\tn02\n\n", (0, 1), ("n01", "n02")),
        ("a.csv", 'path,label\n"in/0.png","a, b"\nin/1.png,c\n', (0, 1), ("a, b", "c")),
        ("a.csv", "\ufeffpath,label\nin/0.png,3\nin/1.png,1\n", (3, 1), ()),
        ("a.csv", "in/0.png\nin/1.png\n", None, ()),
        ("a.csv", "path,label\nin/0.png,3\nin/1.png,\n", None, ()),
    ],
)
def test_tables(name, text, labels, classes, pictures):
    (pictures / name).write_text(text, encoding="utf-8")
    dataset = open_dataset(f"csv:{pictures / name}")
    assert (dataset.labels, dataset.classes) == (labels, classes)
    assert [member.name for member in dataset.members] == ["in/0.png", "in/1.png"]
    assert reds(read_pictures(dataset, SMALL)) == [0, 1]


def test_columns_and_root_of_a_table_can_be_said(pictures):
    (pictures / "lists").mkdir()
    table = pictures / "lists" / "a.csv"
    table.write_text("img;x,kind,where\n1,cat,0.png\n2,dog,1.png\n")
    found = read(f"csv[image=where,label=kind,root=../in]:{table}")
    assert (reds(found), found.labels.tolist(), found.classes) == ([0, 1], [0, 1], ("cat", "dog"))


def test_pictures_of_a_table_that_cannot_be_read_are_skipped_with_the_line(pictures):
    (pictures / "bad.png").write_text("text")
    (pictures / "a.csv").write_text("in/0.png,1\nnone.png,2\nbad.png,3\nin/0.png,4\n")
    found = read(f"csv:{pictures / 'a.csv'}")
    assert (reds(found), found.labels.tolist()) == ([0], [1])
    reasons = dict(found.skipped)
    assert reasons["none.png"].startswith("line 2 of a.csv: expected a picture")
    assert reasons["none.png"].endswith(f"(looked for in {str(pictures)!r})")
    assert "looked for" not in reasons["bad.png"]  # it is where the table says
    assert reasons["bad.png"].startswith("line 3 of a.csv: expected a picture")
    assert reasons["in/0.png (line 4)"] == "line 4 of a.csv: listed before, in line 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paht,label\nin/0.png,1\n", r"unknown column of pictures .* did you mean 'paht'\? known: paht, label"),
        ("../secret.png,1\n", r"line 1 of a\.csv: expected a path below the table's folder .* got '\.\./secret\.png'"),
        ("in/0.png,1\n/etc/hostname,1\n", r"line 2 of a\.csv: expected a path below the table's folder"),
        ("in\\..\\..\\secret.png,1\n", r"expected a path below the table's folder"),
        ("path,label\n", r"expected lines below the header of 'a\.csv'"),
        ("\n\n", r"expected lines 'path,label'"),
        ("path,label\n,3\n", r"line 2 of a\.csv: expected a path in column 1, got none"),
        ('"' + "a" * 200_000 + '",1\n', r"line 1 of a\.csv: field larger than field limit"),
    ],
)
def test_tables_that_cannot_be_used_are_told(text, message, pictures):
    (pictures / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(f"csv:{pictures / 'a.csv'}")


def test_options_of_a_table_are_checked(pictures):
    (pictures / "a.csv").write_text("path,label\nin/0.png,1\n")
    with pytest.raises(InputError, match=r"unknown column of label= 'lable'; did you mean 'label'\?"):
        open_dataset(f"csv[label=lable]:{pictures / 'a.csv'}")
    with pytest.raises(InputError, match="expected a file, got a folder"):
        open_dataset(f"csv:{pictures}")


# --- tar shards


def shard(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path):
    shard(tmp_path / "s-00.tar", {"a/0.png": png(0), "a/0.cls": b"5\n", "a/1.x.png": png(1), "a/1.json": b"3"})
    shard(tmp_path / "s-01.tar", {"2.JPG": png(2), "2.json": b'{"label": 4, "other": 1}', "note.txt": b"no sample"})
    return tmp_path


@pytest.mark.parametrize("path", ["", "s-{00..01}.tar", "s-*.tar", "s-{00,01}.tar"])
def test_shards(path, shards):
    dataset = open_dataset(f"webdataset:{shards / path}")
    assert [member.name for member in dataset.members] == ["s-00/a/0", "s-00/a/1", "s-01/2"]
    assert dataset.labels == (5, 3, 4)
    assert reds(read_pictures(pickle.loads(pickle.dumps(dataset)), SMALL)) == [0, 1, 2]


def test_a_picture_comes_before_its_mask(tmp_path):
    path = shard(tmp_path / "s.tar", {"0.mask.png": png(9), "0.jpg": png(1), "0.webp": png(8)})
    assert reds(read(f"webdataset:{path}")) == [1]


def test_one_shard_and_one_order(shards):
    assert len(open_dataset(f"webdataset:{shards / 's-01.tar'}")) == 1
    backwards = open_dataset(f"webdataset:{shards}/s-{{01,00}}.tar")
    assert backwards.members[0].name == "s-01/2"
    dataset = open_dataset(f"webdataset:{shards}")
    assert reds(read_shard(dataset, [2, 0], SMALL)) == [2, 0]


def test_shards_of_the_same_name_keep_their_pictures_apart(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        shard(tmp_path / folder / "s.tar", {"0.png": png(3)})
    dataset = open_dataset(f"webdataset:{tmp_path}/{{x,y}}/s.tar")
    assert [member.name for member in dataset.members] == ["00000-s/0", "00001-s/0"]


def test_braces():
    assert expanded("a{8..10}.tar") == ["a8.tar", "a9.tar", "a10.tar"]
    assert expanded("a.tar") == ["a.tar"]
    with pytest.raises(InputError, match="expected at most 100,000 shards"):
        expanded("{0..999999999}.tar")
    with pytest.raises(InputError, match="expected at most 100,000 shards"):
        expanded("{0..999}{0..999}.tar")


def test_what_leads_out_of_a_shard_is_left_alone(tmp_path):
    """Names are only names, and links are passed over: nothing is unpacked or followed."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(9))
    path = shard(tmp_path / "s.tar", {"../../0.png": png(0), "/etc/1.png": png(1)})
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"link{int(kind)}.png")
            entry.type, entry.linkname = kind, str(secret)
            archive.addfile(entry)
    before = sorted(tmp_path.rglob("*"))
    found = read(f"webdataset:{path}")
    assert (found.names, reds(found)) == (("s/../../0", "s//etc/1"), [0, 1])
    assert sorted(tmp_path.rglob("*")) == before


def test_truncated_shards_give_what_is_whole(tmp_path):
    path = shard(tmp_path / "s.tar", {"0.png": png(0), "1.png": os.urandom(3000)})
    found = read(f"webdataset:{path}")
    assert (reds(found), [name for name, _ in found.skipped]) == ([0], ["s/1"])
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"1.png") + 1000])
    with pytest.raises(InputError, match=r"expected an uncompressed tar file, got 's\.tar'"):
        open_dataset(f"webdataset:{path}")
    dataset = open_dataset(f"webdataset:{shard(path, {'0.png': png(0), '1.png': png(1)})}")
    path.write_bytes(path.read_bytes()[:1600])
    assert dict(read_pictures(dataset, SMALL).skipped)["s/1"].startswith("expected a")


@pytest.mark.parametrize("label", [b"cat", b"-1", b"9" * 5000, b"", b"\xff"])
def test_labels_that_are_no_class_are_left_out(label, tmp_path):
    dataset = open_dataset(f"webdataset:{shard(tmp_path / 's.tar', {'0.png': png(0), '0.cls': label})}")
    assert (dataset.labels, dataset.notes) == (None, ("no labels, or not for all pictures",))


def test_what_are_no_shards_is_told(tmp_path):
    with pytest.raises(InputError, match=r"expected a tar file or a folder with \*\.tar"):
        open_dataset(f"webdataset:{tmp_path}")
    with pytest.raises(InputError, match="No such file"):
        open_dataset(f"webdataset:{tmp_path}/s-{{00..01}}.tar")
    with tarfile.open(tmp_path / "z.tar", "w:gz"):
        pass
    with pytest.raises(InputError, match=r"expected an uncompressed tar file, got 'z\.tar'"):
        open_dataset(f"webdataset:{tmp_path / 'z.tar'}")
    with pytest.raises(InputError, match=r"expected pictures .* in 1 tar files, got none"):
        open_dataset(f"webdataset:{shard(tmp_path / 'e.tar', {'a.txt': b'x'})}")


# --- Arrow


@pytest.fixture
def saved(tmp_path):
    """As ``datasets.Dataset.save_to_disk`` leaves it."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    folder = tmp_path / "saved"
    folder.mkdir()
    files = []
    for part in range(2):
        rows = {
            "image": [{"bytes": png(2 * part + row), "path": None} for row in range(2)],
            "label": pyarrow.array([row if part == 0 else 1 - row for row in range(2)], pyarrow.int64()),
            "more": ["x", "y"],
        }
        table = pyarrow.table(rows)
        files.append({"filename": f"data-{part:05d}-of-00002.arrow"})
        with pyarrow.ipc.new_stream(str(folder / files[-1]["filename"]), table.schema) as writer:
            writer.write_table(table, max_chunksize=1)
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    (folder / "state.json").write_text(json.dumps({"_data_files": files, "_split": "test"}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def test_folders_of_hugging_face(saved):
    dataset = open_dataset(f"huggingface:{saved}")
    assert (dataset.labels, dataset.classes, len(dataset)) == ((0, 1, 1, 0), ("cat", "dog"), 4)
    assert dataset.members[3].name == "data-00001-of-00002-000001"
    assert reds(read_pictures(dataset, SMALL)) == [0, 1, 2, 3]
    again = pickle.loads(pickle.dumps(dataset))
    assert reds(read_shard(again, [3, 1], SMALL)) == [3, 1]
    assert again.fingerprint == dataset.fingerprint


def test_splits_of_hugging_face(saved, tmp_path):
    (tmp_path / "all").mkdir()
    saved.rename(tmp_path / "all" / "test")
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert len(open_dataset(f"huggingface:{tmp_path / 'all'}")) == 4
    with pytest.raises(InputError, match=r"unknown split 'tset'; did you mean 'test'\?"):
        open_dataset(f"huggingface[split=tset]:{tmp_path / 'all'}")
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["../outside"]}')
    with pytest.raises(InputError, match=r"expected the name of a file in the folder, got '\.\./outside'"):
        open_dataset(f"huggingface:{tmp_path / 'all'}")


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", ""])
def test_files_of_hugging_face_stay_in_their_folder(name, saved):
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(InputError, match="expected the name of a file in the folder"):
        open_dataset(f"huggingface:{saved}")


def test_what_is_no_folder_of_hugging_face_is_told(saved):
    file = saved / "data-00000-of-00002.arrow"
    with pytest.raises(InputError, match=r"unknown column of .* 'img'; did you mean 'image'\?"):
        open_dataset(f"huggingface[image=img]:{saved}")
    with pytest.raises(InputError, match="expected column 'more' to hold bytes"):
        open_dataset(f"huggingface[image=more]:{saved}")
    with pytest.raises(InputError, match="expected column 'more' to hold class indices, got string"):
        open_dataset(f"huggingface[label=more]:{saved}")
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(InputError, match=r"expected an Arrow stream, got 'data-00000-of-00002\.arrow'"):
        open_dataset(f"huggingface:{saved}")
    (saved / "state.json").write_text("[]")
    with pytest.raises(InputError, match=r"state\.json: expected an object, got a list"):
        open_dataset(f"huggingface:{saved}")
    (saved / "state.json").unlink()
    with pytest.raises(InputError, match=r"expected state\.json with the names of Arrow files"):
        open_dataset(f"huggingface:{saved}")


def test_without_pyarrow_the_extra_is_named(saved, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow.ipc", None)
    with pytest.raises(InputError, match=r'pip install "heatproof\[arrow\]"'):
        open_dataset(f"huggingface:{saved}")


def test_parquet_of_hugging_face_names_its_classes(tmp_path):
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    frame = pl.DataFrame({"image": [png(0), png(1)], "label": [1, 0]})
    frame.write_parquet(tmp_path / "a.parquet", metadata={"huggingface": json.dumps(features)})
    dataset = open_dataset(f"parquet:{tmp_path / 'a.parquet'}")
    assert (dataset.labels, dataset.classes) == ((1, 0), ("cat", "dog"))
    for odd in ("[", "[]", '{"info": 3}'):
        frame.write_parquet(tmp_path / "b.parquet", metadata={"huggingface": odd})
        assert open_dataset(f"parquet:{tmp_path / 'b.parquet'}").classes == ()


# --- wherever pictures are asked for


def test_a_data_set_by_name_wherever_pictures_are_asked_for(shards):
    spec = f"webdataset:{shards}"
    assert hp.load_images(spec, SMALL).shape == (3, 3, 12, 12)
    assert as_dataset([spec]).labels == (5, 3, 4)
    np.testing.assert_array_equal(load_dataset(spec, SMALL).images, hp.load_images(spec, SMALL))
    with pytest.raises(InputError, match="expected one data set, or pictures and folders"):
        as_dataset([spec, str(shards)])


def test_a_file_that_is_called_like_a_data_set_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder:a.png").write_bytes(png(7))
    assert as_dataset("folder:a.png").name == "pictures"
