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

"""Small worlds made by hand: an ego car on a path, plates and boxes where a test wants them."""

import numpy as np
import pytest

from mm_fusion.calibration import Camera
from mm_fusion.geometry.rigid import compose
from mm_fusion.objects import CLASSES
from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import box
from mm_fusion.simulation.motion import Path, Wave
from mm_fusion.simulation.rig import EGO_FROM_OPTICAL, CameraModel
from mm_fusion.simulation.street import Actor, Street
from mm_fusion.simulation.world import World

WHITE = (0.9, 0.9, 0.9)
CAMERA = Camera(
    name="front",
    image_from_camera=np.array([[100.0, 0, 80], [0, 100, 45], [0, 0, 1]]),
    ego_from_camera=compose(EGO_FROM_OPTICAL, np.array([0.0, 0.0, 1.0])),
    size_px=(161, 91),
)
MODEL = CameraModel(camera=CAMERA)


def plate(x_m, material=Material.PLASTER, y_m=0.0, width_m=40.0, height_m=40.0):
    """A wall across the road whose near face is at x_m."""
    return box((0.2, width_m, height_m), (x_m + 0.1, y_m, 0.0), WHITE, material)


def straight(x_m=0.0, speed_mps=0.0, y_m=0.0):
    """A path along the street, heading 0 also at rest."""
    if not speed_mps:
        return Path.standing(x_m, y_m, 0.0)
    return Path(x=Wave(start=x_m, rate=speed_mps), y=Wave(start=y_m))


def actor(path, size=(4.0, 2.0, 1.5), label="car", ident=1, material=Material.PAINT):
    """A box on wheels without wheels."""
    mesh = box(size, (0.0, 0.0, size[2] / 2), WHITE, material)
    return Actor(ident=ident, label=CLASSES.index(label), mesh=mesh, path=path)


@pytest.fixture
def build():
    """Build a world; skipped where Open3D is not installed."""
    pytest.importorskip("open3d", reason="Open3D is not there; `make setup` brings it")

    def make(scenery, actors=(), ego=None):
        street = Street(
            scenery=scenery,
            actors=tuple(actors),
            ego=ego or straight(),
            crossings_m=np.zeros(0),
        )
        return World(street)

    return make
