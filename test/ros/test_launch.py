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


"""The launch files and the RViz view, against the API of `launch` where that is not installed."""

import ast
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Performed:
    """A substitution, or anything built of some: `perform` gives its text, as launch does."""

    def __init__(self, text):
        self._text = text

    def perform(self, context):
        return self._text(context)


def performed(value, context):
    if isinstance(value, (list, tuple)):
        return "".join(performed(part, context) for part in value)
    return value.perform(context) if isinstance(value, Performed) else str(value)


# What stands for the classes of `launch` and `launch_ros` takes exactly the arguments that theirs
# take in every distribution from Humble on, and gives back what was asked for.


def launch_configuration(variable_name, *, default=None):
    return Performed(lambda context: context.arguments[variable_name])


def environment_variable(name, *, default_value=None):
    def text(context):
        default = None if default_value is None else performed(default_value, context)
        return context.environment.get(name, default)

    return Performed(text)


def path_join_substitution(substitutions):
    return Performed(lambda c: str(Path(*(performed(part, c) for part in substitutions))))


def find_package_share(package):
    assert package == "mm_fusion"
    return Performed(lambda context: str(ROOT))


def action(kind, *names, required=()):
    """Make a constructor that knows these keywords only."""

    def construct(*positional, **given):
        given = dict(zip(names, positional, strict=False)) | given
        assert set(required) <= set(given) <= set(names), f"{kind}: {sorted(given)}"
        return SimpleNamespace(kind=kind, **{name: given.get(name) for name in names})

    return construct


MODULES = {
    "launch": {
        "LaunchContext": SimpleNamespace,
        "LaunchDescription": list,
        "LaunchDescriptionEntity": SimpleNamespace,
        "SomeSubstitutionsType": str,
    },
    "launch.actions": {
        "DeclareLaunchArgument": action("argument", "name", "default_value", "description"),
        "SetEnvironmentVariable": action("environment", "name", "value"),
        "OpaqueFunction": action("function", "function", required=["function"]),
        "IncludeLaunchDescription": action("include", "source", "launch_arguments"),
    },
    "launch.substitutions": {
        "LaunchConfiguration": launch_configuration,
        "EnvironmentVariable": environment_variable,
        "PathJoinSubstitution": path_join_substitution,
    },
    "launch.launch_description_sources": {"PythonLaunchDescriptionSource": lambda path: path},
    "launch_ros": {},
    "launch_ros.actions": {
        "Node": action(
            "node",
            *("package", "executable", "name", "namespace", "parameters", "remappings"),
            *("arguments", "output"),
            required=["package", "executable"],
        )
    },
    "launch_ros.substitutions": {"FindPackageShare": find_package_share},
    "launch_ros.parameter_descriptions": {
        "ParameterValue": lambda value, *, value_type=None: Performed(
            lambda context: performed(value, context)
        )
    },
}


@pytest.fixture
def launched(monkeypatch):
    """Run a launch file as `ros2 launch mm_fusion FILE name:=value ...` would."""
    for name, members in MODULES.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)

    def launch(file, environment=None, **arguments):
        path = ROOT / "launch" / f"{file}.launch.py"
        spec = importlib.util.spec_from_file_location(file, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        context = SimpleNamespace(arguments={}, environment=dict(environment or {}))
        entities = []
        for entity in module.generate_launch_description():
            entities += run(entity, context, arguments)
        assert set(arguments) <= set(context.arguments), "an argument was not declared"
        return SimpleNamespace(context=context, entities=entities, module=module)

    def run(entity, context, arguments):
        if entity.kind == "argument":
            given = arguments.get(entity.name, entity.default_value)
            assert given is not None, f"{entity.name} must be given"
            context.arguments[entity.name] = performed(given, context)
        elif entity.kind == "environment":
            context.environment[entity.name] = performed(entity.value, context)
        elif entity.kind == "function":
            return entity.function(context)
        return [entity]

    return launch


def nodes(launched):
    return {e.executable: e for e in launched.entities if e.kind == "node"}


def parameters(node, context):
    """Return the parameter files and the parameters of a node."""
    files = [performed(p, context) for p in node.parameters if not isinstance(p, dict)]
    given = [p for p in node.parameters if isinstance(p, dict)]
    return files, {n: performed(v, context) for p in given for n, v in p.items()}


def displays(entry):
    yield entry
    for child in entry.get("Displays", ()):
        yield from displays(child)


def rviz_topics():
    view = yaml.safe_load((ROOT / "rviz" / "fusion.rviz").read_text())
    shown = displays(view["Visualization Manager"])
    return {entry["Topic"]["Value"] for entry in shown if "Topic" in entry}


def test_without_arguments_the_vehicles_defaults_hold(launched):
    result = launched("fusion")
    fusion = nodes(result)["fusion_node"]
    files, given = parameters(fusion, result.context)
    assert files == [str(ROOT / "config" / "default.yaml")]
    assert given == {"use_sim_time": "false", "autostart": "true"}
    assert performed(fusion.name, result.context) == "fusion"
    assert performed(fusion.namespace, result.context) == ""
    assert performed(fusion.arguments[-1], result.context) == "info"


def test_every_file_a_launch_file_names_is_shipped(launched):
    result = launched("fusion")
    for node in nodes(result).values():
        if node.package == "mm_fusion":
            assert f'"{node.executable} = mm_fusion.ros.' in (ROOT / "setup.py").read_text()
    assert Path(result.context.arguments["params"]).is_file()
    assert Path(result.context.arguments["rviz_config"]).is_file()
    assert Path(result.context.environment["FASTDDS_DEFAULT_PROFILES_FILE"]).is_file()


def test_the_nodes_get_the_transport_and_the_arena_limit(launched):
    environment = launched("fusion").context.environment
    assert environment == {
        "FASTDDS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_shm.xml"),
        "MALLOC_ARENA_MAX": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def test_what_the_user_has_set_in_the_environment_stays(launched):
    mine = {
        "FASTDDS_DEFAULT_PROFILES_FILE": "/mine.xml",
        "MALLOC_ARENA_MAX": "4",
        "OMP_WAIT_POLICY": "ACTIVE",
    }
    assert launched("fusion", environment=mine).context.environment == mine


def test_rviz_can_be_left_out(launched):
    assert set(nodes(launched("fusion"))) == {"fusion_node", "rviz2"}
    assert set(nodes(launched("fusion", rviz="false"))) == {"fusion_node"}


def test_a_namespace_moves_every_topic_that_rviz_shows(launched):
    plain, moved = launched("fusion"), launched("fusion", namespace="/veh/")
    assert nodes(plain)["rviz2"].remappings == []
    assert nodes(moved)["rviz2"].remappings == [(t, f"/veh{t}") for t in moved.module.FOLLOWED]
    assert set(moved.module.FOLLOWED) == rviz_topics()


def test_rviz_shows_clouds_boxes_images_and_the_pose_in_a_fixed_frame():
    view = yaml.safe_load((ROOT / "rviz" / "fusion.rviz").read_text())["Visualization Manager"]
    assert view["Global Options"]["Fixed Frame"] == "map"
    kinds = [d["Class"].rpartition("/")[2] for d in displays(view) if d.get("Class")]
    for kind in ("PointCloud2", "MarkerArray", "Image", "Odometry", "TF"):
        assert kind in kinds
    radar = next(d for d in displays(view) if d.get("Topic", {}).get("Value") == "/radar/points")
    assert radar["Channel Name"] == "range_rate"


def test_rviz_shows_what_the_node_publishes():
    source = (ROOT / "mm_fusion" / "ros" / "publishers.py").read_text()
    for topic in rviz_topics():
        if topic.startswith("/fusion/"):
            first = topic.removeprefix("/fusion/").split("/")[0]
            assert f'"~/{first}' in source, topic


@pytest.mark.parametrize("name", ["fusion", "replay", "planner_example"])
def test_every_argument_says_what_it_is_for(launched, name):
    entities = launched(name, **({"bag": "/b", "params": "/p"} if name == "replay" else {}))
    declared = [e for e in entities.entities if e.kind == "argument"]
    assert len(declared) >= 4
    assert all(argument.description for argument in declared)


def test_a_replay_needs_a_bag(launched):
    with pytest.raises(AssertionError, match="bag must be given"):
        launched("replay")


def test_a_replay_with_its_own_parameters_takes_them(launched):
    result = launched("replay", bag="/data/drive", params="/my.yaml", rate="2", loop="true")
    _, given = parameters(nodes(result)["player_node"], result.context)
    assert given == {"bag": "/data/drive", "rate": "2", "loop": "true", "wait_for": ""}
    include = next(e for e in result.entities if e.kind == "include")
    passed = {name: performed(value, result.context) for name, value in include.launch_arguments}
    assert passed["params"] == "/my.yaml"
    assert passed["use_sim_time"] == "true"
    assert performed(include.source, result.context) == str(ROOT / "launch/fusion.launch.py")


def test_a_replay_passes_on_only_what_the_other_file_declares(launched):
    include = next(
        e for e in launched("replay", bag="/b", params="/p").entities if e.kind == "include"
    )
    declared = {e.name for e in launched("fusion").entities if e.kind == "argument"}
    assert {name for name, _ in include.launch_arguments} <= declared


def test_the_planner_runs_beside_the_fusion_node_of_the_other_file(launched):
    result = launched("planner_example", brake_s="2.0", rviz="false", use_sim_time="true")
    planner = nodes(result)["planner_example"]
    assert '"planner_example = mm_fusion.ros.' in (ROOT / "setup.py").read_text()
    assert parameters(planner, result.context)[1] == {"use_sim_time": "true", "brake_s": "2.0"}
    include = next(e for e in result.entities if e.kind == "include")
    passed = {name: performed(value, result.context) for name, value in include.launch_arguments}
    assert passed["rviz"] == "false"
    assert passed["params"] == str(ROOT / "config" / "default.yaml")
    declared = {e.name for e in launched("fusion").entities if e.kind == "argument"}
    assert set(passed) <= declared


def test_launch_files_need_no_more_than_python_3_10_knows():
    for path in (ROOT / "launch").glob("*.launch.py"):
        ast.parse(path.read_text(), os.fspath(path), feature_version=(3, 10))
