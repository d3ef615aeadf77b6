import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from heatproof.data import (
    MAX_PIXELS,
    PRESETS,
    Preprocessing,
    find_pictures,
    load_images,
    read_picture,
    read_pictures,
)
from heatproof.errors import InputError

SMALL = Preprocessing(resize=(10, 12))
ORIENTATION = 0x0112


def noise(width=16, height=12, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, pixels=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise() if pixels is None else pixels).save(path, **options)
    return path


def png(path, header, *, data=b"", transparency=None):
    """A PNG written by hand: header = (width, height, bits, colour type), data = raw rows with filter bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pieces = [chunk(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0))]
    pieces += [chunk(b"tRNS", transparency)] if transparency else []
    pieces += [chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(pieces))
    return path


def tiff(path, *, bits, photometric, data, width=8, height=8):
    """A little-endian TIFF of one grey strip written by hand, for what Pillow cannot write."""
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric)]
    tags += [(273, 8), (277, 1), (278, height), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    return path


def pixels_of(picture):
    assert picture.mode == "RGB"
    return np.asarray(picture)


def as_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


# One picture: every mode becomes RGB


def test_rgb_comes_back_as_it_is(tmp_path):
    np.testing.assert_array_equal(pixels_of(read_picture(save(tmp_path / "a.png"))), noise())
    np.testing.assert_array_equal(pixels_of(read_picture(str(tmp_path / "a.png"))), noise())


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif"])
def test_grey_is_repeated(tmp_path, ending):
    path = save(tmp_path / f"a.{ending}", noise(channels=1))
    np.testing.assert_array_equal(pixels_of(read_picture(path)), as_rgb(noise(channels=1)))


def test_black_and_white(tmp_path):
    bits = noise(channels=1) > 127
    path = save(tmp_path / "a.png", bits)
    np.testing.assert_array_equal(pixels_of(read_picture(path)), as_rgb(bits * np.uint8(255)))


@pytest.mark.parametrize("depth", [0, 255, 256, 257, 40_000, 65_535])
def test_sixteen_bits_are_rescaled_never_clipped(tmp_path, depth):
    path = save(tmp_path / "a.png", np.full((9, 9), depth, dtype=np.uint16))
    assert (pixels_of(read_picture(path)) == round(depth / 257)).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_every_sixteen_bit_value_is_divided_by_257(tmp_path, ending):
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    expected = np.rint(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(pixels_of(read_picture(save(tmp_path / f"a.{ending}", values))), as_rgb(expected))


def test_sixteen_bit_colour_is_not_clipped(tmp_path):
    row = b"\0" + struct.pack(">HHH", 0x0100, 0x8000, 0xFFFF) * 8
    picture = read_picture(png(tmp_path / "a.png", (8, 8, 16, 2), data=row * 8))
    assert picture.getpixel((3, 3)) == (1, 128, 255)


def test_transparent_value_of_sixteen_bits_is_white(tmp_path):
    row = b"\0" + struct.pack(">HH", 1000, 30_000) * 4
    picture = read_picture(png(tmp_path / "a.png", (8, 8, 16, 0), data=row * 8, transparency=struct.pack(">H", 1000)))
    assert [picture.getpixel((x, 0))[0] for x in (0, 1)] == [255, round(30_000 / 257)]


def test_twelve_bits_use_the_whole_range(tmp_path):
    path = tiff(tmp_path / "a.tif", bits=12, photometric=1, data=b"\xff\xf8\x00" * 32)  # 4095, 2048
    assert [read_picture(path).getpixel((x, 0))[0] for x in (0, 1)] == [255, round(2048 * 255 / 4095)]


@pytest.mark.parametrize(("bits", "value", "data"), [(8, 200, b"\xc8" * 64), (16, 60_000, b"\x60\xea" * 64)])
def test_white_is_zero_is_inverted(tmp_path, bits, value, data):
    path = tiff(tmp_path / "a.tif", bits=bits, photometric=0, data=data)
    full = 2**bits - 1
    assert (pixels_of(read_picture(path)) == round((full - value) * 255 / full)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pictures_of_unknown_scale_are_refused(tmp_path, dtype):
    path = save(tmp_path / "a.tif", np.ones((9, 9), dtype=dtype))
    with pytest.raises(InputError, match=r"a\.tif': expected 8 or 16 bits per value, got .* scale is unknown; convert"):
        read_picture(path)


def test_transparent_pixels_are_laid_over_white(tmp_path):
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[0, 1] = (0, 0, 0, 51)  # a fifth black: 255 * 0.8
    picture = read_picture(save(tmp_path / "a.png", pixels))
    assert [picture.getpixel((x, 0)) for x in (0, 1, 2)] == [(10, 20, 30), (204, 204, 204), (255, 255, 255)]


def test_grey_with_alpha(tmp_path):
    pixels = np.zeros((8, 8, 2), dtype=np.uint8)
    pixels[0, 0] = (77, 255)
    picture = read_picture(save(tmp_path / "a.png", pixels))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(77, 77, 77), (255, 255, 255)]


def test_palette(tmp_path):
    indexed = Image.fromarray(noise()).quantize(16)
    indexed.save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels_of(read_picture(tmp_path / "a.png")), np.asarray(indexed.convert("RGB")))


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])], ids=["index", "bytes"])
def test_palette_with_a_transparent_colour(tmp_path, transparency):
    indexed = Image.new("P", (8, 8), 0)
    indexed.putpalette([9, 9, 9, 100, 0, 0])
    indexed.putpixel((1, 0), 1)
    indexed.save(tmp_path / "a.png", transparency=transparency)
    picture = read_picture(tmp_path / "a.png")
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (100, 0, 0)]


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    np.testing.assert_allclose(pixels_of(read_picture(tmp_path / "a.jpg"))[0, 0], (255, 0, 0), atol=3)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_animation_gives_its_first_frame(tmp_path, ending):
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
    assert read_picture(tmp_path / f"a.{ending}").getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_exif_rotation_is_applied(tmp_path, orientation, ending):
    picture = Image.fromarray(np.linspace(0, 255, 16 * 12 * 3).astype(np.uint8).reshape(12, 16, 3))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    picture.save(tmp_path / f"plain.{ending}", **options)
    picture.save(tmp_path / f"turned.{ending}", exif=exif, **options)
    with Image.open(tmp_path / f"plain.{ending}") as plain:
        plain.getexif()[ORIENTATION] = orientation
        expected = np.asarray(ImageOps.exif_transpose(plain))
    np.testing.assert_array_equal(pixels_of(read_picture(tmp_path / f"turned.{ending}")), expected)


def test_exif_rotation_by_hand(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was turned: show it a quarter turn clockwise
    path = save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pixels_of(read_picture(path)), np.rot90(noise(), -1))


def test_sixteen_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    deep = noise(channels=1).astype(np.uint16) * 257
    path = save(tmp_path / "a.png", deep, exif=exif)
    np.testing.assert_array_equal(pixels_of(read_picture(path)), as_rgb(np.rot90(noise(channels=1), -1)))


@pytest.mark.parametrize("name", ["<script>.png", "ünï ¢ödé 猫.png", "a'b\"c&d.png", "-rf.png", "100%.png", "a\nb.png"])
def test_odd_names(tmp_path, name):
    path = save(tmp_path / name)
    assert read_pictures(path, SMALL).names == (str(path),)
    assert read_pictures(tmp_path, SMALL).names == (str(path),)


# One picture: what is refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jpg", b"hello, I am a text", r"a\.jpg': expected a picture \(JPEG, .*\), got a file that is none of these"),
        ("a.png", b"", r"a\.png': expected a picture file, got an empty file"),
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "got a file that is none of these"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "cannot use .* expected a"),
        ("a.tif", b"II*\0\xff\xff\xff\xff", "cannot use .* expected a"),
        ("a.gif", b"GIF89a", "cannot use .* expected a"),
        ("a.bmp", b"BM" + bytes(30), "cannot use .* expected a"),
        ("a.webp", b"RIFF\x08\0\0\0WEBPVP8 ", "cannot use .* expected a"),
    ],
)
def test_files_that_are_no_pictures(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_picture(tmp_path / name)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif", "webp"])
def test_truncated_files(tmp_path, ending):
    path = save(tmp_path / f"a.{ending}", noise(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"a\.{ending}': expected a complete picture, got a damaged one \("):
        read_picture(path)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)], ids=str)
def test_tiny_pictures_are_refused(tmp_path, size):
    path = save(tmp_path / "a.png", noise(*size))
    with pytest.raises(InputError, match=rf"sides of at least 8 pixels, got {size[0]} x {size[1]} \(width x height\)"):
        read_picture(path)


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None], ids=["limit", "no limit"])
def test_decompression_bombs_are_refused_before_decoding(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    path = png(tmp_path / "bomb.png", (60_000, 60_000, 8, 2))
    with pytest.raises(InputError, match=r"bomb\.png': expected at most 178,956,970 pixels, got .*; make the picture"):
        read_picture(path)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_large_but_allowed_pictures_pass_without_a_warning(tmp_path, monkeypatch):
    assert MAX_PIXELS == 178_956_970
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)  # a picture of 192 pixels is now one that Pillow warns of
    assert read_picture(save(tmp_path / "a.png")).size == (16, 12)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(InputError, match="expected a picture file, got a folder; give one of the files in it"):
        read_picture(tmp_path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="expected a picture file, got a device, pipe or socket"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("find", [read_picture, find_pictures])
def test_missing_path_suggests_the_nearest(tmp_path, find):
    save(tmp_path / "terrier.png")
    with pytest.raises(InputError, match=r"terier\.png': .*, got: No such file.*; did you mean '.*terrier\.png'\?"):
        find(tmp_path / "terier.png")


@pytest.mark.parametrize(
    "name", ["no/such/folder/a.png", "a\0b.png", "x" * 5000 + ".png"], ids=["deep", "null", "long"]
)
def test_missing_path_without_neighbours(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot use .*: expected a picture or a folder of pictures, got: [^;]*$"):
        find_pictures(tmp_path / name)


# Finding


def test_folders_are_searched_to_the_bottom_in_sorted_order(tmp_path):
    wanted = ["a.png", "b/A.JPEG", "b/c/x.tiff", "b/d.WebP", "z.gif"]
    for name in [*reversed(wanted), "notes.txt", ".hidden.png", ".cache/x.png", "b/._d.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)] == wanted


def test_order_is_kept_and_duplicates_are_removed(tmp_path):
    paths = [save(tmp_path / name) for name in ("b.png", "a.png", "c.png")]
    assert find_pictures([paths[2], tmp_path / "." / "b.png", str(tmp_path)]) == [paths[2], paths[0], paths[1]]


def test_one_file_by_several_names_is_read_once(tmp_path):
    path = save(tmp_path / "photos" / "a.png")
    (tmp_path / "link.png").symlink_to(path)
    assert find_pictures([path, tmp_path / "photos" / ".." / "photos" / "a.png", tmp_path / "link.png"]) == [path]


def test_files_are_taken_whatever_their_ending(tmp_path):
    path = save(tmp_path / ".picture", format="png")
    assert find_pictures(str(path)) == [path]
    assert read_pictures(path, SMALL).images.shape == (1, 3, 10, 12)


def test_links_are_followed_but_never_in_a_circle(tmp_path):
    outside = save(tmp_path / "outside" / "x.png")
    save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "circle").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "linked").symlink_to(outside.parent)
    (tmp_path / "photos" / "linked again").symlink_to(outside.parent)
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path / "photos")]
    assert found == ["photos/a.png", "photos/linked/x.png"]


def test_broken_links_are_skipped_with_a_reason(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "c.png")
    pictures = read_pictures(tmp_path, SMALL)
    assert pictures.names == (str(tmp_path / "a.png"),)
    assert [Path(name).name for name, _ in pictures.skipped] == ["b.png", "c.png"]


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder with pictures \(\.bmp, .*\), got one with none among 0"):
        find_pictures(tmp_path)


def test_folder_without_pictures_among_good_sources(tmp_path):
    save(tmp_path / "good" / "a.png")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(InputError, match=r"texts': .* got one with none among 1 files"):
        find_pictures([tmp_path / "good", tmp_path / "texts"])


def test_no_sources():
    with pytest.raises(InputError, match="expected pictures or folders of pictures, got an empty list"):
        find_pictures([])


def test_sources_that_are_no_paths():
    with pytest.raises(InputError, match="expected paths of pictures or folders, got Tensor"):
        find_pictures(torch.zeros(2, 3, 8, 8))


# Many


def test_images_are_the_fitted_pixels_divided_by_255(tmp_path):
    path = save(tmp_path / "a.png", noise(40, 30))
    preprocessing = Preprocessing(resize=20, crop=16)
    images = read_pictures(path, preprocessing).images
    expected = torch.from_numpy(np.array(preprocessing.fit(Image.fromarray(noise(40, 30))))).permute(2, 0, 1) / 255
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    torch.testing.assert_close(images, expected[None], rtol=0, atol=0)


def test_one_channel_network_gets_one_channel(tmp_path):
    path = save(tmp_path / "a.png", noise(channels=1))
    images = read_pictures(path, Preprocessing(mean=(0.5,), std=(0.5,))).images
    torch.testing.assert_close(images[0, 0], torch.from_numpy(noise(channels=1)) / 255, rtol=0, atol=0)


def test_images_do_not_depend_on_their_order_or_company(tmp_path):
    paths = [save(tmp_path / f"{seed}.jpg", noise(30 + seed, 25, seed=seed)) for seed in range(4)]
    order = [2, 0, 3, 1]
    together = read_pictures(paths, SMALL)
    shuffled = read_pictures([paths[index] for index in order], SMALL)
    alone = torch.cat([read_pictures(path, SMALL).images for path in paths])
    assert together.names == tuple(map(str, paths))
    assert shuffled.names == tuple(str(paths[index]) for index in order)
    assert torch.equal(together.images, alone)
    assert torch.equal(shuffled.images, alone[order])


def test_one_bad_picture_among_good_ones_is_skipped_and_told(tmp_path):
    paths = [save(tmp_path / f"{seed}.png", noise(seed=seed)) for seed in range(3)]
    paths[1].write_text("not a picture")
    progress = []
    pictures = read_pictures(paths, SMALL, on_progress=lambda done, total: progress.append((done, total)))
    assert pictures.names == (str(paths[0]), str(paths[2]))
    assert pictures.images.shape == (2, 3, 10, 12)
    ((name, reason),) = pictures.skipped
    assert name == str(paths[1])
    assert reason.startswith("expected a picture (JPEG, ")
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_a_picture_smaller_than_the_crop_is_skipped(tmp_path):
    paths = [save(tmp_path / "small.png", noise(15, 15)), save(tmp_path / "large.png", noise(40, 30))]
    pictures = read_pictures(paths, Preprocessing(crop=20))
    assert pictures.names == (str(paths[1]),)
    assert "at least as large as the crop, 20 x 20, got 15 x 15" in pictures.skipped[0][1]


def test_single_bad_picture(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"^cannot use '.*a\.png': expected a picture \(JPEG"):
        read_pictures(tmp_path, SMALL)


def test_only_bad_pictures_lists_five_reasons(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"got none of 7:(\n  '.*\d\.png': expected .*){5}\n  and 2 more$"):
        read_pictures(tmp_path, SMALL)


@pytest.mark.parametrize("preprocessing", [Preprocessing(), Preprocessing(resize=10)], ids=["none", "short side"])
def test_different_sizes_need_a_crop(tmp_path, preprocessing):
    for name, width in [("a", 16), ("b", 16), ("c", 20), ("d", 24)]:
        save(tmp_path / f"{name}.png", noise(width, 10))
    with pytest.raises(InputError, match=r"one size, got 10 x 16 for '.*a\.png' and 10 x 20 for '.*c\.png' .*set crop"):
        read_pictures(tmp_path, preprocessing)


def test_pictures_of_one_size_need_no_crop(tmp_path):
    paths = [save(tmp_path / f"{seed}.png", noise(seed=seed)) for seed in range(2)]
    assert read_pictures(paths, PRESETS["none"]).images.shape == (2, 3, 12, 16)


def test_names_can_be_written_to_any_file(tmp_path):
    try:
        path = save(Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png")))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (name,) = read_pictures(path, SMALL).names
    assert name.endswith("caf\\udce9.png")
    name.encode("utf-8")


class Network:
    preprocessing = SMALL


def test_load_images_takes_a_network_or_its_preprocessing(tmp_path):
    path = save(tmp_path / "a.png")
    assert torch.equal(load_images(path, Network()), load_images(path, SMALL))


def test_load_images_refuses_anything_else(tmp_path):
    with pytest.raises(InputError, match="expected a network or a Preprocessing, got str"):
        load_images(save(tmp_path / "a.png"), "imagenet")


def test_load_images_warns_once_of_all_that_was_skipped(tmp_path):
    save(tmp_path / "good.png")
    for name in ("bad1.png", "bad2.png"):
        (tmp_path / name).write_text("not a picture")
    with pytest.warns(UserWarning, match=r"skipped 2 of 3 pictures:\n  .*bad1\.png.*\n  .*bad2\.png") as caught:
        images = load_images(tmp_path, Network())
    assert len(images) == len(caught) == 1
    assert caught[0].filename == __file__


def test_reading_leaves_the_warning_filters_alone(tmp_path):
    before = list(warnings.filters)
    read_picture(save(tmp_path / "a.png"))
    assert warnings.filters == before
