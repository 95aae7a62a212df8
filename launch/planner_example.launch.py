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

"""Start the fusion node as fusion.launch.py does, and beside it the example of a planner."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("mm_fusion")
PASSED_ON = ("params", "use_sim_time", "rviz")


def generate_launch_description() -> LaunchDescription:
    """Every argument has a default that is right on the vehicle."""
    fusion = PathJoinSubstitution([SHARE, "launch", "fusion.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params",
                default_value=PathJoinSubstitution([SHARE, "config", "default.yaml"]),
                description="parameter file of the fusion node; see config/README.md",
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="true: time from /clock (bags)"
            ),
            DeclareLaunchArgument("rviz", default_value="true", description="show RViz"),
            DeclareLaunchArgument(
                "brake_s", default_value="1.5", description="s to a collision from which to brake"
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(fusion),
                launch_arguments=[(name, LaunchConfiguration(name)) for name in PASSED_ON],
            ),
            Node(
                package="mm_fusion",
                executable="planner_example",
                name="planner_example",
                output="screen",
                parameters=[
                    {
                        "use_sim_time": LaunchConfiguration("use_sim_time"),
                        "brake_s": ParameterValue(LaunchConfiguration("brake_s"), value_type=float),
                    }
                ],
            ),
        ]
    )
