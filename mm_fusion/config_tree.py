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

"""How settings are spelt: as nested mappings, as dotted names, as a ROS parameter file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import ConfigError
from mm_fusion.settings import require
from mm_fusion.yaml_file import read_yaml

T = TypeVar("T")


def from_mapping(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """Build a config from nested mappings; an unknown key is an error, not a silence.

    The sensors of a `FusionConfig` are spelt as ROS parameters spell them: `sensors` lists the
    names, `sensor.<name>.<setting>` describes each.
    """
    values = dict(_mapping(values, path.removesuffix(".") or "ros__parameters"))
    if cls is FusionConfig and "sensors" in values:
        values["sensors"] = _sensors_of(values.pop("sensors"), values.pop("sensor", {}))
    types = get_type_hints(cls)
    known = list(types)
    if unknown := sorted(values.keys() - set(known)):
        raise ConfigError(f"unknown setting {path}{unknown[0]}; known here: {', '.join(known)}")
    return cls(
        **{
            name: from_mapping(types[name], value, f"{path}{name}.")
            if is_dataclass(types[name]) and not is_dataclass(value)
            else _coerced(types[name], value)
            for name, value in values.items()
        }
    )


def load_config(path: Path) -> FusionConfig:
    """Read a ROS parameter file; what it does not name keeps its default.

    Raises:
        ConfigError: it is missing, malformed, or holds an unknown or absurd setting.
    """
    tree = read_yaml(path, "parameter file", ConfigError)
    nodes = tree if isinstance(tree, dict) else {}
    found = [
        node["ros__parameters"]
        for node in nodes.values()
        if isinstance(node, dict) and list(node) == ["ros__parameters"]
    ]
    if len(found) != 1:
        raise ConfigError(
            f"parameter file {path}: expected one node, as `/**:` then `ros__parameters:`"
        )
    return from_mapping(FusionConfig, found[0])


def flatten(config: object, path: str = "") -> dict[str, Any]:
    """Spell a config as dotted names, the way ROS 2 parameters are named."""
    flat: dict[str, Any] = {}
    for f in fields(config):  # type: ignore[arg-type]
        value = getattr(config, f.name)
        if path == "" and f.name == "sensors":
            flat["sensors"] = tuple(s.name for s in value)
            for sensor in value:
                flat |= flatten(sensor, f"sensor.{sensor.name}.")
        elif is_dataclass(value):
            flat |= flatten(value, f"{path}{f.name}.")
        elif not (path.startswith("sensor.") and f.name == "name"):
            flat[path + f.name] = value
    return flat


def walk(cls: type = FusionConfig, path: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Yield every setting's dotted name and field, the sensors' left out (see `SensorConfig`)."""
    types = get_type_hints(cls)
    for f in fields(cls):
        if is_dataclass(types[f.name]):
            yield from walk(types[f.name], f"{path}{f.name}.")
        elif f.metadata:
            yield path + f.name, f


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names back into nested mappings."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree


def _mapping(values: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401  # whatever YAML gave
    if not isinstance(values, Mapping):
        raise ConfigError(f"{name} is {values!r}; it must hold settings by their names")
    return values


def _sensors_of(names: Any, described: Any) -> tuple[SensorConfig, ...]:  # noqa: ANN401
    require(isinstance(names, (list, tuple)), f"sensors is {names!r}; give a list of their names")
    if names and is_dataclass(names[0]):
        return tuple(names)
    if unnamed := [name for name in names if not isinstance(name, str)]:
        raise ConfigError(f"sensors holds {unnamed[0]!r}; give a list of their names")
    described = _mapping(described, "sensor")
    if strangers := sorted(set(described) - set(names)):
        raise ConfigError(
            f"sensor.{strangers[0]} is described but not listed in sensors {list(names)}"
        )
    return tuple(
        from_mapping(
            SensorConfig,
            {"name": n, **_mapping(described.get(n, {}), f"sensor.{n}")},
            f"sensor.{n}.",
        )
        for n in names
    )


def _coerced(kind: Any, value: Any) -> Any:  # noqa: ANN401
    """Accept what YAML and ROS make of a value: lists for tuples, integers for floats."""
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
