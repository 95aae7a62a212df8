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

"""ROS messages become records: which type serves which kind of sensor.

The functions read attributes only, so they take rclpy's messages and rosbags' alike; the node and
the bag reader decode by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mm_fusion.recordings.clouds import lidar_scan, radar_returns, radar_scan, radar_tracks
from mm_fusion.recordings.headers import Message, frame_of, stamp_of
from mm_fusion.recordings.images import camera_image, camera_of, compressed_image
from mm_fusion.recordings.vehicle import (
    edge_of,
    gps_fix,
    imu_sample,
    odometry_sample,
    twist_sample,
)
from mm_fusion.records import SensorRecord

Decoder = Callable[[Message], SensorRecord]

DECODERS: Mapping[str, Mapping[str, Decoder]] = {  # kind of sensor -> message type -> decoder
    "camera": {
        "sensor_msgs/msg/Image": camera_image,
        "sensor_msgs/msg/CompressedImage": compressed_image,
    },
    "lidar": {"sensor_msgs/msg/PointCloud2": lidar_scan},
    "radar": {
        "sensor_msgs/msg/PointCloud2": radar_scan,
        "radar_msgs/msg/RadarScan": radar_returns,
        "radar_msgs/msg/RadarTracks": radar_tracks,
    },
    "gps": {"sensor_msgs/msg/NavSatFix": gps_fix},
    "imu": {"sensor_msgs/msg/Imu": imu_sample},
    "odometry": {"nav_msgs/msg/Odometry": odometry_sample},
    "twist": {
        "geometry_msgs/msg/TwistStamped": twist_sample,
        "geometry_msgs/msg/TwistWithCovarianceStamped": twist_sample,
    },
}

__all__ = [
    "DECODERS",
    "Decoder",
    "Message",
    "camera_of",
    "edge_of",
    "frame_of",
    "stamp_of",
]
