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

"""What each verb of the command line does: calls one function of a room, prints.

Rooms are imported where they are used, so that no verb waits for what it does not need.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from mm_fusion.config import FusionConfig, LearnedConfig
from mm_fusion.errors import ConfigError
from mm_fusion.verb_parts import asked_config, frame_names, progress_bar


def demo(args: argparse.Namespace) -> None:
    """Drive through the synthetic street with the real nodes, and score it."""
    from mm_fusion.ros.demo import demo as run_demo
    from mm_fusion.ros.demo import print_demo

    with ExitStack() as bars:

        def stage(name: str, total: float) -> Callable[[float], object]:
            bars.close()  # the former one is complete
            update: Callable[[float], object] = bars.enter_context(progress_bar(name, total)).update
            return update

        outcome = run_demo(args.out, args.seconds, stage)
    print_demo(outcome)


def convert(args: argparse.Namespace) -> None:
    """Turn a data set into a bag."""
    from mm_fusion.recordings.convert import convert as convert_recording
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    with progress_bar("converting", len(recording)) as bar:
        convert_recording(recording, args.bag, storage=args.storage, progress=lambda: bar.update(1))
    print(f"{args.bag}: {recording.layout}, play it with `mm_fusion play {args.bag}`")


def play(args: argparse.Namespace) -> None:
    """Publish a bag on its topics."""
    from mm_fusion.ros.player_node import play as play_bag

    play_bag(args.bag, rate=args.rate, loop=args.loop, topics=args.topics, wait_for=args.wait_for)


def run(args: argparse.Namespace) -> None:
    """Run the pipeline over a recording, without ROS."""
    from mm_fusion.detection.shipped import chosen, runs_network
    from mm_fusion.evaluation.results import save_results
    from mm_fusion.evaluation.runner import collect
    from mm_fusion.evaluation.runner import run as run_pipeline
    from mm_fusion.recordings.open import open_recording

    config = asked_config(args)
    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    config = chosen(config, recording.layout)
    tokens = frame_names(args.frames_file)
    without = [w for w in args.without.split(",") if w]
    frames = run_pipeline(recording, config, without=without, tokens=tokens)
    count = len(tokens) if tokens is not None else len(recording)
    with progress_bar("running", count) as bar:
        results = collect(
            frames, recording, config, without=without, tracks=args.tracks, progress=bar.update
        )
    save_results(args.out, results)
    boxes = sum(len(boxes) for boxes in results.frames.values())
    what = "boxes of tracks" if args.tracks else "objects"
    print(f"{args.out}: {len(results.frames)} frames, {boxes} {what}, detector {config.detector}")
    if runs_network(config):
        from mm_fusion.detection.learned import card_of

        card = card_of(config.learned)
        print(f"weights {config.learned.checkpoint}: {card.data}; licence {card.licence}")


def track(args: argparse.Namespace) -> None:
    """Track the detections of files."""
    from mm_fusion.evaluation.track_files import track_sequence
    from mm_fusion.recordings.kitti_tracking import find_detections, save_tracks

    detections = find_detections(args.detections)
    frames = sum(sequence.frames for sequence in detections.values())
    with progress_bar("tracking", frames) as bar:
        began_s = time.perf_counter()
        tracks = {
            (kind, name): track_sequence(kind, sequence, lambda: bar.update(1))
            for (kind, name), sequence in detections.items()
        }
        took_s = time.perf_counter() - began_s
    save_tracks(args.out, tracks)
    found = sum(len({box.track for box in boxes}) for boxes in tracks.values())
    pace = f" ({frames / took_s:.0f} frames/s)" if frames else ""
    print(f"{args.out}: {len(tracks)} files, {found} tracks")
    print(f"tracked {frames} frames in {took_s:.2f} s{pace}, without reading and writing")


def check(args: argparse.Namespace) -> int:
    """Say what is wrong with a bag; return 1 if anything is an error."""
    from mm_fusion.evaluation.check import check as check_bag
    from mm_fusion.evaluation.check import print_check

    report = check_bag(args.bag, args.out)
    print_check(report)
    return 1 if report.errors else 0


def view(args: argparse.Namespace) -> None:
    """Draw one frame, write all of a recording for Rerun, or show what a running node says."""
    from mm_fusion.viewing import view as show

    show(args, progress_bar, lambda text: print(text, flush=True))


def bench(args: argparse.Namespace) -> None:
    """Measure the nodes on this machine."""
    if args.tracker:
        _bench_tracker(args)
        return
    if args.sync:
        _bench_sync(args)
        return
    if args.detector is not None:
        _bench_detector(args)
        return
    from mm_fusion.ros.bench import bench_bag, bench_transport, print_bench

    if args.transport:
        figures = bench_transport(seconds=args.seconds)
    elif args.bag is not None:
        figures = bench_bag(args.bag, rate=args.rate, objects_hz=args.objects_hz)
    else:
        raise ConfigError(
            "bench: give --bag BAG, or --transport, --sync, --tracker or --detector SOURCE"
        )
    if args.json:
        print(json.dumps(figures, indent=1, sort_keys=True))
    else:
        print_bench(figures)


def _bench_tracker(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.tracker_report import plot_costs, print_tracker, tracker_figures

    figures = tracker_figures()
    if args.json:
        print(json.dumps(figures, indent=1, sort_keys=True))
    else:
        print_tracker(figures)
    if args.plot:
        plot_costs(figures, args.plot)


def _bench_sync(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.sync_bench import print_sync, sync_bench, sync_steps

    with progress_bar("scenarios", sync_steps()) as bar:
        figures = sync_bench(progress=bar.update)
    if args.json:
        print(json.dumps(figures.as_dict(), indent=1))
    else:
        print_sync(figures)


def _bench_detector(args: argparse.Namespace) -> None:
    from mm_fusion.detection.shipped import chosen, runs_network
    from mm_fusion.evaluation.detector_bench import FRAMES, detector_cost, print_cost, runs
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.detector, frames=FRAMES)
    if isinstance(recording, BagRecording):
        raise ConfigError("bench: --detector takes a data set, whose frames are matched already")
    named = LearnedConfig(checkpoint=str(args.checkpoint or ""))
    config = chosen(FusionConfig(learned=named), recording.layout)
    if not runs_network(config):
        raise ConfigError(f"bench: no weights for {recording.layout}; give --checkpoint FILE")
    with progress_bar("measuring", runs() * len(recording)) as bar:
        cost = detector_cost(recording, replace(config, detector="learned"), progress=bar.update)
    if args.json:
        print(json.dumps(cost.as_dict(), indent=1))
    else:
        print_cost(cost)
