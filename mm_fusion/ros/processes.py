# Copyright 2026 The mm_fusion authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.


"""Nodes of this package as child processes: started, watched, ended cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mm_fusion.errors import FusionError

END_S = 10.0  # a node that has not ended this long after SIGINT hangs


def ros_arguments(parameters_file: Path | None = None, **parameters: object) -> list[str]:
    """Spell parameters the way a node's command line takes them."""
    words = ["--ros-args"]
    if parameters_file is not None:
        words += ["--params-file", str(parameters_file)]
    for name, value in parameters.items():
        words += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML: quotes, true and false
    return words


class NodeProcess:
    """One node of `mm_fusion.ros` in a process of its own, its output in a log file."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = module
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"mm_fusion.ros.{module}", *arguments],
                env={**environment, "RCUTILS_COLORIZED_OUTPUT": "0", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end the children ourselves
            )

    @property
    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._process.poll() is None

    def cpu_s(self) -> float:
        """Return the CPU time it has used so far; NaN once it has ended."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return float("nan")
        user, system = stat.rpartition(")")[2].split()[11:13]  # proc(5): utime, stime
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def await_words(self, words: str, timeout_s: float) -> None:
        """Wait until these words are in the log.

        Raises:
            FusionError: it ended before, or the time is over.
        """
        latest_s = time.monotonic() + timeout_s
        while words not in self.log.read_text(errors="replace"):
            if not self.running or time.monotonic() > latest_s:
                raise self.failure()
            time.sleep(0.05)

    def end(self) -> int:
        """Ask it to end as Ctrl-C would, kill it if it does not; returns its exit code."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def wait(self) -> int:
        """Wait until it ends of itself; returns its exit code."""
        return self._process.wait()

    def failure(self) -> FusionError:
        """Return the error that says how it ended, with its last words."""
        words = [w for w in self.log.read_text(errors="replace").splitlines() if w.strip()]
        last = words[-1] if words else "it said nothing"
        code = self._process.poll()
        state = "hangs" if code is None else f"ended with exit code {code}"
        return FusionError(f"{self.name} {state}: {last} (log: {self.log})")


@contextmanager
def node_process(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[NodeProcess]:
    """Run a node as long as the block lasts."""
    process = NodeProcess(module, arguments, environment, log)
    try:
        yield process
    finally:
        process.end()
