"""A Ray to work on: one of our own that nobody else can reach, or one that is there."""

import importlib
import importlib.util
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType

from heatproof.errors import InputError

ERRORS_ONLY, ALL = 40, 20  # levels of Ray's log
SECONDS_TO_ANSWER = 10


def check_ray() -> None:
    """Refuses to go on where Ray is not installed; says what to install."""
    if importlib.util.find_spec("ray") is None:
        raise InputError('workers on Ray need the package ray, which is not installed: pip install "heatproof[ray]"')


@contextmanager
def ray_session(address: str | None, cores: int, *, logs: bool = False) -> Iterator[ModuleType]:
    """The module ``ray``, connected to ``address``, to what this process is connected to already, or to one of our own.

    A Ray of our own listens on loopback only and asks everyone who connects for a secret. It reports nothing to anyone,
    has no dashboard, and is gone with its files at the end. A Ray that was there before stays.

    Args:
        address: of a running Ray, as ``ray start --head`` prints it, or "auto". None starts one.
        cores: how many cores a Ray of our own may give away.
        logs: whether Ray and its workers may print.

    Raises:
        InputError: if Ray is missing, cannot be joined, or cannot be confined to this machine.
    """
    check_ray()
    with ExitStack() as afterwards:
        with _environment(_confined() if address is None else {}):
            ray: ModuleType = importlib.import_module("ray")
            if ray.is_initialized():
                if address is not None:
                    raise InputError(
                        "this process is connected to a Ray already; leave out the address to use that one"
                    )
            elif address is None:
                place = "/tmp" if Path("/tmp").is_dir() else None  # names of sockets must be short
                folder = Path(tempfile.mkdtemp(prefix="heatproof-ray-", dir=place))  # that only this user can read
                afterwards.callback(shutil.rmtree, folder, ignore_errors=True)
                afterwards.callback(ray.shutdown)
                _start(ray, cores, folder, logs)
            else:
                afterwards.callback(ray.shutdown)
                _join(ray, address, logs)
        yield ray


def _start(ray: ModuleType, cores: int, folder: Path, logs: bool) -> None:
    try:
        ray.init(
            "local",
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=logs,
            logging_level=ALL if logs else ERRORS_ONLY,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder / "ray"),
        )
    except RuntimeError as error:
        if "InvalidAuthToken" not in str(error):
            raise
        raise InputError(
            "Ray was imported before heatproof could give it a secret, which it reads once: import it later, in a new "
            "process, or start it as you want it with ray.init() or 'ray start', and heatproof joins"
        ) from error
    listens = ray.util.get_node_ip_address()
    if not ip_address(listens).is_loopback:
        raise InputError(
            f"Ray would listen on {listens} instead of loopback: it was imported before heatproof could confine it; "
            "import it later, or start it as you want it with ray.init() or 'ray start', and heatproof joins"
        )


def _join(ray: ModuleType, address: str, logs: bool) -> None:
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit() and "/" not in host:  # fails at once where nobody listens; Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()
        ray.init(address, log_to_driver=logs, logging_level=ALL if logs else ERRORS_ONLY)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"no Ray can be joined at {address!r}: {error}; "
            "start one with 'ray start --head', and give the address that it prints"
        ) from error


@cache
def _confined() -> Mapping[str, str]:
    """What keeps a new Ray to this machine and this user; the secret stays the same, since Ray reads it once."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: the machine's address is loopback; read on import
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
