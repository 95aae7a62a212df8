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

"""What the localizer hands out: a pose with its uncertainty, and what became of its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.localization.eskf import A, P, State, U, matrix_of
from mm_fusion.records import EgoMotion, Float64
from mm_fusion.shapes import check_shapes

KNOWN_SPEED_STD_MPS = 1.0  # a velocity less certain than this is not known,
KNOWN_SPEED_SHARE = 0.25  # unless it is certain to this share of itself
ANY_HEADING_RAD2 = np.pi**2 / 3  # variance of a heading that may be any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseEstimate:
    """Where the vehicle was at one stamp, and how it moved."""

    stamp_ns: int
    map_from_ego: Float64  # (4, 4)
    covariance: Float64  # (6, 6) x, y, z, roll, pitch, yaw about the map's axes; m and rad
    motion: EgoMotion
    notes: tuple[str, ...] = ()  # what a user should know of it

    def __post_init__(self) -> None:
        check_shapes(map_from_ego=(self.map_from_ego, (4, 4)), covariance=(self.covariance, (6, 6)))


@dataclass(slots=True)
class LocalizerStats:
    """What became of what was heard, for diagnostics."""

    fixes_used: int = 0
    fixes_rejected: int = 0  # beyond the gate: jumps
    relocations: int = 0  # jumps believed, having lasted
    imu_samples: int = 0
    velocities: int = 0
    out_of_order: int = 0  # put in their place among later ones
    too_old: int = 0  # older than the history
    bad_stamps: int = 0  # zero, or far ahead and never confirmed
    invalid: int = 0  # not a number, not on Earth
    ignored: int = 0  # of a second IMU
    resets: int = 0


def nowhere(stamp_ns: int) -> PoseEstimate:
    """Return the origin, of which nothing is known."""
    return PoseEstimate(
        stamp_ns=stamp_ns,
        map_from_ego=np.eye(4),
        covariance=np.diag([1e6, 1e6, 1e6, *[ANY_HEADING_RAD2] * 3]),
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3), known=False),
        notes=("nothing heard of the vehicle's motion: its pose is taken to be the map's origin",),
    )


def estimate_of(state: State, notes: tuple[str, ...]) -> PoseEstimate:
    """Return the pose of a filter state."""
    return PoseEstimate(
        stamp_ns=state.stamp_ns,
        map_from_ego=matrix_of(state),
        covariance=_pose_covariance(state),
        motion=_motion(state),
        notes=notes,
    )


def _pose_covariance(state: State) -> Float64:
    """Turn the filter's local angular error into one about the map's axes."""
    rows = np.r_[P, A]
    turn = np.eye(6)
    turn[3:, 3:] = state.map_from_ego
    covariance = np.asarray(turn @ state.covariance[np.ix_(rows, rows)] @ turn.T)
    if state.held:
        covariance[5, :] = covariance[:, 5] = 0.0
        covariance[5, 5] = ANY_HEADING_RAD2
    return covariance


def _motion(state: State) -> EgoMotion:
    spread_mps = float(np.sqrt(np.diag(state.covariance)[U][:2].max()))
    speed_mps = float(np.linalg.norm(state.linear_ego))
    known = spread_mps < max(KNOWN_SPEED_STD_MPS, KNOWN_SPEED_SHARE * speed_mps)
    return EgoMotion(
        linear_ego=state.linear_ego if known else np.zeros(3),
        angular_ego=state.turn_ego if known else np.zeros(3),
        known=known,
    )
