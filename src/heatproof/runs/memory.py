"""Memory that ran out: how Python, NumPy, torch and the system say it, and what to do."""

import errno

SAYINGS = ("can't allocate memory", "std::bad_alloc", "out of memory")  # torch's allocators, and libraries below it
REMEDY = (
    "memory ran out: end other programs, or take a machine with more, and give the same command again; or begin "
    "another run with a smaller --memory"
)


def ran_out(error: BaseException) -> bool:
    """Whether it says that there was not enough memory.

    >>> ran_out(MemoryError()), ran_out(RuntimeError("DefaultCPUAllocator: can't allocate memory")), ran_out(KeyError())
    (True, True, False)
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(saying in str(error).lower() for saying in SAYINGS)
    )
