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
import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm_fusion.config import FusionConfig
from mm_fusion.config_tree import load_config
from mm_fusion.errors import ConfigError, RecordingError

NEAR_M = 30.0  # how far objects are scored unless told otherwise
FOUND_M = 1.0  # between the centres of a detection and what it found
NUSCENES_M = 2.0  # between a track and its object, as nuScenes' tracking task asks


def demo(args: argparse.Namespace) -> None:
    """Drive through the synthetic street with the real nodes, and score it."""
    from mm_fusion.ros.demo import demo as run_demo
    from mm_fusion.ros.demo import print_demo

    with ExitStack() as bars:

        def stage(name: str, total: float) -> Callable[[float], object]:
            bars.close()  # the former one is complete
            update: Callable[[float], object] = bars.enter_context(_bar(name, total)).update
            return update

        outcome = run_demo(args.out, args.seconds, stage)
    print_demo(outcome)


def convert(args: argparse.Namespace) -> None:
    """Turn a data set into a bag."""
    from mm_fusion.recordings.convert import convert as convert_recording
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    with _bar("converting", len(recording)) as bar:
        convert_recording(recording, args.bag, storage=args.storage, progress=lambda: bar.update(1))
    print(f"{args.bag}: {recording.layout}, play it with `mm_fusion play {args.bag}`")


def play(args: argparse.Namespace) -> None:
    """Publish a bag on its topics."""
    from mm_fusion.ros.player_node import play as play_bag

    play_bag(args.bag, rate=args.rate, loop=args.loop, topics=args.topics, wait_for=args.wait_for)


def run(args: argparse.Namespace) -> None:
    """Run the pipeline over a recording, without ROS."""
    from mm_fusion.evaluation.results import save_results
    from mm_fusion.evaluation.runner import collect
    from mm_fusion.evaluation.runner import run as run_pipeline
    from mm_fusion.recordings.open import open_recording

    config = _config(args)
    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    tokens = _tokens(args.frames_file)
    without = [w for w in args.without.split(",") if w]
    frames = run_pipeline(recording, config, without=without, tokens=tokens)
    count = len(tokens) if tokens is not None else len(recording)
    with _bar("running", count) as bar:
        results = collect(
            frames, recording, config, without=without, tracks=args.tracks, progress=bar.update
        )
    save_results(args.out, results)
    boxes = sum(len(boxes) for boxes in results.frames.values())
    what = "boxes of tracks" if args.tracks else "objects"
    print(f"{args.out}: {len(results.frames)} frames, {boxes} {what}")


def evaluate(args: argparse.Namespace) -> None:
    """Score results against the labels of a recording."""
    if args.tracking:
        (_evaluate_track_files if args.results.is_dir() else _evaluate_tracks)(args)
        return
    if args.kitti:
        _evaluate_kitti(args)
        return
    from mm_fusion.evaluation.report import evaluate as score_results
    from mm_fusion.evaluation.report import plot_score, print_score
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    results = load_results(args.results)
    truth = open_recording(args.truth, layout=args.layout)
    score, curves = score_results(
        results,
        truth,
        distance_m=args.distance or FOUND_M,
        range_m=args.range or NEAR_M,
        min_lidar_points=args.min_lidar_points,
        tokens=_tokens(args.frames_file),
    )
    print_score(score, args.results.name)
    _write_figures(args.json, score.as_dict())
    if args.plot:
        plot_score(curves, args.plot)
        print(f"plot: {args.plot}")


def _evaluate_kitti(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.kitti_report import kitti_dict, kitti_scores, print_kitti
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    rows = kitti_scores(
        load_results(args.results),
        open_recording(args.truth, layout=args.layout),
        range_m=args.range or math.inf,
        resamples=args.bootstrap,
        tokens=_tokens(args.frames_file),
    )
    print_kitti(rows, args.results.name)
    _write_figures(args.json, kitti_dict(rows))


def _evaluate_tracks(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.report import paired
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.evaluation.tracks_report import print_tracks, score_tracks
    from mm_fusion.recordings.open import open_recording

    frames = paired(
        load_results(args.results),
        open_recording(args.truth, layout=args.layout),
        range_m=args.range or NEAR_M,
        min_lidar_points=args.min_lidar_points,
        tokens=_tokens(args.frames_file),
    )
    score = score_tracks(frames, args.distance or NUSCENES_M)
    print_tracks(score, args.results.name)
    _write_figures(args.json, score.as_dict())


def _evaluate_track_files(args: argparse.Namespace) -> None:
    from mm_fusion.evaluation.tracking_report import print_tracking, score_tracking, tracking_dict

    scores = score_tracking(args.results, args.truth, args.iou)
    print_tracking(scores, args.iou)
    _write_figures(args.json, tracking_dict(scores))


def _write_figures(path: Path | None, figures: object) -> None:
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")
        print(f"figures: {path}")


def report(args: argparse.Namespace) -> None:
    """Write a page of HTML about results."""
    from mm_fusion.evaluation.html_report import ReportConfig, write_report
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    source = open_recording(args.truth, layout=args.layout)
    with _bar("drawing", len(source)) as bar:
        told = write_report(
            load_results(args.results),
            source,
            args.out,
            ReportConfig(
                distance_m=args.distance or FOUND_M,
                range_m=args.range or NEAR_M,
                min_lidar_points=args.min_lidar_points,
                worst=args.worst,
            ),
            title=args.results.name,
            tokens=_tokens(args.frames_file),
            progress=bar.update,
        )
    print(f"{args.out}: {told}")


def track(args: argparse.Namespace) -> None:
    """Track the detections of files."""
    from mm_fusion.evaluation.track_files import track_sequence
    from mm_fusion.recordings.kitti_tracking import find_detections, save_tracks

    detections = find_detections(args.detections)
    frames = sum(sequence.frames for sequence in detections.values())
    with _bar("tracking", frames) as bar:
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


def train(args: argparse.Namespace) -> None:
    """Train the fusion network, or go on with it."""
    from mm_fusion.training.training import train as run_training

    run_training(
        args.settings,
        args.out,
        source=args.source,
        fold=args.fold,
        threads=args.threads,
        bar=_bar,
        say=print,
    )


def stack(args: argparse.Namespace) -> None:
    """Fit late fusion's stacking to labelled frames."""
    from mm_fusion.recordings.open import open_recording
    from mm_fusion.training.stacking_fit import fit_to

    source = open_recording(args.source, layout=args.layout, frames=args.frames)
    tokens = _tokens(args.frames_file)
    with _bar("looking", len(tokens) if tokens is not None else len(source)) as bar:
        fit = fit_to(
            source,
            _config(args),
            distance_m=args.distance or FOUND_M,
            range_m=args.range,
            tokens=tokens,
            progress=bar.update,
        )
    fit.stacking.save(args.out)
    for name, weight in zip(fit.stacking.features, fit.stacking.weights, strict=True):
        print(f"{name:>16} {weight:7.2f}")
    print(f"{args.out}: fitted to {fit.objects} objects of {fit.frames} frames, {fit.real} real;")
    print(f"use it with late.method: stacked and late.stacking_file: {args.out}")


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

    show(args, _bar, lambda text: print(text, flush=True))


def bench(args: argparse.Namespace) -> None:
    """Measure the nodes on this machine."""
    if args.tracker:
        _bench_tracker(args)
        return
    from mm_fusion.ros.bench import bench_bag, bench_transport, print_bench

    if args.transport:
        figures = bench_transport(seconds=args.seconds)
    elif args.bag is not None:
        figures = bench_bag(args.bag, rate=args.rate, objects_hz=args.objects_hz)
    else:
        raise ConfigError("bench: give --bag BAG, or --transport or --tracker for that alone")
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


def _config(args: argparse.Namespace) -> FusionConfig:
    config = load_config(args.config) if args.config else FusionConfig()
    if "detector" not in args:
        return config
    learned = replace(
        config.learned,
        checkpoint=str(args.checkpoint or config.learned.checkpoint),
        device=args.device or config.learned.device,
    )
    detector = args.detector or ("learned" if args.checkpoint else config.detector)
    return replace(config, detector=detector, learned=learned)


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
