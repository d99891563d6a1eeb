"""The lines of a script that shards a row's tensors over two processes, which it starts itself."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.script import Call
from conformance.sharded import AXES, split_inputs

WORKER = """\
if len(sys.argv) > 1:
    from paddle.distributed import ProcessMesh, Replicate, Shard, shard_tensor
    paddle.distributed.init_parallel_env()
    mesh, axis = ProcessMesh([0, 1], dim_names=['data']), int(sys.argv[1])
    def shard(name, x):
        fits = name in split and axis < x.ndim and x.shape[axis] > 1
        placements = [Shard(axis) if fits else Replicate()]
        return shard_tensor(x, mesh, placements, stop_gradient=x.stop_gradient)
    result = call(**{name: shard(name, x) for name, x in given.items()})
    if result.is_dist():
        result = paddle.distributed.unshard_dtensor(result)
    print('sharded', result.astype('float64').numpy().tolist())
    sys.exit()\
"""
PARENT = """\
def start(rank, axis, ports):
    ends = [f'127.0.0.1:{port}' for port in ports]
    env = {**os.environ, 'PADDLE_TRAINER_ID': str(rank), 'PADDLE_TRAINERS_NUM': '2',
           'PADDLE_CURRENT_ENDPOINT': ends[rank], 'PADDLE_TRAINER_ENDPOINTS': ','.join(ends[:2]),
           'PADDLE_MASTER': ends[2], 'PADDLE_DISTRI_BACKEND': 'gloo'}
    command = [sys.executable, '-W', 'ignore', sys.argv[0], str(axis)]
    return subprocess.Popen(command, env=env, stdout=-1, stderr=-1, text=True)
expected = call(**given).astype('float64').numpy()
print('expected', expected.tolist(), '(one process)')
wrong = False\
"""
COMPARED = """\
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]
    ports = [each.getsockname()[1] for each in sockets]
    [each.close() for each in sockets]
    processes = [start(rank, axis, ports) for rank in range(2)]
    try:
        said = [process.communicate(timeout=60) for process in processes]
    except subprocess.TimeoutExpired:
        said = [('', 'no end within 60 s')]
    finally:
        [process.kill() for process in processes]
    found = re.findall('^sharded (.*)$', said[0][0], re.M)
    received = np.array(eval(found[0]), float) if found else None
    error = re.findall(r'^\\w*(?:Error|Exception)\\b.*', said[0][1], re.M) or said[0][1:]
    print(f'received, sharded along axis {axis},', received.tolist() if found else error[-1])
    wrong |= not found or not np.allclose(received, expected, 1e-5, 0, equal_nan=True)\
"""


def sharded(call: Call, name: str) -> Iterator[str]:
    """The result of two processes beside that of one."""
    split = split_inputs(call.row.loss, call.row.case)
    yield "import os, re, socket, subprocess, sys"
    yield f"given = dict({', '.join(f'{variable}={variable}' for variable in call.variables)})"
    yield f"split = {[variable for variable in call.variables if variable in split]}"
    yield f"def call({call.names}):"
    yield f"    return {call.text}"
    yield from (WORKER, PARENT)
    yield f"for axis in {AXES}:"
    yield COMPARED
