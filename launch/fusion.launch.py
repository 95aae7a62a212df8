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


"""Start the fusion node, and RViz unless told not to."""

from launch import LaunchContext, LaunchDescription, SomeSubstitutionsType
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("mm_fusion")
FOLLOWED = (  # what rviz/fusion.rviz shows and a namespace moves
    "/fusion/markers",
    "/fusion/odometry",
    "/fusion/overlay/front/compressed",
    "/fusion/overlay/camera/compressed",
    "/lidar/points",
    "/radar/points",
)


def generate_launch_description() -> LaunchDescription:
    """Every argument has a default that is right on the vehicle."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params",
                default_value=PathJoinSubstitution([SHARE, "config", "default.yaml"]),
                description="parameter file; see config/README.md",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="namespace of the node and its topics"
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="true: time from /clock (bags)"
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="true",
                description="false: wait for `ros2 lifecycle set /fusion configure`",
            ),
            DeclareLaunchArgument("rviz", default_value="true", description="show RViz"),
            DeclareLaunchArgument(
                "rviz_config",
                default_value=PathJoinSubstitution([SHARE, "rviz", "fusion.rviz"]),
                description="what RViz shows",
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
            Node(
                package="mm_fusion",
                executable="fusion_node",
                name="fusion",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "use_sim_time": LaunchConfiguration("use_sim_time"),
                        "autostart": LaunchConfiguration("autostart"),
                    },
                ],
                arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            ),
            OpaqueFunction(function=rviz),
        ]
    )


def unless_set(name: str, value: SomeSubstitutionsType) -> SetEnvironmentVariable:
    """Set an environment variable for the nodes; what the user has set stays."""
    return SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=value))


def rviz(context: LaunchContext) -> list[Node]:
    """Start RViz, its topics moved into the namespace."""
    if LaunchConfiguration("rviz").perform(context).lower() not in ("true", "1", "yes"):
        return []
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    moved = [(topic, f"/{namespace}{topic}") for topic in FOLLOWED] if namespace else []
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz",
            arguments=["-d", LaunchConfiguration("rviz_config")],
            parameters=[{"use_sim_time": LaunchConfiguration("use_sim_time")}],
            remappings=moved,
        )
    ]
