"""Pictures are decoded by threads ahead of whoever wants them, in order, a bounded number at a time."""

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from heatproof.data.dataset import Member
from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError

MOST_WORKERS = 4  # more wait for the disk, or for one another


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """What became of one member.

    Args:
        member: whose picture it is.
        pixels: (C, H, W) uint8 as the network wants its pictures, or None where there are none.
        reason: why there are none; empty where there are.
    """

    member: Member
    pixels: Tensor | None
    reason: str = ""


def read_ahead(
    members: Iterable[Member],
    preprocessing: Preprocessing,
    *,
    workers: int | None = None,
    ahead: int | None = None,
) -> Generator[ReadPicture, None, None]:
    """The pictures of ``members`` in their order, resized and cropped; threads decode while the consumer works.

    At most ``ahead`` pictures are held, however many there are. Whatever goes wrong with one picture is that picture's
    reason, but for memory that ran out. When the consumer stops, so do the threads; how many there are changes nothing
    but the time.

    Args:
        members: of a data set; taken one by one.
        preprocessing: how the network wants its pictures; its normalisation is left to the network.
        workers: threads; by default one for each core that this process may use, at most 4.
        ahead: pictures that are decoded or being decoded; by default twice as many as there are threads.

    Yields:
        One :class:`ReadPicture` for each member.

    Raises:
        InputError: for less than one thread, or fewer pictures than threads.
        MemoryError: if there is none left for a picture.

    >>> from heatproof.data import as_dataset
    >>> dataset = as_dataset("builtin").choose(3, first=True)
    >>> [tuple(read.pixels.shape) for read in read_ahead(dataset.members, Preprocessing(resize=64, crop=64))]
    [(3, 64, 64), (3, 64, 64), (3, 64, 64)]
    """
    count = min(MOST_WORKERS, _cores()) if workers is None else workers
    held = 2 * count if ahead is None else ahead
    if not 1 <= count <= held:
        raise InputError(f"expected at least one thread and as many pictures ahead, got {count} and {held}")
    return _in_order(members, preprocessing, count, held)


def _in_order(
    members: Iterable[Member], preprocessing: Preprocessing, workers: int, ahead: int
) -> Generator[ReadPicture, None, None]:
    waiting: deque[Future[ReadPicture]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="heatproof-read")
    try:
        for member in members:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_read, member, preprocessing))
        while waiting:
            yield waiting.popleft().result()
    finally:  # also when the consumer stops early
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Number of cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(member: Member, preprocessing: Preprocessing) -> ReadPicture:
    from torchvision.transforms import functional as F  # takes seconds, so when a picture comes

    try:
        return ReadPicture(member, F.pil_to_tensor(preprocessing.fit(member.read(preprocessing.max_pixels))))
    except InputError as error:
        return ReadPicture(member, None, str(error))
    except MemoryError:  # no fault of the picture: with more memory the run would have it
        raise
    except Exception as error:  # of a data set of someone's own
        return ReadPicture(member, None, f"expected a picture, got {type(error).__name__}: {error}")
