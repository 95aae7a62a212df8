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

"""Where a Rerun recording goes: a file, Rerun's own window, or a browser.

Rerun is optional: `pip install "mm_fusion[rerun]"` brings it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mm_fusion.errors import ConfigError

APPLICATION = "mm_fusion"
GRPC_PORT, WEB_PORT = 9876, 9090
MEMORY = "1GiB"  # of the past that a browser which comes later is still shown


def load_rerun() -> ModuleType:
    """Import Rerun.

    Raises:
        ConfigError: it is not installed; the text says how to.
    """
    try:
        import rerun
    except ImportError as error:
        raise ConfigError(
            'this view needs Rerun, which is not installed: pip install "mm_fusion[rerun]" '
            "(Python 3.11 or newer)"
        ) from error
    found: ModuleType = rerun
    return found


def open_file(path: Path) -> Any:  # noqa: ANN401  # rerun.RecordingStream
    """Return a stream that writes a .rrd file.

    Raises:
        ConfigError: Rerun is not installed, or the file cannot be written.
    """
    stream = _stream()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream.save(path)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"--rrd {path} cannot be written: {_first_line(error)}") from error
    return stream


def open_window() -> Any:  # noqa: ANN401  # rerun.RecordingStream
    """Return a stream that is shown in Rerun's own viewer, which is started if none runs.

    Raises:
        ConfigError: Rerun is not installed, or no viewer can be started.
    """
    stream = _stream()
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        raise ConfigError("there is no display to open Rerun's window on; use --web or --rrd FILE")
    beside = str(Path(sys.executable).parent)  # where pip puts Rerun's viewer, PATH or not
    os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])
    try:
        stream.spawn(port=GRPC_PORT)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"Rerun's window cannot be opened: {_first_line(error)}; use --web or --rrd FILE"
        ) from error
    return stream


def open_web(*, grpc_port: int = GRPC_PORT, web_port: int = WEB_PORT) -> tuple[Any, str]:
    """Return a stream that is served to browsers, and the address to open.

    Rerun serves it on every interface of this computer, to whoever reaches its ports.

    Raises:
        ConfigError: Rerun is not installed, or a port is taken.
    """
    stream = _stream()
    try:
        for port in (grpc_port, web_port):
            _need_free(port)
        source = stream.serve_grpc(grpc_port=grpc_port, server_memory_limit=MEMORY)
        load_rerun().serve_web_viewer(web_port=web_port, open_browser=False, connect_to=source)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the web view needs the ports {grpc_port} and {web_port}: {_first_line(error)}; "
            "end what uses them, another view perhaps"
        ) from error
    return stream, web_address(source, web_port)


def web_address(source: str, web_port: int) -> str:
    """Return what to type into a browser to see the stream `source`, an address of Rerun's."""
    from urllib.parse import quote

    return f"http://localhost:{web_port}/?url={quote(source, safe='')}"


def _stream() -> Any:  # noqa: ANN401  # rerun.RecordingStream
    stream = load_rerun().RecordingStream(APPLICATION)
    stream.set_log_time_enabled(False)  # one time line, of the sensors' stamps
    stream.set_log_tick_enabled(False)
    return stream


def _need_free(port: int) -> None:
    """Raise OSError if the port is taken: Rerun would only log it, and show the other's data."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one just left is free
        probe.bind(("", port))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
