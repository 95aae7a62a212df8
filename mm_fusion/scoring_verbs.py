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

"""What the verbs that score and train do: each calls one function of a room, and prints.

Rooms are imported where they are used, so that no verb waits for what it does not need.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_fusion.errors import ConfigError
from mm_fusion.verb_parts import asked_config, frame_names, progress_bar

if TYPE_CHECKING:
    from mm_fusion.evaluation.ablation import Part

NEAR_M = 30.0  # how far objects are scored unless told otherwise
FOUND_M = 1.0  # between the centres of a detection and what it found
NUSCENES_M = 2.0  # between a track and its object, as nuScenes' tracking task asks


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
        tokens=frame_names(args.frames_file),
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
        tokens=frame_names(args.frames_file),
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
        tokens=frame_names(args.frames_file),
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


def ablate(args: argparse.Namespace) -> None:
    """Score every subset of the sensors, and every fault of one."""
    from mm_fusion.evaluation.ablation import ablate as score_subsets
    from mm_fusion.evaluation.ablation import plot_ablation, print_ablation, runs_of
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.open import open_recording

    recording = open_recording(args.source, layout=args.layout, frames=args.frames)
    if isinstance(recording, BagRecording):
        raise ConfigError("ablate: a bag has no frames of its own; give the data set")
    parts = _parts(args, recording.layout)
    count = sum(len(recording) if p.tokens is None else len(p.tokens) for p in parts)
    runs = runs_of({s.kind for s in recording.sensors}, with_faults=args.faults)
    with progress_bar("running", count * runs) as bar:
        figures = score_subsets(
            recording,
            parts,
            label=args.label,
            resamples=args.bootstrap,
            with_faults=args.faults,
            progress=bar.update,
        )
    print_ablation(figures, args.source.name)
    _write_figures(args.json, figures.as_dict())
    if args.plot:
        plot_ablation(figures, args.plot)
        print(f"plot: {args.plot}")


def _parts(args: argparse.Namespace, layout: str) -> list[Part]:
    """Return the frames and their detectors: of each fold its own, else of all the one."""
    from mm_fusion.detection.shipped import chosen
    from mm_fusion.evaluation.ablation import Part
    from mm_fusion.training.training import HELD_OUT, WEIGHTS

    config = chosen(asked_config(args), layout)
    if config.detector == "guarded":  # what it adds has no class, so no score
        config = replace(config, detector="learned")
    if not args.folds:
        return [Part(config=config, tokens=frame_names(args.frames_file))]
    return [
        Part(
            config=replace(
                config,
                detector="learned",
                learned=replace(config.learned, checkpoint=str(fold / WEIGHTS)),
            ),
            tokens=frame_names(fold / HELD_OUT),
        )
        for fold in args.folds
    ]


def report(args: argparse.Namespace) -> None:
    """Write a page of HTML about results."""
    from mm_fusion.evaluation.html_report import ReportConfig, write_report
    from mm_fusion.evaluation.results import load_results
    from mm_fusion.recordings.open import open_recording

    source = open_recording(args.truth, layout=args.layout)
    with progress_bar("drawing", len(source)) as bar:
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
            tokens=frame_names(args.frames_file),
            progress=bar.update,
        )
    print(f"{args.out}: {told}")


def stack(args: argparse.Namespace) -> None:
    """Fit late fusion's stacking to labelled frames."""
    from mm_fusion.recordings.open import open_recording
    from mm_fusion.training.stacking_fit import fit_to

    source = open_recording(args.source, layout=args.layout, frames=args.frames)
    tokens = frame_names(args.frames_file)
    with progress_bar("looking", len(tokens) if tokens is not None else len(source)) as bar:
        fit = fit_to(
            source,
            asked_config(args),
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


def train(args: argparse.Namespace) -> None:
    """Train the fusion network, or go on with it."""
    from mm_fusion.model.device import device_of
    from mm_fusion.training.train_config import load_train_config
    from mm_fusion.training.training import train as run_training

    config = load_train_config(args.settings, args.set or ())
    data = replace(
        config.data,
        source=str(args.source or config.data.source),
        fold=config.data.fold if args.fold is None else args.fold,
    )
    run_training(
        replace(config, data=data),
        args.out,
        threads=args.threads,
        device=device_of(args.device),
        bar=progress_bar,
        say=print,
    )
