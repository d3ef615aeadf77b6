"""Heatmaps from a file: found by the names of their images, of the right size, and of no more than is needed."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from safetensors.numpy import save_file
from torch import nn

import heatproof as hp
from heatproof.heatmaps.precomputed import ImageSelection, MapFile, map_files

NAMES = ("photos/a.png", "photos/b.png", "other/c.jpg")
SHAPE = (6, 5)


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


def by_name(maps, names=NAMES):
    return dict(zip(names, maps, strict=True))


def zarr_array(path, maps):
    zarr.save_array(str(path), maps)


def zarr_group(path, maps):
    group = zarr.open_group(str(path), mode="w")
    for name, one in by_name(maps, ["a.png", "b.png", "c.jpg"]).items():
        group.create_array(name, data=one)


def zarr_of_run(path, maps):
    group = zarr.open_group(str(path), mode="w")
    group.create_array("method-0", data=-maps)
    group.create_array("method-1", data=maps)
    group.attrs["methods"] = ["other", "mine"]


WAYS = {
    "names.npz": lambda path, maps: np.savez(path, **by_name(maps)),
    "compressed.npz": lambda path, maps: np.savez_compressed(path, **by_name(maps, ["a.png", "b.png", "c.jpg"])),
    "stems.npz": lambda path, maps: np.savez(path, **by_name(maps, ["a", "b", "c"])),
    "stack.npz": lambda path, maps: np.savez(path, heatmaps=maps[::-1], names=[*NAMES[::-1]]),
    "packed stack.npz": lambda path, maps: np.savez_compressed(path, heatmaps=maps, names=[*NAMES]),
    "in order.npz": lambda path, maps: np.savez(path, maps=maps),
    "columns first.npz": lambda path, maps: np.savez(path, heatmaps=np.asfortranarray(maps)),
    "one channel.npz": lambda path, maps: np.savez(path, heatmaps=maps[:, None]),
    "channel by name.npz": lambda path, maps: np.savez(path, **by_name(maps[:, None])),
    "float64.npz": lambda path, maps: np.savez(path, **by_name(maps.astype(np.float64))),
    "in order.npy": np.save,
    "columns first.npy": lambda path, maps: np.save(path, np.asfortranarray(maps)),
    "names.safetensors": lambda path, maps: save_file(by_name(maps), path),
    "in order.safetensors": lambda path, maps: save_file({"heatmaps": maps}, path),
    "array.zarr": zarr_array,
    "group.zarr": zarr_group,
    "run.zarr": zarr_of_run,
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_store_maps_gives_them_back(name, maps, tmp_path):
    WAYS[name](tmp_path / name, maps)
    file = MapFile(tmp_path / name, "mine")
    found = file.read(ImageSelection.every(3, NAMES), SHAPE)
    np.testing.assert_array_equal(found.numpy(), maps)
    some = file.read(ImageSelection((2, 0), (NAMES[2], NAMES[0]), 3), SHAPE)
    np.testing.assert_array_equal(some.numpy(), maps[[2, 0]])
    assert file.missing(ImageSelection.every(3, NAMES), SHAPE) == ()


@pytest.fixture
def told(tmp_path, maps):
    """What a file with these arrays is told."""

    def ask(message, arrays=None, names=NAMES, path="maps.npz", shape=SHAPE):
        file = tmp_path / path
        if arrays is not None:
            np.savez(file, **arrays)
        with pytest.raises(hp.InputError, match=message):
            MapFile(file, "mine").read(ImageSelection.every(len(names) if names else 3, names), shape)

    return ask


def test_names_that_are_missing_or_ambiguous(told, maps):
    told(
        r"has no map for 1 of 3 images: 'other/c.jpg'; it has 2: 'a.png', 'b.png'", {"a.png": maps[0], "b.png": maps[1]}
    )
    told(
        "has several maps for 'photos/a.png': 'x/a.png', 'y/a.png'", {"x/a.png": maps[0], "y/a.png": maps[1]}, NAMES[:1]
    )
    told(
        "matches both 'x/a.png' and 'y/a.png'",
        {"a.png": maps[0], "b": maps[1]},
        ("x/a.png", "y/a.png"),
    )
    told("pass names=", {"a.png": maps[0], "b.png": maps[1]}, None)


def test_whole_names_win_over_file_names(maps, tmp_path):
    np.savez(tmp_path / "maps.npz", **{"x/a.png": maps[0], "y/a.png": maps[1]})
    found = MapFile(tmp_path / "maps.npz", "mine").read(ImageSelection.every(2, ("y/a.png", "x/a.png")), SHAPE)
    np.testing.assert_array_equal(found.numpy(), maps[[1, 0]])


def test_maps_in_order_must_be_as_many_as_the_images(told, maps, tmp_path):
    np.save(tmp_path / "maps.npy", maps[:2])
    told("must hold one map for each of the 3 images, in their order; it holds 2", path="maps.npy")
    told("'names' in .* must hold a text for each of the maps", {"heatmaps": maps, "names": ["a", "b"]})
    told("'names' in .* must hold a text", {"heatmaps": maps, "names": [1, 2, 3]})


def test_other_shapes_are_refused_and_never_resized(told, maps):
    told(
        r"\(H, W\) = \(7, 7\), what the network reads, got number of shape \(6, 5\); .*nothing is resized",
        by_name(maps),
        shape=(7, 7),
    )
    told("their sum for relevance, their norm for gradients", {"heatmaps": np.stack([maps] * 3, axis=1)})
    told("their sum for relevance", by_name(np.stack([maps] * 3, axis=1)))
    told("64 bits", by_name(maps.astype(complex)))


def test_what_cannot_be_read(told, maps, tmp_path):
    told("there is no file of heatmaps", path="nothing.npz")
    told(r"unknown ending '.pt'; .*known: .npz, .npy, .safetensors, .zarr", path="maps.pt")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    told("cannot read heatmaps from .*broken.npz", path="broken.npz")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing at all")
    told("cannot read heatmaps from", path="broken.safetensors")
    np.savez(tmp_path / "objects.npz", **{"a.png": np.array([{}], dtype=object)}, allow_pickle=True)
    told("expected .* got object", path="objects.npz", names=NAMES[:1])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    told("cannot read heatmaps", path="objects.npy")


def test_a_bomb_is_refused_by_its_header(tmp_path, told):
    """A few bytes that say that they are 4 TB, and 100 MB of zeros in 100 kB: neither is unpacked."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**19)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png.npy", header.getvalue())
        with archive.open("b.png.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (6, 5)})
            for _ in range(100):
                stream.write(bytes(2**20))
    told("what the network reads, got number of shape", path="bomb.npz", names=NAMES[:1])
    found = MapFile(tmp_path / "bomb.npz", "mine").read(ImageSelection.every(1, ("b.png",)), SHAPE)
    assert not found.any()


def test_a_file_that_was_changed_is_known(maps, tmp_path):
    np.save(tmp_path / "maps.npy", maps)
    file = MapFile(tmp_path / "maps.npy", "mine").with_fingerprint()
    file.check()
    np.save(tmp_path / "maps.npy", maps + 1)
    with pytest.raises(hp.InputError, match="has changed since the run began"):
        file.check()
    zarr_array(tmp_path / "maps.zarr", maps)
    assert MapFile(tmp_path / "maps.zarr", "mine").hashed() != file.hashed()


def test_a_run_in_random_order_does_not_say_whose_maps_it_holds(maps, tmp_path):
    zarr_of_run(tmp_path / "heatmaps.zarr", maps)
    (tmp_path / "run.json").write_text('{"plan": {"rule": {"until": "signs"}}}')
    with pytest.raises(hp.InputError, match="random order"):
        MapFile(tmp_path / "heatmaps.zarr", "mine").read(ImageSelection.every(3, NAMES), SHAPE)
    with pytest.raises(hp.InputError, match="it holds maps of other, mine; expected one of these names, got 'me'"):
        MapFile(tmp_path / "heatmaps.zarr", "me").read(ImageSelection.every(3, NAMES), SHAPE)


@pytest.mark.parametrize("text", ["maps.npz", "=maps.npz", "mine="])
def test_files_are_given_with_a_name(text):
    with pytest.raises(hp.InputError, match="expected heatmaps as NAME=FILE"):
        map_files([text])


def test_a_name_is_given_once():
    with pytest.raises(hp.InputError, match="two files of heatmaps are called 'mine'"):
        map_files(["mine=a.npz", "mine=b.npz"])
    assert map_files(["mine=a=b.npz"])["mine"].path == Path("a=b.npz")


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3)))


@pytest.fixture(scope="module")
def images():
    return torch.rand(4, 3, 10, 10, generator=torch.Generator().manual_seed(0))


def test_compare_and_complexity(network, images, tmp_path):
    own, names = images.sum(dim=1), ["d.png", "c.png", "b.png", "a.png"]
    np.savez(tmp_path / "maps.npz", **dict(zip(names, own.numpy(), strict=True)))
    np.save(tmp_path / "maps.npy", own.numpy())
    options = {"regions": 2, "audit": 0, "names": names}
    from_file = hp.compare(network, images, {"mine": tmp_path / "maps.npz"}, **options, protocol="samek2017")
    given = hp.compare(network, images, {"mine": own}, **options, protocol="samek2017")
    called = hp.compare(
        network, images, {"mine": lambda network, images, targets: images.sum(dim=1)}, **options, protocol="samek2017"
    )
    in_order = hp.compare(network, images, {"mine": tmp_path / "maps.npy"}, regions=2, audit=0, protocol="samek2017")
    for other in (given, called, in_order):
        torch.testing.assert_close(from_file.morf["mine"].scores, other.morf["mine"].scores)
    simple = hp.complexity(network, images, {"mine": tmp_path / "maps.npz"}, names=names)
    assert simple.values["PNG"]["mine"].shape == (4,)
    with pytest.raises(hp.InputError, match="pass names="):
        hp.compare(network, images, {"mine": tmp_path / "maps.npz"}, regions=2, protocol="samek2017")


def test_a_map_that_is_not_finite(network, images, tmp_path):
    np.save(tmp_path / "maps.npy", np.full((4, 10, 10), np.nan))
    with pytest.raises(hp.InputError, match="not finite"):
        hp.compare(network, images, {"mine": tmp_path / "maps.npy"}, regions=2, protocol="samek2017")
