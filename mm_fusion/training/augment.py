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

"""Variations of a sample that leave it true: every sensor, the labels and the cameras together.

Axis letters: N points, M returns, K objects, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.rigid import compose, rotation_from_rpy, yaw_of
from mm_fusion.objects import Objects, Truth
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, UInt8
from mm_fusion.training.samples import Sample, TrainingImage

MIRROR = np.diag([1.0, -1.0, 1.0, 1.0])  # left is right


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far a sample is varied."""

    flip: float = 0.5  # chance of left and right exchanged
    turn_rad: float = 0.35  # about the vertical, either way
    tilt_rad: float = 0.01  # roll and pitch of the world, standard deviation
    scale: float = 0.05  # larger or smaller
    shift_m: float = 0.2  # standard deviation along each axis
    drop_points: float = 0.3  # largest share of LiDAR points left out
    drop_returns: float = 0.3  # and of radar returns
    color: float = 0.2  # brightness, contrast and saturation, either way

    def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample, varied as drawn."""
        if rng.random() < self.flip:
            sample = flipped(sample)
        turn = rng.uniform(-self.turn_rad, self.turn_rad)
        roll, pitch = rng.normal(0, self.tilt_rad, 2)
        moved = compose(rotation_from_rpy(roll, pitch, turn), rng.normal(0, self.shift_m, 3))
        sample = transformed(sample, moved, 1 + rng.uniform(-self.scale, self.scale))
        sample = thinned(sample, rng, self.drop_points, self.drop_returns)
        return colored(sample, rng, self.color)


def flipped(sample: Sample) -> Sample:
    """Exchange left and right: a point that hit a pixel hits the mirrored one."""
    frame = sample.frame
    whole = replace(
        frame,
        points_ego=_mirrored(frame.points_ego),
        radar_ego=_mirrored(frame.radar_ego),
        radar_ray_ego=_mirrored(frame.radar_ray_ego),
        viewpoint_ego=frame.viewpoint_ego * [1, -1, 1],
    )
    images = {name: _flipped_image(image) for name, image in sample.images.items()}
    return replace(
        sample, frame=whole, truth=_of_objects(sample.truth, _flipped_objects), images=images
    )


def _mirrored(points: Float32) -> Float32:
    return points * np.array([1, -1, 1], np.float32)


def _flipped_objects(objects: Objects) -> Objects:
    return replace(
        objects,
        centers_ego=objects.centers_ego * [1, -1, 1],
        yaws_rad=wrap_angle(-objects.yaws_rad),
        velocities_ego=objects.velocities_ego * [1, -1],
        turn_rates_radps=-objects.turn_rates_radps,
    )


def _flipped_image(image: TrainingImage) -> TrainingImage:
    width = image.rgb.shape[1]
    pixels = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])  # of the mirrored picture
    across = np.diag([-1.0, 1, 1])  # x of the camera: to the left in the world, mirrored twice
    return TrainingImage(
        rgb=np.ascontiguousarray(image.rgb[:, ::-1]),
        intrinsics=pixels @ image.intrinsics @ across,
        ego_from_camera=MIRROR @ image.ego_from_camera @ np.diag([-1.0, 1, 1, 1]),
    )


def transformed(sample: Sample, target_from_ego: Float64, scale: float = 1.0) -> Sample:
    """Move the whole world, then make it larger: points, labels and where the cameras are.

    Args:
        sample: to vary.
        target_from_ego: (4, 4) rigid; its axis is nearly upright.
        scale: of all lengths and speeds.
    """
    frame, whole = sample.frame, target_from_ego.copy()
    whole[:3] *= scale
    rotation = target_from_ego[:3, :3].astype(np.float32)
    moved = replace(
        frame,
        points_ego=_moved(whole, frame.points_ego),
        radar_ego=_moved(whole, frame.radar_ego),
        radar_ray_ego=frame.radar_ray_ego @ rotation.T,
        radial_speed_mps=frame.radial_speed_mps * np.float32(scale),
        viewpoint_ego=whole[:3, :3] @ frame.viewpoint_ego + whole[:3, 3],
    )
    images = {
        name: replace(image, ego_from_camera=whole @ image.ego_from_camera)
        for name, image in sample.images.items()
    }

    def carried(objects: Objects) -> Objects:
        turned = target_from_ego[:2, :2] * scale
        return replace(
            objects,
            centers_ego=objects.centers_ego @ whole[:3, :3].T + whole[:3, 3],
            sizes_m=objects.sizes_m * scale,
            yaws_rad=wrap_angle(objects.yaws_rad + yaw_of(target_from_ego)),
            velocities_ego=objects.velocities_ego @ turned.T,
        )

    return replace(sample, frame=moved, truth=_of_objects(sample.truth, carried), images=images)


def _moved(matrix: Float64, points: Float32) -> Float32:
    matrix32 = matrix.astype(np.float32)
    return np.asarray(points @ matrix32[:3, :3].T + matrix32[:3, 3], np.float32)


def thinned(
    sample: Sample, rng: np.random.Generator, points_share: float, returns_share: float
) -> Sample:
    """Leave out a share of the points and of the returns, each drawn up to its largest."""
    frame = sample.frame
    points = rng.random(len(frame.points_ego)) >= rng.uniform(0, points_share)
    returns = rng.random(len(frame.radar_ego)) >= rng.uniform(0, returns_share)
    return replace(sample, frame=selected(frame, points, returns))


def selected(frame: EgoFrame, points: Bool, returns: Bool) -> EgoFrame:
    """Keep some points (N,) and some returns (M,) of a frame, by mask."""
    offset_s = frame.radar_offset_s
    return replace(
        frame,
        points_ego=frame.points_ego[points],
        intensity=frame.intensity[points],
        radar_ego=frame.radar_ego[returns],
        radar_ray_ego=frame.radar_ray_ego[returns],
        radial_speed_mps=frame.radial_speed_mps[returns],
        rcs_dbsm=frame.rcs_dbsm[returns],
        radar_offset_s=None if offset_s is None else offset_s[returns],
    )


def colored(sample: Sample, rng: np.random.Generator, limit: float) -> Sample:
    """Change brightness, contrast and saturation of every image, each by its own draw."""
    images = {}
    for name, image in sample.images.items():
        brightness, contrast, saturation = 1 + rng.uniform(-limit, limit, 3)
        images[name] = replace(image, rgb=_colored(image.rgb, brightness, contrast, saturation))
    return replace(sample, images=images)


def _colored(rgb: UInt8, brightness: float, contrast: float, saturation: float) -> UInt8:
    gray = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colorful = cv2.addWeighted(rgb, saturation, gray, 1 - saturation, 0)
    middle = 127.5 * (1 - contrast)
    return np.asarray(cv2.convertScaleAbs(colorful, alpha=contrast * brightness, beta=middle))


def _of_objects(truth: Truth, change: Callable[[Objects], Objects]) -> Truth:
    return replace(truth, objects=change(truth.objects), ignored=change(truth.ignored))
