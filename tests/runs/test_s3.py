"""A run on S3: against a server on this machine that speaks S3. Both sides run in processes of their own."""

import subprocess
import sys

import pytest

pytest.importorskip("s3fs", reason="S3 takes s3fs: pip install 'heatproof[s3-tests]'")
pytest.importorskip("moto", reason="S3 in tests takes moto: pip install 'heatproof[s3-tests]'")

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

CLIENT = """
import pickle
import s3fs
from heatproof.errors import InputError
from heatproof.runs.log import RunLog, read_log
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.objects import StoreError
from heatproof.runs.store import open_store
import numpy as np

def raises(kind, call, text):
    try:
        call()
    except kind as error:
        return text in str(error)
    return False

s3fs.S3FileSystem().mkdir("runs")
first, second = open_store("s3://runs/first"), open_store("s3://runs/first")
assert (first.names(), first.exists("a"), first.sweep()) == ([], False, 0)

# what another process changed is seen
first.put("shards/00000.json", b"before")
assert second.names() == ["shards/00000.json"]
first.put("shards/00000.json", b"after")
first.put("shards/00001.json", b"")
assert pickle.loads(pickle.dumps(second)).names("shards/") == ["shards/00000.json", "shards/00001.json"]
assert list(second.get_each(["shards/00001.json", "shards/00000.json"])) == [b"", b"after"]
first.delete("shards/00000.json")
first.delete("shards/00000.json")
assert not second.exists("shards/00000.json")
assert open_store("s3://runs/firs").names() == []

# an object that is sent in parts
data = np.random.default_rng(6).bytes(60_000_000)
first.put("large", data)
assert first.get("large") == data

MapArrays(first).make(["lrp"], (4, 2, 2), at_once=2, schema=3)
MapArrays(first).write(range(2, 4), [0, 1], {"lrp": np.ones((2, 2, 2), np.float32)})
assert MapArrays(second).read([2, 3])["lrp"].tolist() == [[[1.0, 1.0]] * 2] * 2
assert np.isnan(MapArrays(second).read([0])["lrp"]).all()
assert raises(InputError, lambda: first.get("large", at_most=10**6), "has 60,000,000 bytes; expected at most 1,000,000")

RunLog(first).write("start")
RunLog(first).write("shard done", shard=0)
assert [event["event"] for event in read_log(second)] == ["start", "shard done"]

assert raises(InputError, lambda: first.get("a"), "s3://runs/first has no 'a'")
assert raises(StoreError, lambda: open_store("s3://no/run").put("a", b""), "s3://no/run/a could not be written")
print("all is well", flush=True)
"""


@pytest.mark.slow
def test_a_run_on_s3(another_process, monkeypatch):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        port = next(line.split()[1] for line in server.stdout if line.startswith("port "))
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "no_proxy": "*",
        }.items():
            monkeypatch.setenv(name, value)
        with another_process(CLIENT, "s3://runs") as client:
            assert client.stdout.read() == "all is well\n"
        server.kill()
