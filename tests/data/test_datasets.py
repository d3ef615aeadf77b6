"""Data sets in small made copies of their owners' layouts."""

import os
import pickle
import shutil
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from heatproof.data import DATASETS, Preprocessing, load_dataset, open_dataset, read_pictures
from heatproof.data.layouts.sun import TABLE, match, plain, sun_to_places365
from heatproof.errors import InputError

SMALL = Preprocessing(resize=(12, 12))
SHARED = Path(__file__).parents[3] / "shared" / "data"


def picture(path, value=0):
    """A picture of one colour, whose red tells it from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (14, 16), (value, 50, 100)).save(path, "PNG")  # lossless, whatever the name says
    return path


def reds(pictures):
    return [round(255 * float(image[0, 0, 0])) for image in pictures.images]


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def read(spec):
    return read_pictures(open_dataset(spec), SMALL)


# ILSVRC2012

WNIDS = ("n01440764", "n01443537", "n02119789")  # classes 0, 1, 2
NUMBERS = (3, 1, 2)  # their numbers in the devkit
NAMES = ("tench, Tinca tinca", "goldfish", "kit fox")


def meta_mat(path):
    """The devkit's table: classes in its own order, then an inner node of the hierarchy."""
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = sorted((float(n), w, name, "gloss", 0.0) for n, w, name in zip(NUMBERS, WNIDS, NAMES, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"synsets": np.array([*rows, (4.0, "n00000001", "fish", "inner", 2.0)], dtype=kind).reshape(-1, 1)})


@pytest.fixture
def flat(tmp_path):
    """Four validation pictures in a flat folder, with their ground truth in the devkit's numbers."""
    for number in (4, 2, 1, 3):
        picture(tmp_path / "ILSVRC2012_img_val" / f"ILSVRC2012_val_{number:08d}.JPEG", 10 * number)
    kit = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    write(kit / "ILSVRC2012_validation_ground_truth.txt", "2", "3", "1", "3")
    return tmp_path


@pytest.mark.parametrize("table", ["meta.mat", "map_clsloc.txt"])
def test_flat_ilsvrc_has_labels_in_the_order_of_sorted_wnids(flat, table):
    kit = flat / "ILSVRC2012_devkit_t12" / "data"
    if table == "meta.mat":
        meta_mat(kit / table)
    else:
        write(kit / table, "n02119789 2 kit_fox", "n01443537 1 goldfish", "n01440764 3 tench,_Tinca_tinca")
    pictures = read(f"ilsvrc2012:{flat}")
    assert reds(pictures) == [10, 20, 30, 40]
    assert pictures.labels.tolist() == [2, 0, 1, 0]  # numbers 2, 3, 1, 3
    assert pictures.classes == NAMES
    assert pictures.names[0] == "ILSVRC2012_val_00000001.JPEG"


def test_flat_ilsvrc_in_the_given_folder_and_without_ground_truth(tmp_path):
    picture(tmp_path / "ILSVRC2012_val_00000007.JPEG")
    dataset = open_dataset(f"ilsvrc2012:{tmp_path}")
    assert dataset.labels is None
    assert "no labels: there is no ILSVRC2012_validation_ground_truth.txt" in dataset.notes[0]


def test_ground_truth_needs_a_table_of_classes(flat):
    with pytest.raises(InputError, match=r"expected meta\.mat or map_clsloc\.txt beside ILSVRC2012_validation_ground"):
        open_dataset(f"ilsvrc2012:{flat}")


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (["1", "2"], "expected a line of ground truth for ILSVRC2012_val_00000003.JPEG, got 2 lines"),
        (
            ["1", "9", "1", "1"],
            "line 2 of ILSVRC2012_validation_ground_truth.txt: expected the number of a class, got '9'",
        ),
        (["1", "1", "x", "1"], "line 3 .* got 'x'"),
    ],
)
def test_wrong_ground_truth_is_named(flat, truth, message):
    meta_mat(flat / "meta.mat")
    write(flat / "ILSVRC2012_validation_ground_truth.txt", *truth)
    with pytest.raises(InputError, match=message):
        open_dataset(f"ilsvrc2012:{flat}")


def test_broken_tables_of_classes_are_named(flat):
    (flat / "meta.mat").write_bytes(b"no such thing" * 20)
    with pytest.raises(InputError, match=r"expected the devkit's meta\.mat, got a file that cannot be read"):
        open_dataset(f"ilsvrc2012:{flat}")
    (flat / "meta.mat").unlink()
    write(flat / "map_clsloc.txt", "1 n01440764 tench")
    with pytest.raises(InputError, match="expected lines 'n02119789 1 kit_fox'"):
        open_dataset(f"ilsvrc2012:{flat}")


@pytest.mark.parametrize("inside", [".", "val"])
def test_ilsvrc_in_class_folders(tmp_path, inside):
    for number in range(1000):
        (tmp_path / inside / f"n{number:08d}").mkdir(parents=True)
    picture(tmp_path / inside / "n00000999" / "ILSVRC2012_val_00000001.JPEG", 1)
    picture(tmp_path / inside / "n00000005" / "ILSVRC2012_val_00000002.JPEG", 2)
    pictures = read(f"ilsvrc2012:{tmp_path}")
    assert pictures.labels.tolist() == [999, 5]  # in the order of their numbers, as in a flat folder
    assert reds(pictures) == [1, 2]


def test_some_class_folders_have_labels_only_where_a_table_numbers_all(tmp_path):
    picture(tmp_path / "val" / WNIDS[2] / "a.JPEG")
    dataset = open_dataset(f"ilsvrc2012:{tmp_path}")
    assert dataset.labels is None
    assert "no labels: 1 of 1000 class folders" in dataset.notes[0]
    meta_mat(tmp_path / "meta.mat")
    assert open_dataset(f"ilsvrc2012:{tmp_path}").labels == (2,)


def test_what_is_no_ilsvrc(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"cannot use .* as ilsvrc2012: expected class folders .* got neither"):
        open_dataset(f"ilsvrc2012:{tmp_path}")


# SUN397


@pytest.fixture
def sun(tmp_path):
    """Four categories and a folder that is none."""
    for value, name in enumerate(["a/abbey", "b/balcony/exterior", "a/airplane_cabin", "w/waterfall/fan", "m/misc"]):
        picture(tmp_path / "SUN397" / name / "sun_a.jpg", value)
    return tmp_path


def test_sun_has_labels_in_the_order_of_all_397_categories(sun):
    pictures = read(f"sun397:{sun}")
    names = [name for name, _ in sun_to_places365()]
    assert pictures.names[1:3] == ("a/airplane_cabin/sun_a.jpg", "b/balcony/exterior/sun_a.jpg")
    assert [pictures.classes[label] for label in pictures.labels] == [
        "abbey", "airplane_cabin", "balcony-exterior", "waterfall-fan",
    ]  # fmt: skip
    assert pictures.classes == tuple(sorted(names))
    assert "1 pictures in 1 folders that are no SUN397 categories" in open_dataset(f"sun397:{sun}").notes[0]


def test_sun_categories_that_places365_has(sun):
    pictures = read(f"sun397[categories=places365]:{sun}")
    assert reds(pictures) == [2, 1]
    assert pictures.labels[0] == 1  # /a/airplane_cabin 1


def test_sun_categories_of_another_label_set(sun):
    other = write(sun / "categoryIndex_places205.csv", "/a/abbey 0", "/a/alley 1", "/b/balcony/exterior 2")
    pictures = read(f"sun397[categories={other}]:{sun}")
    assert pictures.labels.tolist() == [0, 2]
    assert pictures.classes == ("/a/abbey", "/a/alley", "/b/balcony/exterior")


def test_flat_sun_folders_are_understood(tmp_path):
    picture(tmp_path / "desert_sand" / "sun_a.jpg")
    dataset = open_dataset(f"sun397:{tmp_path}")
    assert dataset.classes[dataset.labels[0]] == "desert-sand"


def test_what_is_no_sun(tmp_path):
    picture(tmp_path / "holidays" / "a.jpg")
    with pytest.raises(InputError, match="expected folders letter/category of SUN397"):
        open_dataset(f"sun397:{tmp_path}")


def test_the_rule_of_the_table():
    assert match(
        ["abbey", "desert-sand", "waterfall-fan", "ice_skating_rink-indoor", "bakery-shop"],
        ["/b/bakery/shop", "/w/waterfall", "/d/desert/sand", "/i/ice_skating_rink/indoor"],
    ) == [None, 2, None, 3, 0]


def test_the_table_follows_from_the_two_lists():
    lists = [SHARED / "categories" / f"{name}.txt" for name in ("sun397", "places365")]
    if not all(file.exists() for file in lists):
        pytest.skip("needs the lists of categories in shared data")
    sun, places = [[line.split()[0] for line in file.read_text().splitlines() if line.strip()] for file in lists]
    assert sun_to_places365() == list(zip(sun, match(sun, places), strict=True))


def test_the_table_agrees_with_itself():
    table = sun_to_places365()
    indices = [index for _, index in table if index is not None]
    assert (len(table), len(indices), len(set(indices))) == (397, 294, 294)
    assert [name for name, _ in table] == sorted(name for name, _ in table)
    assert set(indices) <= set(range(365))
    text = (Path(__file__).parents[2] / "src" / "heatproof" / "data" / "layouts" / TABLE).read_text()
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")][1:]
    assert all(plain(sun) == plain(places) for sun, places, index in rows if index)
    assert "Rule:" in text


# Places


@pytest.mark.parametrize("folder", ["val_256", "val_large"])
@pytest.mark.parametrize("lists", [".", "filelist_places365-standard"])
def test_places365(tmp_path, folder, lists):
    for number in (1, 2):
        picture(tmp_path / folder / f"Places365_val_0000000{number}.jpg", number)
    write(tmp_path / lists / "places365_val.txt", "Places365_val_00000002.jpg 1", "Places365_val_00000001.jpg 0")
    write(tmp_path / lists / "categories_places365.txt", "/a/airfield 0", "/a/airplane_cabin 1")
    pictures = read(f"places365:{tmp_path}")
    assert (reds(pictures), pictures.labels.tolist()) == ([2, 1], [1, 0])
    assert pictures.classes == ("/a/airfield", "/a/airplane_cabin")


def test_places365_test_has_no_labels(tmp_path):
    picture(tmp_path / "test_256" / "Places365_test_00000001.jpg")
    write(tmp_path / "places365_test.txt", "Places365_test_00000001.jpg")
    dataset = open_dataset(f"places365[split=test]:{tmp_path}")
    assert (len(dataset), dataset.labels, dataset.notes) == (1, None, ("no labels in the list",))


@pytest.mark.parametrize("folder", ["data/vision/torralba/deeplearning/images256", "images256", "."])
def test_places205(tmp_path, folder):
    picture(tmp_path / folder / "a" / "abbey" / "gsun_1.jpg", 7)
    write(tmp_path / "trainvalsplit_places205" / "val_places205.csv", "a/abbey/gsun_1.jpg 0")
    pictures = read(f"places205:{tmp_path}")
    assert (reds(pictures), pictures.labels.tolist()) == ([7], [0])


def test_what_is_missing_or_wrong_in_places_is_named(tmp_path):
    with pytest.raises(InputError, match=r"places365_val\.txt or filelist_places365-standard/places365_val\.txt"):
        open_dataset(f"places365:{tmp_path}")
    names = write(tmp_path / "places365_val.txt", "a.jpg 0", "../../b.jpg 0")
    with pytest.raises(InputError, match="expected val_256 or val_large or val in it, found none"):
        open_dataset(f"places365:{tmp_path}")
    (tmp_path / "val_256").mkdir()
    with pytest.raises(InputError, match=r"line 2 of places365_val\.txt: expected a path inside the data set"):
        open_dataset(f"places365:{tmp_path}")
    write(names, "a.jpg 2")
    write(tmp_path / "categories_places365.txt", "/a/airfield 0", "/a/airplane_cabin 1")
    with pytest.raises(InputError, match=r"line 1 .* expected a label from 0 to 1, got 2"):
        open_dataset(f"places365:{tmp_path}")
    write(tmp_path / "categories_places365.txt", "/a/airfield 0", "/a/airplane_cabin 2")
    with pytest.raises(InputError, match="expected lines 'name index' with indices 0, 1, 2"):
        open_dataset(f"places365:{tmp_path}")
    with pytest.raises(InputError, match="unknown split of Places365 'vall'; did you mean 'val'"):
        open_dataset(f"places365[split=vall]:{tmp_path}")


# CIFAR-10


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def record(label, red):
    return struct.pack("B", label) + bytes([red]) * 1024 + bytes([50]) * 1024 + bytes([100]) * 1024


@pytest.mark.parametrize("inside", [".", "cifar-10-batches-bin"])
def test_cifar10(tmp_path, inside):
    folder = tmp_path / inside
    write(folder / "batches.meta.txt", *CIFAR10, "")
    (folder / "test_batch.bin").write_bytes(record(3, 30) + record(8, 80))
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(record(number, number))
    pictures = read(f"cifar10:{tmp_path}")
    assert (reds(pictures), pictures.labels.tolist()) == ([30, 80], [3, 8])
    assert pictures.names == ("test_batch-00000", "test_batch-00001")
    assert pictures.classes[3] == "cat"
    assert reds(read(f"cifar10[split=train]:{tmp_path}")) == [1, 2, 3, 4, 5]


def test_the_pixels_of_cifar10_are_rows_of_each_colour(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    (tmp_path / "test_batch.bin").write_bytes(b"\x05" + pixels.tobytes())
    pictures = read_pictures(open_dataset(f"cifar10:{tmp_path}"), Preprocessing())
    torch.testing.assert_close(pictures.images[0], torch.from_numpy(pixels) / 255)


def test_broken_and_missing_batches_of_cifar10(tmp_path):
    (tmp_path / "test_batch.bin").write_bytes(record(3, 30) + record(10, 1))
    pictures = read(f"cifar10:{tmp_path}")
    assert pictures.skipped == (("test_batch-00001", "expected a label from 0 to 9, got 10"),)
    assert pictures.labels.tolist() == [3]
    (tmp_path / "test_batch.bin").write_bytes(record(3, 30)[:-1])
    with pytest.raises(InputError, match=r"expected records of 3,073 bytes in 'test_batch\.bin', got 3,072 bytes"):
        open_dataset(f"cifar10:{tmp_path}")
    (tmp_path / "data_batch_1.bin").write_bytes(record(3, 30))
    assert open_dataset(f"cifar10[split=train]:{tmp_path}").notes == ("4 of 5 batches are not there",)


def test_the_python_version_of_cifar10_is_refused_unopened(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match=r"files are pickles.*get the binary version"):
        open_dataset(f"cifar10:{tmp_path}")


# Folders, lists, Parquet


def test_class_folders_give_labels(tmp_path):
    for name in ("dog/b.png", "cat/a.png", "cat/deep/c.png"):
        picture(tmp_path / name)
    dataset = open_dataset(f"folder:{tmp_path}")
    assert [(member.name, member.label) for member in dataset.members] == [
        ("cat/a.png", 0), ("cat/deep/c.png", 0), ("dog/b.png", 1),
    ]  # fmt: skip
    assert dataset.classes == ("cat", "dog")


def test_a_picture_outside_of_class_folders_leaves_no_labels(tmp_path):
    picture(tmp_path / "dog" / "b.png")
    picture(tmp_path / "a.png")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert (dataset.labels, dataset.classes) == (None, ())


def test_a_list_of_paths_and_labels(tmp_path):
    picture(tmp_path / "deep" / "my cat 3.png", 1)
    absolute = picture(tmp_path / "dog.png", 2)
    names = tmp_path / "list.txt"
    names.write_bytes(f"\ufeffdeep/my cat 3.png 4\r\n\r\n{absolute}\t0\r\n".encode())
    pictures = read(f"list:{names}")
    assert (reds(pictures), pictures.labels.tolist()) == ([1, 2], [4, 0])


def test_a_list_without_labels(tmp_path):
    picture(tmp_path / "my cat.png", 1)
    dataset = open_dataset(f"list:{write(tmp_path / 'list.txt', 'my cat.png')}")
    assert (dataset.labels, dataset.notes) == (None, ("no labels in the list",))


def test_a_csv_list_with_a_root(tmp_path):
    picture(tmp_path / "images" / "a, b.png", 5)
    names = write(tmp_path / "labels.csv", "file,author,class_index", '"a, b.png",me,7')
    pictures = read(f"list[root=images]:{names}")
    assert (reds(pictures), pictures.labels.tolist()) == ([5], [7])


def test_what_a_list_misses_is_skipped_with_its_line(tmp_path):
    picture(tmp_path / "a.png", 1)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = write(tmp_path / "list.txt", "a.png 1", "b.png 2", "", "broken.png 3", "a.png 1")
    pictures = read(f"list:{names}")
    assert pictures.labels.tolist() == [1]
    reasons = dict(pictures.skipped)
    assert reasons["b.png"].startswith(
        "line 2 of list.txt: expected a picture or a folder of pictures, got: No such file"
    )
    assert reasons["broken.png"].startswith("line 4 of list.txt: ")
    assert reasons["a.png (line 5)"] == "line 5 of list.txt: listed before, in line 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected lines 'path' or 'path label' in 'list.csv', got none"),
        (b"\xff\xfe\x00", "expected a text file in UTF-8, got 'list.csv'"),
        (b"path,label\na.png,cat\n", "line 2: expected a class index as label, got 'cat'"),
    ],
)
def test_what_is_no_list(tmp_path, content, message):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_dataset(f"list:{tmp_path / 'list.csv'}")


def png_bytes(tmp_path, value):
    return picture(tmp_path / "one.png", value).read_bytes()


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_with_bytes(tmp_path, struct):
    contents = [png_bytes(tmp_path, value) for value in range(5)]
    column = [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(contents)] if struct else contents
    pl.DataFrame({"image": column, "label": [4, 3, 2, 1, 0]}).write_parquet(tmp_path / "test.parquet")
    pictures = read(f"parquet:{tmp_path / 'test.parquet'}")
    assert (reds(pictures), pictures.labels.tolist()) == ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0])
    assert pictures.names[4] == "test-00004"


def test_parquet_in_parts_with_other_columns_and_named_classes(tmp_path):
    (tmp_path / "parts").mkdir()
    for part, names in enumerate((["dog", "cat"], ["dog"])):
        frame = pl.DataFrame({"img": [png_bytes(tmp_path, 10 * part + i) for i in range(len(names))], "kind": names})
        frame.write_parquet(tmp_path / "parts" / f"{part}.parquet")
    pictures = read(f"parquet[image=img,label=kind]:{tmp_path / 'parts'}")
    assert (reds(pictures), pictures.labels.tolist(), pictures.classes) == ([0, 1, 10], [1, 0, 1], ("cat", "dog"))


def test_parquet_in_more_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr("heatproof.data.layouts.parquet.BLOCK", 3)
    frame = pl.DataFrame({"image": [png_bytes(tmp_path, value) for value in range(10)], "label": range(10)})
    frame.write_parquet(tmp_path / "a.parquet")
    chosen = open_dataset(f"parquet:{tmp_path / 'a.parquet'}").choose(6, seed=1)
    pictures = read_pictures(chosen, SMALL)
    assert reds(pictures) == pictures.labels.tolist() == list(chosen.labels)


def test_broken_members_of_parquet_are_skipped(tmp_path):
    rows = [
        {"bytes": png_bytes(tmp_path, 1), "path": None},
        {"bytes": None, "path": "a.png"},
        {"bytes": b"no", "path": ""},
    ]
    pl.DataFrame({"image": rows, "label": [0, 1, -1]}).write_parquet(tmp_path / "a.parquet")
    pictures = read(f"parquet:{tmp_path / 'a.parquet'}")
    assert [name for name, _ in pictures.skipped] == ["a-00001", "a-00002"]
    assert "paths to files elsewhere are not followed" in pictures.skipped[0][1]
    assert pictures.labels is None  # −1 stands for none


def test_what_is_no_parquet(tmp_path):
    with pytest.raises(InputError, match="got a folder without any"):
        open_dataset(f"parquet:{tmp_path}")
    broken = write(tmp_path / "a.parquet", "text")
    with pytest.raises(InputError, match=r"'a\.parquet' is not a Parquet file that can be read"):
        open_dataset(f"parquet:{broken}")
    pl.DataFrame({"image": ["a.png"], "label": [0.5]}).write_parquet(broken)
    with pytest.raises(InputError, match=r"expected a column 'img' in 'a\.parquet', got image, label; set image=NAME"):
        open_dataset(f"parquet[image=img]:{broken}")
    with pytest.raises(
        InputError, match="expected column 'image' to hold bytes, or a struct with a field bytes, got Str"
    ):
        open_dataset(f"parquet:{broken}")


# Choosing, skipping, loading


@pytest.fixture
def numbered(tmp_path):
    """Fifty pictures."""
    for value in range(50):
        picture(tmp_path / "photos" / "class" / f"{value:02d}.png", value)
    return tmp_path / "photos"


def test_the_first_ones_and_a_seeded_sample(numbered):
    dataset = open_dataset(f"folder:{numbered}")
    names = [member.name for member in dataset.members]

    def chosen(count, **options):
        return [member.name for member in dataset.choose(count, **options).members]

    assert chosen(7, first=True) == names[:7]
    sample = chosen(20, seed=3)
    assert len(set(sample)) == 20
    assert sample == sorted(sample) != names[:20]
    assert sample == chosen(20, seed=3) != chosen(20, seed=4)
    assert set(chosen(5, seed=3)) < set(sample)
    assert chosen(50) == names == chosen(None)


@pytest.mark.parametrize("count", [0, -1, 51])
def test_more_than_there_are_cannot_be_chosen(numbered, count):
    with pytest.raises(InputError, match=rf"expected a number of images from 1 to 50 \(all of folder\), got {count}"):
        open_dataset(f"folder:{numbered}").choose(count)


def test_first_needs_a_number(numbered):
    with pytest.raises(InputError, match="expected a number of images with 'first'"):
        open_dataset(f"folder:{numbered}").choose(None, first=True)


def test_every_member_is_drawn_equally_often(numbered):
    dataset = open_dataset(f"folder:{numbered}")
    drawn = [member.name for seed in range(400) for member in dataset.choose(10, seed=seed).members]
    counts = [drawn.count(member.name) for member in dataset.members]
    assert min(counts) > 80 - 5 * 8  # binomial: mean 80, standard deviation 8
    assert max(counts) < 80 + 5 * 8


def test_load_dataset_skips_with_a_warning_and_keeps_labels_and_images_together(numbered):
    (numbered / "class" / "01.png").write_bytes(b"broken")
    with pytest.warns(UserWarning, match="skipped 1 of 3 pictures"):
        pictures = load_dataset(f"folder:{numbered}", SMALL, count=3, first=True)
    assert reds(pictures) == [0, 2]
    assert pictures.labels.tolist() == [0, 0]
    assert pictures.images.shape == (2, 3, 12, 12)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("photos", "expected NAME:PATH, such as folder:photos, got 'photos'; known names: "),
        (":photos", "expected NAME:PATH"),
        ("folder:", "expected NAME:PATH"),
        ("foldr:.", "unknown data set 'foldr'; did you mean 'folder'"),
        ("cifar10[spilt=test]:.", "unknown option of data set 'cifar10': 'spilt'; did you mean 'split'"),
        ("folder:nowhere", "cannot use 'nowhere' as folder: .*No such file"),
    ],
)
def test_what_is_no_data_set(spec, message):
    with pytest.raises(InputError, match=message):
        open_dataset(spec)


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_data_set_refuses_an_empty_folder_with_one_message(tmp_path, name):
    with pytest.raises(InputError, match=rf"cannot use .* as {name}: expected"):
        open_dataset(f"{name}:{tmp_path}")


# Real ones


def needs(path):
    if not path.exists():
        pytest.skip(f"needs {path.name} in shared data")
    return path


def test_real_ilsvrc_pictures_by_their_list():
    names = needs(SHARED / "ilsvrc2012-sample" / "labels.csv")
    pictures = load_dataset(f"list[root=images]:{names}", Preprocessing(resize=32, crop=32), count=6, first=True)
    assert pictures.labels.tolist() == [0, 5, 10, 15, 20, 25]
    assert pictures.names[0] == "n01440764_tench.JPEG"


def test_real_sun_pictures():
    folder = needs(SHARED / "sun397-sample")
    dataset = open_dataset(f"sun397:{folder}")
    assert len(dataset) == 405
    assert {member.name.partition("/")[0] for member in dataset.members} == {
        plain(dataset.classes[label]) for label in dataset.labels
    }
    assert len(open_dataset(f"sun397[categories=places365]:{folder}")) < 405


def test_real_cifar10_pictures():
    file = needs(SHARED / "cifar10" / "test1000-lossless.parquet")
    pictures = load_dataset(f"parquet:{file}", Preprocessing(), count=8, first=True)
    assert pictures.images.shape == (8, 3, 32, 32)
    assert pictures.labels.tolist() == [3, 8, 8, 0, 6, 6, 1, 6]  # the known beginning of the official test set


def test_real_places_pictures():
    names = needs(SHARED / "miniplaces-val" / "labels.csv")
    pictures = load_dataset(f"list[root=images]:{names}", SMALL, count=20, seed=1)
    assert len(pictures.labels) == 20


# Very many members, and odd ones


def test_a_fingerprint_covers_names_order_labels_and_classes(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        picture(tmp_path / "one" / name)
    dataset = open_dataset(f"folder:{tmp_path / 'one'}")
    assert dataset.fingerprint == open_dataset(f"folder:{tmp_path / 'one'}").fingerprint
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert dataset.fingerprint == open_dataset(f"folder:{tmp_path / 'two'}").fingerprint
    members = dataset.members
    others = [
        replace(dataset, members=members[::-1]),
        replace(dataset, members=members[:2]),
        replace(dataset, members=(*members[:2], replace(members[2], name="b/1.jpg"))),
        replace(dataset, members=(*members[:2], replace(members[2], label=0))),
        replace(dataset, members=(*members[:2], replace(members[2], label=None))),
        replace(dataset, classes=("a", "c")),
        replace(dataset, name="files"),
    ]
    assert len({other.fingerprint for other in [dataset, *others]}) == 1 + len(others)


def test_members_are_small(tmp_path):
    """A million of them must fit beside a network: 243 bytes each when measured, of which names take half."""
    lines = [f"n{number // 50:08d}/ILSVRC2012_val_{number:08d}.JPEG {number % 1000}" for number in range(20_000)]
    path = write(tmp_path / "list.txt", *lines)
    tracemalloc.start()
    dataset = open_dataset(f"list:{path}")
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(dataset) < 400
    assert most / len(dataset) < 1200


@pytest.mark.parametrize("spec", ["folder", "list", "parquet"])
def test_data_sets_can_be_sent_to_other_processes(tmp_path, spec):
    frame = pl.DataFrame({"image": [png_bytes(tmp_path, value) for value in range(3)]})
    frame.write_parquet(tmp_path / "a.parquet")
    write(tmp_path / "list.txt", picture(tmp_path / "0.png").name, picture(tmp_path / "2.png").name)
    place = {"folder": tmp_path, "list": tmp_path / "list.txt", "parquet": tmp_path / "a.parquet"}[spec]
    dataset = open_dataset(f"{spec}:{place}")
    sent = pickle.loads(pickle.dumps(dataset))
    assert sent.fingerprint == dataset.fingerprint
    assert torch.equal(read_pictures(sent, SMALL).images, read_pictures(dataset, SMALL).images)


def test_names_that_are_no_utf_8_become_text_that_any_file_can_hold(tmp_path):
    try:
        picture(Path(os.fsdecode(bytes(tmp_path) + b"/cl\xe9/caf\xe9.png")))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert (dataset.members[0].name, dataset.classes) == ("cl\\udce9/caf\\udce9.png", ("cl\\udce9",))
    assert len(read_pictures(dataset, SMALL).names) == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "a.png " + "9" * 5000, "line 1: expected a class index up to 999999999, got 9{40}$"),
        ("l.csv", "path,label\na.png," + "9" * 10, "line 2: expected a class index up to 999999999"),
        ("l.csv", "label,path\n3\n", r"line 2 of l\.csv: expected a path in column 2, got none"),
    ],
)
def test_lists_with_absurd_labels_or_none(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(f"list:{tmp_path / name}")


def test_absurd_labels_in_parquet(tmp_path):
    pl.DataFrame({"image": [b"x"], "label": pl.Series([2**63], dtype=pl.UInt64)}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"expected class indices from 0 to 999999999 .* got 9223372036854775808 for"):
        open_dataset(f"parquet:{tmp_path / 'a.parquet'}")
