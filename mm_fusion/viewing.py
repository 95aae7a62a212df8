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

"""What `mm_fusion view` shows: a frame as a picture, a recording in Rerun, or a running node."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError

Say = Callable[[str], object]


def view(args: argparse.Namespace, bar: Callable[[str, float], Any], say: Say) -> None:
    """Show what the arguments ask for.

    Args:
        args: of the command line.
        bar: makes a progress bar of a name and a total.
        say: told in a sentence what there is to see.

    Raises:
        ConfigError: the arguments do not go together.
    """
    if args.live:
        _live(args, say)
        return
    _check(args)
    if args.rrd is not None:
        _recording(args, bar, say)
    elif args.strip is not None:
        _strip(args, bar, say)
    else:
        _frame(args, say)


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, rather than leave a part of it out unsaid."""
    drawn_results = args.results or args.source.suffix == ".json"
    if args.web or args.clouds:
        raise ConfigError("--web and --clouds go with --live")
    if args.camera is not None and args.strip is None:
        raise ConfigError("--camera goes with --strip")
    if args.strip is not None and args.rrd is not None:
        raise ConfigError("--strip is a picture and --rrd a recording; ask for one at a time")
    if args.strip is not None and drawn_results:
        raise ConfigError("--strip draws what the pipeline tracks in a recording, not results")
    if args.tracks and drawn_results:
        raise ConfigError("--tracks draws what the pipeline tracks; results carry their own ids")


def _frame(args: argparse.Namespace, say: Say) -> None:
    from mm_fusion.evaluation.pictures import picture, results_picture
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    if args.source.suffix == ".json":
        token = results_picture(load_results(args.source), args.png, args.frame)
    else:
        token = picture(
            open_recording(args.source, layout=args.layout, frames=args.frames),
            args.png,
            config=FusionConfig(),
            results=load_results(args.results) if args.results else None,
            token=args.frame,
            tracks=args.tracks,
        )
    say(f"{args.png}: frame {token}")


def _recording(args: argparse.Namespace, bar: Callable[[str, float], Any], say: Say) -> None:
    from mm_fusion.evaluation.rerun_recording import record
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    with bar("recording", min(len(recording), args.frames or len(recording))) as shown:
        count = record(
            recording,
            args.rrd,
            config=FusionConfig(),
            frames=args.frames,
            progress=shown.update,
        )
    say(f"{args.rrd}: {count} frames, see them with `rerun {args.rrd}`")


def _strip(args: argparse.Namespace, bar: Callable[[str, float], Any], say: Say) -> None:
    from mm_fusion.evaluation.strips import strip
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    with bar("tracking", min(len(recording), args.frames or len(recording))) as shown:
        told = strip(
            recording,
            args.png,
            config=FusionConfig(),
            moments=args.strip,
            token=args.frame,
            camera=args.camera,
            frames=args.frames,
            progress=shown.update,
        )
    say(f"{args.png}: {told}")


def _live(args: argparse.Namespace, say: Say) -> None:
    from mm_fusion.ros.live_view import view_live

    view_live(source=args.node, clouds=args.clouds, web=args.web, rrd=args.rrd, announce=say)
