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

"""The settings as ROS parameters: declared with descriptors, checked, read back.

Meaning, unit, range and default come from `config.py`; nothing is stated twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from difflib import get_close_matches
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.config_tree import flatten, from_mapping, nested, walk
from mm_fusion.detection.shipped import require_weights
from mm_fusion.errors import ConfigError, FusionError
from mm_fusion.ros.descriptors import admits, described

NOT_OURS = ("use_sim_time", "start_type_description_service", "autostart")  # what ROS declares
NOT_OURS_PREFIX = "qos_overrides."

Changed = Callable[[FusionConfig], None]


class Parameters:
    """The node's parameters; the node must declare its overrides automatically.

    What a start-up file says is taken as it is, so that `config` can say what is wrong with it.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fields: dict[str, Field[Any]] = {}  # parameter -> the setting it stands for
        self._on_change: Changed | None = None
        self._declaring = False
        defaults = flatten(FusionConfig())
        for name, field in walk():
            self._declare(name, field, defaults[name])
        sensors = "names of the sensors; sensor.<name>.* describes each"
        whole = ParameterDescriptor(description=sensors)
        self._describe("sensors", list(defaults["sensors"]), whole)
        self._declare_sensors()
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._follow)

    def config(self) -> FusionConfig:
        """Return the settings.

        Raises:
            ConfigError: one is unknown, of the wrong type or out of range.
        """
        return self._build({})

    def hold(self, on_change: Changed) -> None:
        """From now on let only live settings change, and tell `on_change` when they do."""
        self._on_change = on_change

    def release(self) -> None:
        """Let every setting change again; the next `config` reads them."""
        self._on_change = None

    def _build(self, changes: Mapping[str, Any]) -> FusionConfig:
        given = {name: p.value for name, p in self._node.get_parameters_by_prefix("").items()}
        values = {n: v for n, v in {**given, **changes}.items() if not _is_ros(n)}
        listed = values["sensors"]
        if not isinstance(listed, (list, tuple)) or not all(isinstance(n, str) for n in listed):
            raise ConfigError(f"sensors is {listed!r}; give a list of names, as [lidar, front]")
        for name in values:
            if name not in self._fields and name not in changes:
                raise ConfigError(self._unknown(name, list(listed)))
        wanted = {n: v for n, v in values.items() if _sensor_of(n) in (None, *listed)}
        config = from_mapping(FusionConfig, nested(wanted))
        for sensor in config.sensors:
            if not sensor.topic:
                raise ConfigError(f"sensor.{sensor.name}.topic is empty; name the topic")
        return config

    def _unknown(self, name: str, listed: list[str]) -> str:
        sensor = _sensor_of(name)
        if sensor is not None and sensor not in listed:
            return f"sensor.{sensor} is described but not listed in sensors {listed}"
        near = get_close_matches(name, self._fields, n=1)
        hint = f"did you mean {near[0]}?" if near else "config/default.yaml lists all"
        return f"unknown parameter {name}; {hint}"

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        """Refuse what would not build; rclpy calls this before it sets anything."""
        if self._declaring:
            return SetParametersResult(successful=True)
        changes = {p.name: p.value for p in parameters if not _is_ros(p.name)}
        try:
            self._refuse_untimely(changes)
            if self._on_change is not None:
                require_weights(self._build(changes))
            elif self._builds():
                self._build({**self._fresh_sensors(changes), **changes})
        except FusionError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _refuse_untimely(self, changes: Mapping[str, Any]) -> None:
        if self._on_change is None:
            return
        for name in changes:
            field = self._fields.get(name)
            if field is None or not field.metadata.get("live"):
                raise ConfigError(
                    f"{name} takes effect when the node is configured; deactivate and clean it "
                    f"up first: ros2 lifecycle set {self._node.get_fully_qualified_name()} cleanup"
                )

    def _builds(self) -> bool:
        """Tell whether what is set now is sound; while it is not, single steps may mend it."""
        try:
            self._build({})
        except FusionError:
            return False
        return True

    def _fresh_sensors(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Give sensors that are only just being named a topic of their own, to judge the rest."""
        listed = changes.get("sensors", ())
        topics = {f"sensor.{n}.topic": f"{n}/points" for n in listed if isinstance(listed, list)}
        return {name: topic for name, topic in topics.items() if name not in self._fields}

    def _follow(self, parameters: list[Parameter]) -> None:
        """Act on what was set."""
        if self._declaring:
            return
        if any(p.name == "sensors" for p in parameters):
            self._declare_sensors()
        if self._on_change is not None and any(p.name in self._fields for p in parameters):
            self._on_change(self.config())

    def _declare_sensors(self) -> None:
        """Declare what describes each listed sensor, unless that is done already."""
        listed = self._node.get_parameter("sensors").value
        if not isinstance(listed, (list, tuple)):
            return  # `config` will say so
        shipped = {s.name: s for s in FusionConfig().sensors}
        for sensor in filter(str.isidentifier, map(str, listed)):  # `config` refuses others
            for field in fields(SensorConfig):
                name = f"sensor.{sensor}.{field.name}"
                if field.name != "name" and name not in self._fields:
                    default = getattr(shipped.get(sensor), field.name, field.default)
                    self._declare(name, field, default)

    def _declare(self, name: str, field: Field[Any], default: Any) -> None:  # noqa: ANN401
        self._fields[name] = field
        value = list(default) if isinstance(default, tuple) else default
        self._describe(name, value, described(name, field))

    def _describe(self, name: str, default: Any, descriptor: ParameterDescriptor) -> None:  # noqa: ANN401
        descriptor.dynamic_typing = True  # an integer may stand for a float; `config` checks
        self._declaring = True
        try:
            if not self._node.has_parameter(name):
                self._node.declare_parameter(name, default, descriptor)
            else:
                _set_descriptor(self._node, name, descriptor)
        finally:
            self._declaring = False
        self._fields.setdefault(name, _SENSORS)


_SENSORS = next(f for f in fields(FusionConfig) if f.name == "sensors")


def _set_descriptor(node: Node, name: str, descriptor: ParameterDescriptor) -> None:
    if not admits(descriptor, node.get_parameter(name).value):
        descriptor.floating_point_range = []  # keep the value, so that `config` can refuse it
        descriptor.integer_range = []
    node.set_descriptor(name, descriptor)


def _sensor_of(name: str) -> str | None:
    """Return which sensor a parameter describes, None if it is another kind of parameter."""
    parts = name.split(".")
    return parts[1] if parts[0] == "sensor" and len(parts) > 1 else None


def _is_ros(name: str) -> bool:
    return name in NOT_OURS or name.startswith(NOT_OURS_PREFIX)
