"""The proxy's own process: ended, killed and told to reload under load; with a log that is full, closed or unread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.rig import PATIENCE, Rig, Writers
from tests.server.programs import ROOT

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_proxy_is_ended_under_load(rig: Rig, number: signal.Signals, sizes: Callable[[int, int], int]) -> None:
    with Writers(rig) as writers:
        for _ in range(sizes(2, 10)):
            writers.wait_for(20)
            assert rig.program is not None
            rig.program.signal(number)
            assert rig.program.exit_code() == (0 if number is signal.SIGTERM else -signal.SIGKILL)
            rig.program.end()
            rig.serve()
        writers.wait_for(20)
    writers.ledger.assert_kept(rig.database)
    writers.ledger.assert_sayable()
    rig.assert_nothing_is_stuck()


def test_a_policy_is_reloaded_under_load(rig: Rig, sizes: Callable[[int, int], int]) -> None:
    """With another column in it and without, again and again: nobody notices."""
    columns = rig.directory / "columns.yaml"
    text = columns.read_text()
    times = sizes(10, 200)
    with Writers(rig) as writers:
        for number in range(times):
            columns.write_text(text + ("  public.more:\n    note: {type: text}\n" if number % 2 else ""))
            assert rig.program is not None
            rig.program.signal(signal.SIGHUP)
            rig.program.wait_for("columns reloaded", number + 1)
            writers.wait_for(5)
    assert writers.ledger.errors == []
    writers.ledger.assert_kept(rig.database)
    rig.assert_nothing_is_stuck()


@pytest.mark.parametrize("log", ["full", "closed", "no reader"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_log_that_cannot_be_written_stops_nothing(rig: Rig, log: str, workers: int) -> None:
    assert rig.program is not None
    rig.program.end()
    command = [sys.executable, "-m", "proxy.cli", "serve", "--workers", str(workers)]
    command += ["--config", str(rig.directory / "sealwire.yaml")]
    if log == "closed":
        process = subprocess.Popen(["sh", "-c", 'exec "$@" 2>&- >&-', "sh", *command], cwd=ROOT)
    elif log == "full":
        with Path("/dev/full").open("w") as full:
            process = subprocess.Popen(command, cwd=ROOT, stdout=full, stderr=full)
    else:
        read, write = os.pipe()
        process = subprocess.Popen(command, cwd=ROOT, stdout=write, stderr=write)
        os.close(read)
        os.close(write)
    rig.program = None
    try:
        with Writers(rig) as writers:
            writers.wait_for(20)
            process.send_signal(signal.SIGHUP)
            writers.wait_for(20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    writers.ledger.assert_kept(rig.database)
    rig.assert_nothing_is_stuck()
