"""Files of networks that their authors publish: addresses, and the checksums that they print, if they do."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

LARGEST, LARGEST_TEXT = 2**31, 2**24  # bytes; the largest weights below are a quarter of that


@dataclass(frozen=True)
class File:
    """A published file."""

    url: str
    checksum: str | None = None  # sha1:… or sha256:…, as its publisher prints it (or the beginning of a SHA-256)
    name: str = ""  # of the file on disk; by default the last part of the address

    @property
    def filename(self) -> str:
        """Name on disk."""
        return self.name or PurePosixPath(urlsplit(self.url).path).name

    @property
    def largest(self) -> int:
        """Bytes that are too many by far."""
        small = (".prototxt", ".txt", ".binaryproto")
        return LARGEST_TEXT if self.filename.endswith(small) else LARGEST


@dataclass(frozen=True)
class Published:
    """A network's files, and how they are used once they are there."""

    about: str
    files: tuple[File, ...]  # all that is needed
    use: str  # options of the command; a file is named by its number in braces

    def options(self, folder: Path) -> str:
        """The options, for files in ``folder``.

        >>> PUBLISHED["caffenet"].options(Path("there"))
        '--network caffe:there/caffenet.prototxt --weights there/bvlc_reference_caffenet.caffemodel'
        """
        return self.use.format(*[folder / file.filename for file in self.files])


_CAFFE = "https://raw.githubusercontent.com/BVLC/caffe/master/models"
_BERKELEY = "http://dl.caffe.berkeleyvision.org"
_PLACES_TEXTS = "https://raw.githubusercontent.com/CSAILVision/places365/master"
_PLACES = "http://places2.csail.mit.edu/models_places365"
_SQUEEZENET = "https://raw.githubusercontent.com/DeepScale/SqueezeNet/master"
_VGG16_TEXT = (
    "https://gist.githubusercontent.com/ksimonyan/211839e770f7b538e2d8/raw/0067c9b32f60362c74f4c445a080beed06b07eb3"
)
_USE_CAFFE = "--network caffe:{0} --weights {1}"


def _berkeley(name: str, about: str, folder: str, sha1: str) -> Published:
    files = (
        File(f"{_CAFFE}/{folder}/deploy.prototxt", name=f"{name}.prototxt"),
        File(f"{_BERKELEY}/{folder}.caffemodel", f"sha1:{sha1}"),
    )
    return Published(about, files, _USE_CAFFE)


def _places_caffe(network: str, title: str) -> Published:
    files = (
        File(f"{_PLACES_TEXTS}/deploy_{network}_places365.prototxt"),
        File(f"{_PLACES}/{network}_places365.caffemodel"),
        File(f"{_PLACES_TEXTS}/places365CNN_mean.binaryproto"),
        File(f"{_PLACES_TEXTS}/categories_places365.txt"),
    )
    return Published(f"{title} on Places365, of Caffe", files, f"{_USE_CAFFE} --mean {{2}} --classes {{3}}")


def _places_pytorch(network: str, title: str) -> Published:
    files = (File(f"{_PLACES}/{network}_places365.pth.tar"), File(f"{_PLACES_TEXTS}/categories_places365.txt"))
    use = f"--network places365:{network} --weights {{0}} --classes {{1}}"
    return Published(f"{title} on Places365, of PyTorch", files, use)


PUBLISHED: dict[str, Published] = {
    "caffenet": _berkeley(
        "caffenet",
        "CaffeNet, the Caffe reference network on ILSVRC2012: the paper's",
        "bvlc_reference_caffenet",
        "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
    ),
    "caffe-alexnet": _berkeley(
        "caffe-alexnet", "AlexNet on ILSVRC2012, of Caffe", "bvlc_alexnet", "9116a64c0fbe4459d18f4bb6b56d647b63920377"
    ),
    "caffe-googlenet": _berkeley(
        "caffe-googlenet",
        "GoogLeNet on ILSVRC2012, of Caffe",
        "bvlc_googlenet",
        "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
    ),
    "caffe-vgg16": Published(
        "VGG-16 on ILSVRC2012, of Caffe",
        (
            File(f"{_VGG16_TEXT}/VGG_ILSVRC_16_layers_deploy.prototxt"),
            File("http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/VGG_ILSVRC_16_layers.caffemodel"),
        ),
        f"{_USE_CAFFE} --mean 103.939,116.779,123.68",
    ),
    "caffe-squeezenet": Published(
        "SqueezeNet 1.1 on ILSVRC2012, of Caffe",
        (
            File(f"{_SQUEEZENET}/SqueezeNet_v1.1/deploy.prototxt", name="squeezenet_v1.1.prototxt"),
            File(f"{_SQUEEZENET}/SqueezeNet_v1.1/squeezenet_v1.1.caffemodel"),
        ),
        _USE_CAFFE,
    ),
    "places205-alexnet": Published(
        "Places-CNN, an AlexNet on Places205, of Caffe: the paper's (an archive; unpack it with tar xzf)",
        (File("http://places.csail.mit.edu/model/placesCNN_upgraded.tar.gz"),),
        "unpack {0}; --network caffe:placesCNN_upgraded/places205CNN_deploy_upgraded.prototxt "
        "--weights placesCNN_upgraded/places205CNN_iter_300000_upgraded.caffemodel",
    ),
    "caffe-places365-alexnet": _places_caffe("alexnet", "AlexNet"),
    "caffe-places365-googlenet": _places_caffe("googlenet", "GoogLeNet"),
    "caffe-places365-vgg16": _places_caffe("vgg16", "VGG-16"),
    "places365-alexnet": _places_pytorch("alexnet", "AlexNet"),
    "places365-densenet161": _places_pytorch("densenet161", "DenseNet-161"),
    "places365-resnet18": _places_pytorch("resnet18", "ResNet-18"),
    "places365-resnet50": _places_pytorch("resnet50", "ResNet-50"),
}
"""By name, as ``heatproof fetch`` takes it."""
