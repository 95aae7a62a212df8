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

"""The command line: parses, calls one function of a room, prints.

Exit codes: 0 done, 1 could not (one sentence on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm_fusion.config import FusionConfig, load_config
from mm_fusion.errors import ConfigError, FusionError, RecordingError

LAYOUTS = ("kitti_raw", "kitti_object", "astyx", "astyx_demo", "nuscenes", "rosbag2")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    args = _parser().parse_args(argv)
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


def _demo(args: argparse.Namespace) -> None:
    from mm_fusion.ros.demo import demo, print_demo

    with ExitStack() as bars:

        def stage(name: str, total: float) -> Callable[[float], object]:
            bars.close()  # the former one is complete
            update: Callable[[float], object] = bars.enter_context(_bar(name, total)).update
            return update

        outcome = demo(args.out, args.seconds, stage)
    print_demo(outcome)


def _convert(args: argparse.Namespace) -> None:
    from mm_fusion.recordings.convert import convert
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    with _bar("converting", len(recording)) as bar:
        convert(recording, args.bag, storage=args.storage, progress=lambda: bar.update(1))
    print(f"{args.bag}: {recording.layout}, play it with `mm_fusion play {args.bag}`")


def _play(args: argparse.Namespace) -> None:
    from mm_fusion.ros.player_node import play

    play(args.bag, rate=args.rate, loop=args.loop, topics=args.topics, wait_for=args.wait_for)


def _run(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.results import save_results
    from mm_fusion.evaluation.runner import collect, run
    from mm_fusion.recordings.open import open_recording

    config = _config(args)
    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    tokens = _tokens(args.frames_file)
    without = [w for w in args.without.split(",") if w]
    frames = run(recording, config, without=without, tokens=tokens)
    count = len(tokens) if tokens is not None else len(recording)
    with _bar("running", count) as bar:
        results = collect(frames, recording, config, without=without, progress=bar.update)
    save_results(args.out, results)
    boxes = sum(len(boxes) for boxes in results.frames.values())
    print(f"{args.out}: {len(results.frames)} frames, {boxes} objects")


def _evaluate(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.report import evaluate, plot_score, print_score
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    results = load_results(args.results)
    truth = open_recording(args.truth, layout=args.layout)
    score, curves = evaluate(
        results,
        truth,
        distance_m=args.distance,
        range_m=args.range,
        min_lidar_points=args.min_lidar_points,
        tokens=_tokens(args.frames_file),
    )
    print_score(score, args.results.name)
    if args.json:
        args.json.write_text(json.dumps(score.as_dict(), indent=1) + "\n")
        print(f"figures: {args.json}")
    if args.plot:
        plot_score(curves, args.plot)
        print(f"plot: {args.plot}")


def _check(args: argparse.Namespace) -> int:
    from mm_fusion.evaluation.check import check, print_check

    report = check(args.bag, args.out)
    print_check(report)
    return 1 if report.errors else 0


def _view(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.pictures import picture
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    token = picture(
        open_recording(args.source, layout=args.layout),
        args.png,
        config=FusionConfig(),
        results=load_results(args.results) if args.results else None,
        token=args.frame,
    )
    print(f"{args.png}: frame {token}")


def _bench(args: argparse.Namespace) -> None:
    from mm_fusion.ros.bench import bench_bag, bench_transport, print_bench

    if args.transport:
        figures = bench_transport(seconds=args.seconds)
    elif args.bag is not None:
        figures = bench_bag(args.bag, rate=args.rate)
    else:
        raise ConfigError("bench: give --bag BAG, or --transport for the transport alone")
    if args.json:
        print(json.dumps(figures, indent=1, sort_keys=True))
    else:
        print_bench(figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mm_fusion", description="Cameras, LiDAR, radar and GPS in; tracked road users out."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    demo = _verb(verbs, "demo", _demo, "a synthetic drive through the real nodes, scored and drawn")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder of what it makes")
    demo.add_argument("--seconds", type=_positive, default=10.0, help="length of the drive")

    convert = _verb(verbs, "convert", _convert, "a data set into a rosbag2")
    convert.add_argument("source", type=Path, metavar="SOURCE")
    convert.add_argument("bag", type=Path, metavar="BAG")
    _add_source_options(convert)
    convert.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap")

    play = _verb(verbs, "play", _play, "publish a rosbag2 on its topics, with /clock")
    play.add_argument("bag", type=Path, metavar="BAG")
    play.add_argument("--rate", type=_positive, default=1.0, help="times the recorded pace")
    play.add_argument("--loop", action="store_true", help="start again at the end")
    play.add_argument("--topics", nargs="+", default=None, help="only these")
    play.add_argument(
        "--wait-for", type=int, default=0, metavar="N", help="wait for N subscriptions first"
    )

    run = _verb(verbs, "run", _run, "the pipeline off line over a bag or a data set, no ROS")
    run.add_argument("source", type=Path, metavar="SOURCE")
    run.add_argument("--out", type=Path, required=True, metavar="RESULTS.json")
    _add_source_options(run)
    run.add_argument("--without", default="", help="kinds left out: lidar,camera,radar,gps")
    run.add_argument("--detector", default="geometric", help="which detector (geometric)")
    run.add_argument("--config", type=Path, help="parameter file, as the node takes it")
    run.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")

    evaluate = _verb(verbs, "evaluate", _evaluate, "score results against the labels of a source")
    evaluate.add_argument("results", type=Path, metavar="RESULTS.json")
    evaluate.add_argument("--truth", type=Path, required=True, metavar="SOURCE")
    evaluate.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    evaluate.add_argument("--distance", type=_positive, default=1.0, help="m between centres")
    evaluate.add_argument("--range", type=_positive, default=30.0, help="m, farthest object scored")
    evaluate.add_argument("--min-lidar-points", type=int, default=0, help="of a counted object")
    evaluate.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--plot", type=Path, help="draw precision over recall here (PNG)")

    check = _verb(verbs, "check", _check, "what is wrong with a bag, and what to do")
    check.add_argument("bag", type=Path, metavar="BAG")
    check.add_argument("--out", type=Path, default=Path("check"), help="folder of the overlays")

    view = _verb(verbs, "view", _view, "one frame as a picture, from above and from the cameras")
    view.add_argument("source", type=Path, metavar="BAG|SOURCE")
    view.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    view.add_argument("--results", type=Path, help="draw these instead of running the pipeline")
    view.add_argument("--frame", default=None, help="name or stamp of the frame; default: middle")
    view.add_argument("--png", type=Path, default=Path("view.png"))

    bench = _verb(verbs, "bench", _bench, "figures of the real nodes over DDS, on this machine")
    bench.add_argument("--bag", type=Path, help="play this bag through the fusion node")
    bench.add_argument("--rate", type=_positive, default=1.0, help="times the recorded pace")
    bench.add_argument("--transport", action="store_true", help="six cameras and a LiDAR, 300 MB/s")
    bench.add_argument("--seconds", type=_positive, default=10.0, help="of --transport")
    bench.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser


def _verb(
    verbs: Any,  # noqa: ANN401  # argparse keeps the type of subparsers to itself
    name: str,
    call: Callable[[argparse.Namespace], int | None],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(call=call)
    return parser


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    parser.add_argument("--frames", type=int, default=None, help="only the first N frames")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _config(args: argparse.Namespace) -> FusionConfig:
    config = load_config(args.config) if args.config else FusionConfig()
    return replace(config, detector=args.detector)


def _tokens(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    try:
        return path.read_text().split()
    except OSError as error:
        raise RecordingError(f"frames file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"frames file {path} is no text: {error}") from error


def _bar(what: str, total: float) -> Any:  # noqa: ANN401  # tqdm has no types
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    return tqdm(desc=what, total=total, unit="frame", disable=quiet, dynamic_ncols=True)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mm_fusion: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    sys.exit(main())
