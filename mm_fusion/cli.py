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

"""The command line: parses, and calls the verb.

Exit codes: 0 done, 1 could not (one sentence on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mm_fusion import scoring_verbs, verbs
from mm_fusion.errors import FusionError
from mm_fusion.options import LAYOUTS, add_detector_options, add_source_options, positive


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    args = _parser().parse_args(argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: its threads need not spin
    warnings.showwarning = _show_warning
    try:
        code: int | None = args.call(args)
        sys.stdout.flush()
    except FusionError as error:
        print(f"mm_fusion {args.verb}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"mm_fusion {args.verb}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"mm_fusion {args.verb}: interrupted", file=sys.stderr)
        return 130
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mm_fusion", description="Cameras, LiDAR, radar and GPS in; tracked road users out."
    )
    added = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    _add_playing(added)
    _add_scoring(added)
    _add_tools(added)
    return parser


Verbs = Any  # argparse keeps the type of subparsers to itself


def _add_playing(added: Verbs) -> None:
    demo = _verb(added, verbs.demo, "a synthetic drive through the real nodes, scored and drawn")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder of what it makes")
    demo.add_argument("--seconds", type=positive, default=10.0, help="length of the drive")

    convert = _verb(added, verbs.convert, "a data set into a rosbag2")
    convert.add_argument("source", type=Path, metavar="SOURCE")
    convert.add_argument("bag", type=Path, metavar="BAG")
    add_source_options(convert)
    convert.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap")

    play = _verb(added, verbs.play, "publish a rosbag2 on its topics, with /clock")
    play.add_argument("bag", type=Path, metavar="BAG")
    play.add_argument("--rate", type=positive, default=1.0, help="times the recorded pace")
    play.add_argument("--loop", action="store_true", help="start again at the end")
    play.add_argument("--topics", nargs="+", default=None, help="only these")
    play.add_argument(
        "--wait-for", type=int, default=0, metavar="N", help="wait for N subscriptions first"
    )


def _add_scoring(added: Verbs) -> None:
    run = _verb(added, verbs.run, "the pipeline off line over a bag or a data set, no ROS")
    run.add_argument("source", type=Path, metavar="SOURCE")
    run.add_argument("--out", type=Path, required=True, metavar="RESULTS.json")
    add_source_options(run)
    run.add_argument("--without", default="", help="kinds left out: lidar,camera,radar,gps")
    add_detector_options(run)
    run.add_argument("--tracks", action="store_true", help="write tracks, not detections")

    evaluate = _verb(added, scoring_verbs.evaluate, "score results against the labels of a source")
    evaluate.add_argument("results", type=Path, metavar="RESULTS.json|TRACKS_DIR")
    evaluate.add_argument("--truth", type=Path, required=True, metavar="SOURCE")
    evaluate.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    evaluate.add_argument(
        "--distance", type=positive, help="m between centres; 1, with --tracking 2"
    )
    evaluate.add_argument(
        "--range", type=positive, help="m, farthest object scored; 30, with --kitti all"
    )
    evaluate.add_argument("--min-lidar-points", type=int, default=0, help="of a counted object")
    evaluate.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")
    evaluate.add_argument(
        "--tracking", action="store_true", help="score tracks; a folder: KITTI tracking's files"
    )
    evaluate.add_argument(
        "--kitti", action="store_true", help="KITTI's AP by overlap and level of occlusion"
    )
    evaluate.add_argument(
        "--bootstrap", type=int, default=0, metavar="N", help="of --kitti: draws for intervals"
    )
    evaluate.add_argument("--iou", type=positive, default=0.25, help="3D overlap of track files")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--plot", type=Path, help="draw precision over recall here (PNG)")

    ablate = _verb(
        added, scoring_verbs.ablate, "what each sensor is worth, and what a faulty one costs"
    )
    ablate.add_argument("source", type=Path, metavar="SOURCE")
    add_source_options(ablate)
    add_detector_options(ablate)
    ablate.add_argument(
        "--folds", type=Path, nargs="+", metavar="DIR", help="trainings, each on what it kept out"
    )
    ablate.add_argument(
        "--faults", action=argparse.BooleanOptionalAction, default=True, help="try faults too"
    )
    ablate.add_argument("--class", dest="label", default="car", help="the class that is scored")
    ablate.add_argument("--bootstrap", type=int, default=0, metavar="N", help="draws for intervals")
    ablate.add_argument("--json", type=Path, help="write the figures here")
    ablate.add_argument("--plot", type=Path, help="draw both tables here (PNG)")

    report = _verb(
        added, scoring_verbs.report, "a page of HTML about results: figures, plots, pictures"
    )
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    report.add_argument("--truth", type=Path, required=True, metavar="SOURCE")
    report.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE.html")
    report.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    report.add_argument("--distance", type=positive, help="m between centres; 1")
    report.add_argument("--range", type=positive, help="m, farthest object scored; 30")
    report.add_argument("--min-lidar-points", type=int, default=0, help="of a counted object")
    report.add_argument("--worst", type=int, default=10, metavar="N", help="frames shown")
    report.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")


def _add_tools(added: Verbs) -> None:
    track = _verb(added, verbs.track, "detection files into track files, without a recording")
    track.add_argument("detections", type=Path, metavar="DETECTIONS")
    track.add_argument("--out", type=Path, required=True, metavar="DIR")
    track.add_argument(
        "--from", dest="layout", choices=("kitti_tracking",), default="kitti_tracking"
    )

    train = _verb(
        added, scoring_verbs.train, "train the fusion network; goes on where it was interrupted"
    )
    train.add_argument("settings", type=Path, metavar="CONFIG", help="YAML of the training")
    train.add_argument(
        "--set", action="append", metavar="KEY=VALUE", help="a setting, as network.fuser=concat"
    )
    train.add_argument("--source", type=Path, help="data set or bag, instead of the settings'")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="state, log, weights")
    train.add_argument("--fold", type=int, help="the part kept out, instead of the settings'")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where")
    train.add_argument("--threads", type=int, help="of the CPU; default: all")

    stack = _verb(added, scoring_verbs.stack, "fit late fusion's stacking to labelled frames")
    stack.add_argument("source", type=Path, metavar="SOURCE")
    stack.add_argument("--out", type=Path, required=True, metavar="STACKING.json")
    add_source_options(stack)
    stack.add_argument("--distance", type=positive, help="m between centres; 1")
    stack.add_argument("--range", type=positive, default=30.0, help="m, farthest object learnt")
    stack.add_argument("--config", type=Path, help="parameter file, as the node takes it")
    stack.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")

    check = _verb(added, verbs.check, "what is wrong with a bag, and what to do")
    check.add_argument("bag", type=Path, metavar="BAG")
    check.add_argument("--out", type=Path, default=Path("check"), help="folder of the overlays")

    _add_view(added)

    bench = _verb(added, verbs.bench, "figures of the real nodes over DDS, or of one part")
    bench.add_argument("--bag", type=Path, help="play this bag through the fusion node")
    bench.add_argument("--rate", type=positive, default=1.0, help="times the recorded pace")
    bench.add_argument(
        "--objects-hz", type=positive, default=0.0, help="of --bag: objects this often, predicted"
    )
    bench.add_argument("--transport", action="store_true", help="six cameras and a LiDAR, 300 MB/s")
    bench.add_argument(
        "--detector", type=Path, metavar="SOURCE", help="the learned detector alone, on a data set"
    )
    bench.add_argument("--checkpoint", type=Path, help="of --detector: weights; default: auto's")
    bench.add_argument("--sync", action="store_true", help="the synchroniser beside a greedy one")
    bench.add_argument("--tracker", action="store_true", help="the tracker alone, on drawn truth")
    bench.add_argument("--plot", type=Path, help="of --tracker: draw its cost here (PNG)")
    bench.add_argument("--seconds", type=positive, default=10.0, help="of --transport")
    bench.add_argument("--json", action="store_true", help="JSON instead of a table")


def _add_view(added: Verbs) -> None:
    view = _verb(added, verbs.view, "a frame as a picture, all of them in Rerun, or a running node")
    what = view.add_mutually_exclusive_group(required=True)
    what.add_argument("source", type=Path, nargs="?", metavar="SOURCE|RESULTS.json")
    what.add_argument("--live", action="store_true", help="what a running fusion node says")
    add_source_options(view)
    view.add_argument("--results", type=Path, help="draw these instead of running the pipeline")
    view.add_argument("--frame", default=None, help="name or stamp; default: middle, --strip: all")
    view.add_argument("--tracks", action="store_true", help="draw tracks and their ways")
    view.add_argument(
        "--strip", type=int, metavar="N", help="a row of so many moments, of all or round --frame"
    )
    view.add_argument("--camera", help="of --strip: whose images; default: the one ahead")
    view.add_argument("--png", type=Path, default=Path("view.png"))
    view.add_argument("--rrd", type=Path, help="write every frame for Rerun here, no picture")
    view.add_argument("--web", action="store_true", help="of --live: in a browser, not a window")
    view.add_argument("--node", default="/fusion", help="of --live: the fusion node's name")
    view.add_argument("--clouds", nargs="+", metavar="TOPIC", help="of --live: only these clouds")


def _verb(
    added: Verbs,
    call: Callable[[argparse.Namespace], int | None],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = added.add_parser(call.__name__, help=text, description=text)
    parser.set_defaults(call=call)
    return parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mm_fusion: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    sys.exit(main())
