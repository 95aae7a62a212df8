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

"""What a newcomer sees first: the scene, the cameras, the curves and the remarks, at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mm_fusion.view.rerun_stream import load_rerun

# entity paths: a frame of reference is a folder, as Rerun composes transforms
MAP = "map"
EGO = f"{MAP}/ego"
LIDAR = f"{EGO}/lidar"
RADAR = f"{EGO}/radar"
DETECTIONS = f"{EGO}/detections"
TRACKS = f"{EGO}/tracks"
VELOCITIES = f"{EGO}/velocities"
TRUTH = f"{EGO}/truth"
CAMERAS = f"{EGO}/cameras"
TRAILS = f"{MAP}/trails"
TRAJECTORY = f"{MAP}/trajectory"
OVERLAYS = "overlays"
REMARKS = "remarks"
COUNTS, OFFSETS, LATENCIES = "plots/counts", "plots/offsets_ms", "plots/latencies_ms"
CURVES = {  # group -> what it shows
    COUNTS: "objects",
    OFFSETS: "stamps against the frame's, ms",
    LATENCIES: "stages, ms",
}
TIMELINE = "stamp"

EYE_EGO, TARGET_EGO = (-16.0, 0.0, 13.0), (12.0, 0.0, 0.0)  # m: from behind and above, ahead


def layout(
    cameras: Sequence[str] = (), overlays: Sequence[str] = (), *, curves: Sequence[str] = (COUNTS,)
) -> Any:  # noqa: ANN401  # rerun.blueprint.Blueprint
    """Arrange the views.

    Args:
        cameras: names of those shown with their images, the boxes drawn in by Rerun.
        overlays: names of those whose pictures have the boxes drawn in already.
        curves: which groups of curves are given.

    Raises:
        ConfigError: Rerun is not installed.
    """
    load_rerun()
    import rerun.blueprint as rrb

    pictures = [_camera_view(rrb, name) for name in cameras]
    pictures += [rrb.Spatial2DView(origin=f"{OVERLAYS}/{n}", name=n) for n in overlays]
    scene = _scene_view(rrb)
    above: Any = scene
    if pictures:
        columns = 1 if len(pictures) <= 3 else 2
        grid = rrb.Grid(*pictures, grid_columns=columns, name="cameras")
        above = rrb.Horizontal(scene, grid, column_shares=[3, 2])
    below = [rrb.TimeSeriesView(origin=path, name=CURVES[path]) for path in curves]
    remarks = rrb.TextDocumentView(origin=REMARKS, name="missing and remarks")
    return rrb.Blueprint(
        rrb.Vertical(above, rrb.Horizontal(*below, remarks), row_shares=[3, 1]),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        rrb.TimePanel(state="collapsed", timeline=TIMELINE),
        auto_layout=False,
        auto_views=False,
    )


def _scene_view(rrb: Any) -> Any:  # noqa: ANN401  # rerun.blueprint
    """Show the map from behind the vehicle, wherever it drives."""
    return rrb.Spatial3DView(
        origin=EGO,
        contents=f"/{MAP}/**",
        name="scene",
        background=(17, 19, 24),
        line_grid=False,
        eye_controls=rrb.EyeControls3D(
            position=EYE_EGO, look_target=TARGET_EGO, eye_up=(0.0, 0.0, 1.0)
        ),
    )


def _camera_view(rrb: Any, name: str) -> Any:  # noqa: ANN401  # rerun.blueprint
    boxes = [f"/{path}" for path in (TRACKS, TRUTH)]
    return rrb.Spatial2DView(origin=f"{CAMERAS}/{name}", contents=["$origin/**", *boxes], name=name)
