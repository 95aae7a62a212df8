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


"""Play a recording into the fusion node, and show both in RViz."""

from pathlib import Path
from tempfile import mkdtemp

from launch import (
    LaunchContext,
    LaunchDescription,
    LaunchDescriptionEntity,
    SomeSubstitutionsType,
)
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("mm_fusion")


def generate_launch_description() -> LaunchDescription:
    """Only the bag must be named; the node's sensors are read from it."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="folder or file of a rosbag2"),
            DeclareLaunchArgument("rate", default_value="1.0", description="1: as recorded"),
            DeclareLaunchArgument("loop", default_value="false", description="begin again"),
            DeclareLaunchArgument("rviz", default_value="true", description="show RViz"),
            DeclareLaunchArgument(
                "params",
                default_value="",
                description="parameter file; empty: the sensors are those of the bag",
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="true", description="time from the player's /clock"
            ),
            DeclareLaunchArgument(
                "log_level", default_value="info", description="debug, info, warn, error or fatal"
            ),
            unless_set(
                "FASTDDS_DEFAULT_PROFILES_FILE",
                PathJoinSubstitution([SHARE, "config", "fastdds_shm.xml"]),
            ),
            unless_set("MALLOC_ARENA_MAX", "1"),
            unless_set("OMP_WAIT_POLICY", "PASSIVE"),
            OpaqueFunction(function=node_and_player),
        ]
    )


def unless_set(name: str, value: SomeSubstitutionsType) -> SetEnvironmentVariable:
    """Set an environment variable for the nodes; what the user has set stays."""
    return SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=value))


def node_and_player(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node with the bag's sensors, and the player once the node listens."""
    from mm_fusion.ros.bag_parameters import bag_config, sensor_topics, write_parameters

    bag = Path(LaunchConfiguration("bag").perform(context)).expanduser()
    params = LaunchConfiguration("params").perform(context)
    wait_for = ()
    if not params:
        config = bag_config(bag)
        params = str(write_parameters(config, Path(mkdtemp(prefix="mm_fusion_"), "replay.yaml")))
        wait_for = sensor_topics(config)
    passed_on = ("rviz", "use_sim_time", "log_level")
    return [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([SHARE, "launch", "fusion.launch.py"])
            ),
            launch_arguments=[
                ("params", params),
                *((name, LaunchConfiguration(name)) for name in passed_on),
            ],
        ),
        Node(
            package="mm_fusion",
            executable="player_node",
            name="player",
            output="screen",
            parameters=[
                {
                    "bag": ParameterValue(str(bag), value_type=str),
                    "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                    "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                    "wait_for": ParameterValue(" ".join(wait_for), value_type=str),
                }
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        ),
    ]
