"""Classifiers of transformers: as modules, and from folders with their preprocessing."""

import json
import warnings

import pytest
import torch

import heatproof as hp
from heatproof import InputError
from heatproof.network.formats.huggingface import preprocessing_of

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own

SHAPE = (3, 32, 32)
IMAGES = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(2))
HALVES = [0.5] * 3
TRANSFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
FAMILIES = {
    "vit": ("ViTForImageClassification", "ViTConfig", TRANSFORMER),
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    ),
    "convnext": (
        "ConvNextForImageClassification",
        "ConvNextConfig",
        {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    ),
    "swin": (
        "SwinForImageClassification",
        "SwinConfig",
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
    ),
}
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": HALVES,
    "image_std": HALVES,
}


def made(family):
    model, config, options = FAMILIES[family]
    described = getattr(transformers, config)(**options, id2label={index: f"class {index}!" for index in range(5)})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(transformers, model)(described).eval()


@pytest.fixture
def folder(tmp_path):
    made("resnet").save_pretrained(tmp_path / "net")
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path / "net"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_a_network_as_it_is(family):
    model = made(family)
    network = hp.Network(model)
    with torch.no_grad():
        torch.testing.assert_close(network.logits(IMAGES), model(pixel_values=IMAGES).logits, rtol=1e-4, atol=1e-5)
    images = IMAGES.clone().requires_grad_()
    model(pixel_values=images).logits.max(dim=1).values.sum().backward()
    torch.testing.assert_close(network.forward_pass(IMAGES).gradient, images.grad, rtol=1e-4, atol=1e-5)
    assert network.name == type(model).__name__
    assert network.classes[3] == "class 3!"
    assert network.without_graph(SHAPE) is None
    for method in ("lrp-epsilon", "lrp-attention", "lrp-attention[softmax=taylor]"):
        assert hp.explain(network, IMAGES, method).shape == (3, 32, 32)


def test_a_folder_brings_weights_preprocessing_and_names(folder):
    network = hp.load_network(f"transformers:{folder}")
    with torch.no_grad():
        theirs = made("resnet")(pixel_values=(IMAGES - 0.5) / 0.5).logits
    torch.testing.assert_close(network.logits(IMAGES), theirs, rtol=1e-4, atol=1e-5)
    assert network.preprocessing == hp.Preprocessing(resize=(32, 32), mean=HALVES, std=HALVES)
    assert (network.name, network.notes, network.classes[0]) == ("net", (), "class 0!")
    assert network.describe()["source"] == f"transformers:{folder}"


@pytest.mark.parametrize("kind", ["ViTImageProcessor", "ConvNextImageProcessor", "CLIPImageProcessor"])
def test_preprocessing_is_the_processors_own(kind, tmp_path):
    """The oracle is the processor itself, on a picture of another shape."""
    from PIL import Image

    sizes = {"CLIPImageProcessor": {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}}
    given = sizes.get(kind, {"size": {"shortest_edge": 32}} if kind.startswith("ConvNext") else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        processor = getattr(transformers, kind)(**given)
        processor.save_pretrained(tmp_path)
    ours = preprocessing_of(json.loads((tmp_path / "preprocessor_config.json").read_text()))
    ramp = torch.arange(60 * 90 * 3, dtype=torch.int64).reshape(60, 90, 3) * 255 // (60 * 90 * 3)
    picture = Image.fromarray(ramp.to(torch.uint8).numpy())
    theirs = processor(picture, return_tensors="pt")["pixel_values"]
    image = torch.tensor(list(ours.fit(picture).getdata())).reshape(*theirs.shape[2:], 3).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(ours.normalise(image), theirs, rtol=0, atol=0.03)  # their resizing rounds differently


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"do_pad": True}, "asks for do_pad, which heatproof cannot do; say what the network wants yourself"),
        ({"rescale_offset": True}, "asks for rescale_offset"),
        ({"size": {"longest_edge": 32}}, "expected a size with shortest_edge, or height and width"),
        ({"resample": 5}, "unknown interpolation"),
        ({"image_mean": [0.5]}, "expected as many values of mean as of std"),
        ({"image_processor_type": "TimmWrapperImageProcessor"}, "asks for TimmWrapperImageProcessor"),
    ],
)
def test_preprocessing_that_cannot_be_expressed_is_told(change, message):
    with pytest.raises(InputError, match=message):
        preprocessing_of(PROCESSOR | change)


def test_numbers_of_preprocessing():
    found = preprocessing_of(PROCESSOR | {"include_top": True, "do_flip_channel_order": True, "do_rescale": False})
    assert (found.std, found.channels, found.scale) == ((0.25,) * 3, "bgr", 255.0)


def test_folders_that_cannot_be_used_are_told(folder, tmp_path):
    with pytest.raises(InputError, match=r"there is no folder 'org/name'; .* add --download"):
        hp.load_network("transformers:org/name")
    weights = folder / "model.safetensors"
    kept = weights.read_bytes()
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"expected model\.safetensors .* pickled weights \(\.bin\) are not read"):
        hp.load_network(f"transformers:{folder}")
    weights.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(InputError, match="is no image classifier that transformers can load"):
        hp.load_network(f"transformers:{folder}")
    weights.write_bytes(kept)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_sizes": [8, 24]}))
    with pytest.raises(InputError, match=r"weights in 'net' do not fit|is no image classifier"):
        hp.load_network(f"transformers:{folder}")
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoConfig": "evil.Config"}}))
    (folder / "evil.py").write_text("raise SystemExit('was run')")
    with pytest.raises(InputError, match=r"contains code \(auto_map\), which heatproof never runs"):
        hp.load_network(f"transformers:{folder}")
    (folder / "config.json").write_text("[" * 10**5)
    with pytest.raises(InputError, match=r"config\.json: it is not JSON"):
        hp.load_network(f"transformers:{folder}")


def test_weights_without_the_head_are_told(folder):
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = {name: value for name, value in load_file(file).items() if not name.startswith("classifier")}
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights in 'net' do not fit: missing keys classifier"):
        hp.load_network(f"transformers:{folder}")


def test_timm_takes_a_checkpoint_of_ones_own(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = timm.create_model("test_resnet", num_classes=4).eval()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "mine.pth")
    network = hp.load_network("timm:test_resnet", weights=tmp_path / "mine.pth", preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), model(IMAGES).detach(), rtol=1e-4, atol=1e-5)
    assert (network.source, network.classes) == ("timm:test_resnet", None)
