"""Weights that carry code, swell, or are not what they say."""

import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from heatproof import InputError, load_network
from heatproof.network.weights import read_classes, read_weights


class Dangerous:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "code was run"


def zipped(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def evil(marker):
    return pickle.dumps({"weight": Dangerous(marker)})


def in_tar(path, marker):
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle", "../escaped"):
            info = tarfile.TarInfo(name)
            info.size = len(evil(marker))
            archive.addfile(info, io.BytesIO(evil(marker)))


FORMS = {
    "pickle": lambda path, marker: path.write_bytes(evil(marker)),
    "protocol 4": lambda path, marker: path.write_bytes(pickle.dumps(Dangerous(marker), protocol=4)),
    "torch": lambda path, marker: torch.save({"a": torch.ones(2), "b": Dangerous(marker)}, path),
    "old torch": lambda path, marker: torch.save([Dangerous(marker)], path, _use_new_zipfile_serialization=False),
    "zip": lambda path, marker: zipped(path, {"archive/data.pkl": evil(marker), "archive/version": "3"}),
    "zip in a zip": lambda path, marker: zipped(
        path, {"a.zip": zipped(path.with_name("inner"), {"a/data.pkl": evil(marker)}).read_bytes()}
    ),
    "tar": in_tar,
    "TorchScript": lambda path, marker: zipped(
        path, {"net/data.pkl": evil(marker), "net/code/__torch__.py": "def f(): 1", "net/constants.pkl": evil(marker)}
    ),
    "exported": lambda path, marker: zipped(
        path, {"net/archive_format": "pt2", "net/models/model.json": "{}", "net/data/weights/0": evil(marker)}
    ),
    "compressed": lambda path, marker: zipped(
        path, {"a/data.pkl": evil(marker), "a/data/0": bytes(10**6)}, zipfile.ZIP_DEFLATED
    ),
}
REASONS = {
    "tar": "is a tar archive, and loading it would run its code; save its state_dict",
    "TorchScript": "is a TorchScript program, and loading it would run its code; save its state_dict",
    "exported": "is an exported program, and loading it would run its code",
    "compressed": "is compressed, which PyTorch's own files never are",
    "zip in a zip": "cannot be read as a PyTorch file",
}


@pytest.mark.parametrize("ending", ["pth", "pt2", "bin", "safetensors"])
@pytest.mark.parametrize("form", FORMS)
def test_code_is_never_run_and_the_reason_told(form, ending, tmp_path, marker):
    path = tmp_path / f"bad.{ending}"
    FORMS[form](path, marker)
    reason = REASONS.get(form, "carries more than tensors, and loading it would run its code")
    expected = "is not a complete safetensors file" if ending == "safetensors" else reason
    with pytest.raises(InputError, match=expected):
        load_network("torchvision:squeezenet1_1", weights=path)
    assert not marker.exists()
    assert {file.name for file in tmp_path.iterdir()} <= {path.name, "inner"}
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(1).expand(10**6), torch.ones(1).expand(10**12), torch.eye(3).to_sparse(), torch.ones(3, device="meta")],
    ids=["a million", "more than memory", "sparse", "without numbers"],
)
def test_tensors_that_are_not_in_the_file(tensor, tmp_path):
    torch.save({"classifier.1.weight": tensor}, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=r"classifier\.1\.weight must be a plain array that lies in the file"):
        load_network("torchvision:squeezenet1_1", weights=tmp_path / "odd.pth")


def test_tensors_that_cannot_be_copied(tmp_path):
    stored = {"a": torch.zeros(2, dtype=torch.complex64), "b": torch.zeros(2).to(torch.float8_e4m3fn)}
    torch.save(stored, tmp_path / "odd.pth")
    assert read_weights(tmp_path / "odd.pth").keys() == {"a", "b"}


@pytest.mark.parametrize("stored", ["[" * 100_000, "{", "9" * 5000, '{"a": 1}', "null"])
def test_odd_names_of_classes_are_left_out(stored, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {"classes": stored})
    assert read_classes(tmp_path / "a.safetensors") is None


@pytest.mark.parametrize("spec", ["{}.pth", "{}.pt2", "torchscript:{}.pt"])
def test_archives_of_many_members_are_refused_before_they_are_listed(tmp_path, spec):
    directory = (b"PK\1\2" + bytes(42)) * (2**18 + 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    spec = spec.format(tmp_path / "many")
    path = Path(spec.removeprefix("torchscript:"))
    path.write_bytes(directory + end)
    with pytest.raises(InputError, match="it has 262,145 members; expected at most 262,144"):
        read_weights(path) if path.suffix == ".pth" else load_network(spec)
