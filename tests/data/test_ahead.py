"""Reading ahead: in order, whatever the number of threads; bounded; no thread is left."""

import sys
import threading
import time
import warnings
from contextlib import closing

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.data import Dataset, Member, Preprocessing, as_dataset, read_ahead, read_pictures, read_shard
from heatproof.errors import InputError

SMALL = Preprocessing(resize=(10, 12))


def picture(number):
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 20, 3), dtype=np.uint8))


def member(number, *, seconds=0.0, error=None):
    def read(max_pixels):
        time.sleep(seconds)
        if error:
            raise error
        return picture(number)

    return Member(f"{number}", read, number)


def reading_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heatproof-read")]


@pytest.fixture
def folder(tmp_path):
    """Nine pictures, two of which are broken."""
    for number in range(9):
        picture(number).save(tmp_path / f"{number}.jpg")
    (tmp_path / "2.jpg").write_bytes((tmp_path / "2.jpg").read_bytes()[:200])
    (tmp_path / "7.jpg").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_order_is_kept_though_later_pictures_are_done_earlier(workers):
    members = [member(number, seconds=0.02 * (number % 3 == 0)) for number in range(12)]
    reads = list(read_ahead(members, SMALL, workers=workers))
    assert [read.member.name for read in reads] == [str(number) for number in range(12)]
    for number, read in enumerate(reads):
        expected = np.asarray(SMALL.fit(picture(number)))
        assert np.array_equal(read.pixels.permute(1, 2, 0).numpy(), expected)
    assert reading_threads() == []


def test_results_do_not_depend_on_the_number_of_threads(folder):
    dataset = as_dataset(folder)
    alone = read_shard(dataset, range(9), SMALL, workers=1)
    assert alone.numbers == (0, 1, 3, 4, 5, 6, 8)
    for workers in (2, 4):
        found = read_shard(dataset, range(9), SMALL, workers=workers)
        assert torch.equal(found.images, alone.images)
        assert (found.names, found.skipped, found.numbers) == (alone.names, alone.skipped, alone.numbers)


def test_an_error_of_one_picture_is_its_reason():
    errors = [InputError("expected more"), OSError(5, "Input/output error"), KeyError("x")]
    members = [member(0), *(member(number, error=error) for number, error in enumerate(errors, 1)), member(4)]
    reads = list(read_ahead(members, SMALL, workers=2))
    assert [read.pixels is None for read in reads] == [False, True, True, True, False]
    assert [read.reason for read in reads] == [
        "",
        "expected more",
        "expected a picture, got OSError: [Errno 5] Input/output error",
        "expected a picture, got KeyError: 'x'",
        "",
    ]


def test_memory_that_ran_out_is_no_fault_of_a_picture():
    reads = read_ahead([member(0), member(1, error=MemoryError()), member(2)], SMALL, workers=2)
    assert next(reads).pixels is not None
    with pytest.raises(MemoryError, match=r"^$"):
        next(reads)


@pytest.mark.parametrize("ahead", [2, 3, 7])
def test_no_more_are_decoded_than_may_be_held(ahead):
    started = []

    def counted(number):
        def read(max_pixels):
            started.append(number)
            return picture(number)

        return Member(str(number), read)

    reads = read_ahead((counted(number) for number in range(10**9)), SMALL, workers=2, ahead=ahead)
    with closing(reads):
        for taken in range(1, 6):
            next(reads)
            time.sleep(0.02)
            assert len(started) <= taken + ahead
    assert reading_threads() == []
    assert len(started) <= 5 + ahead


def test_nothing_is_read_before_the_first_is_wanted():
    reads = read_ahead([member(0, error=AssertionError())], SMALL)
    assert reading_threads() == []
    reads.close()


@pytest.mark.parametrize(("workers", "ahead"), [(0, None), (2, 1), (-1, 4)])
def test_numbers_that_make_no_sense(workers, ahead):
    with pytest.raises(InputError, match="at least one thread and as many pictures ahead, got"):
        read_ahead([], SMALL, workers=workers, ahead=ahead)


def test_an_error_in_the_consumer_leaves_no_thread(folder):
    Image.new("RGB", (50, 50)).save(folder / "5.jpg")
    with pytest.raises(InputError, match=r"one size, got 16 x 20 for .*0\.jpg' and 50 x 50"):
        read_pictures(folder, Preprocessing())
    assert reading_threads() == []


# --- shards


def test_a_shard_keeps_the_places_of_its_members(folder):
    dataset = as_dataset(folder)
    whole = read_pictures(dataset, SMALL)
    shard = read_shard(dataset, [8, 2, 3], SMALL)
    assert shard.numbers == (8, 3)
    assert torch.equal(shard.images, whole.images[[whole.numbers.index(number) for number in (8, 3)]])
    ((name, reason),) = shard.skipped
    assert name.endswith("2.jpg")
    assert "expected a complete picture" in reason


def test_shards_have_labels():
    dataset = Dataset("made", tuple(member(number) for number in range(6)), classes=tuple("abcdef"))
    shard = read_shard(dataset, [1, 4], SMALL)
    assert shard.labels.tolist() == [1, 4]
    assert shard.classes == tuple("abcdef")


def test_a_shard_of_broken_pictures_is_empty(folder):
    dataset = Dataset("made", tuple(member(n, error=InputError("no")) for n in range(3)))
    shard = read_shard(dataset, [0, 2], SMALL)
    assert (shard.images.shape, shard.names, shard.numbers) == ((0, 3, 0, 0), (), ())
    assert shard.skipped == (("0", "no"), ("2", "no"))
    assert shard.labels.shape == (0,)


@pytest.mark.parametrize("numbers", [[0, 9], [-1], [1, 1]])
def test_places_that_are_not_there(folder, numbers):
    with pytest.raises(InputError, match="expected different places from 0 to 8 in the data set, got"):
        read_shard(as_dataset(folder), numbers, SMALL)


# --- Pillow's warnings and limits are the whole process'


def sloppy(path):
    """A TIFF that Pillow reads with a warning: a tag's data would lie beyond the end."""
    picture(0).save(path, tiffinfo={270: "x" * 40})
    content = bytearray(path.read_bytes())
    entry = content.index((270).to_bytes(2, "little") + (2).to_bytes(2, "little"))
    content[entry + 4 : entry + 8] = (10**6).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_sloppy_metadata_is_read_without_a_warning_by_any_number_of_threads(tmp_path):
    paths = [sloppy(tmp_path / f"{number}.tif") for number in range(8)]
    before = list(warnings.filters)
    for workers in (1, 4):
        assert [read.reason for read in read_ahead(as_dataset(paths).members, SMALL, workers=workers)] == [""] * 8
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="Skipping tag"), Image.open(paths[0]) as file:
        file.load()


def test_other_threads_warnings_are_left_alone(folder):
    with closing(read_ahead([member(n, seconds=0.05) for n in range(4)], SMALL, workers=2)) as reads:
        next(reads)
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)
        list(reads)


def test_the_limit_can_be_raised_and_lowered(tmp_path):
    picture(0).save(tmp_path / "a.png")
    lower = Preprocessing(resize=(10, 12), max_pixels=200)
    with pytest.raises(InputError, match=r"at most 200 pixels, got 20 x 16; make .* raise the limit: --max-pixels"):
        read_pictures(tmp_path, lower)
    assert read_pictures(tmp_path, Preprocessing(resize=(10, 12), max_pixels=320)).names


def test_a_raised_limit_passes_pillow_s_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # as if 320 were more than twice its 178,956,970
    monkeypatch.setattr(sys.modules["heatproof.data.decoding"], "MAX_PIXELS", 150)
    picture(0).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"at most 150 pixels, got more.*--max-pixels"):
        read_pictures(tmp_path, Preprocessing(resize=(10, 12), max_pixels=150))
    assert read_pictures(tmp_path, Preprocessing(resize=(10, 12), max_pixels=400)).names
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "many"])
def test_a_limit_is_a_whole_number(given):
    with pytest.raises(InputError, match="max_pixels must be a whole number from 1 to 10,000,000,000, got"):
        Preprocessing(max_pixels=given)
