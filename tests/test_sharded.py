"""Clause C7: sharded tensors give the value and the gradient of one process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).with_name("sharded_worker.py")
PROCESSES = 2


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What the first of two gloo processes prints."""
    *ports, master = _free_ports(PROCESSES + 1)
    endpoints = [f"127.0.0.1:{port}" for port in ports]
    workers = []
    for rank, endpoint in enumerate(endpoints):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PADDLE_TRAINER_ID": str(rank),
            "PADDLE_TRAINERS_NUM": str(PROCESSES),
            "PADDLE_CURRENT_ENDPOINT": endpoint,
            "PADDLE_TRAINER_ENDPOINTS": ",".join(endpoints),
            "PADDLE_MASTER": f"127.0.0.1:{master}",
            "PADDLE_DISTRI_BACKEND": "gloo",
            "FLAGS_selected_cpus": str(rank),
            "GLOG_minloglevel": "3",
        }
        workers.append(
            subprocess.Popen(
                [sys.executable, "-W", "ignore", str(WORKER)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        outputs = [worker.communicate(timeout=240)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * PROCESSES, outputs
    return outputs[0].splitlines()


def test_sharded_results_are_those_of_one_process(lines: list[str]) -> None:
    results = [line for line in lines if ": " in line]
    assert len(results) > 100
    assert [line for line in results if not line.endswith(": ok")] == []


def test_the_comparison_ran_to_its_end(lines: list[str]) -> None:
    assert lines[-1] == "done"
