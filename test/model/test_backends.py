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

"""Every backend answers as torch does, for any sensors and any number of cameras."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from mm_fusion.errors import ConfigError
from mm_fusion.model import backends
from mm_fusion.model.backends import NEEDS, accelerated, chosen_backend, dense_parts
from mm_fusion.model.folding import folded
from mm_fusion.model.fusers import FUSERS
from mm_fusion.model.network import FusionNetwork

from .test_network import SMALL, answer, batch, replace

CPU = torch.device("cpu")


def need(backend):
    for package in NEEDS[backend]:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module", params=NEEDS)
def served(request):
    need(request.param)
    torch.manual_seed(0)
    network = FusionNetwork(SMALL).eval()
    return network, accelerated(folded(network).requires_grad_(False), request.param)


@pytest.mark.parametrize("cameras", [1, 2, 0, 3])  # they come and go
def test_it_answers_as_the_network_itself(served, cameras):
    network, quick = served
    given = batch(frames=1, cameras=max(cameras, 1))
    if not cameras:
        given = given.without("camera")
    for gone in ("none", "lidar", "radar"):
        some = given if gone == "none" else given.without(gone)
        torch.testing.assert_close(answer(quick, some), answer(network, some), atol=1e-3, rtol=1e-3)


def test_two_frames_at_once_are_answered_as_one_after_the_other(served):
    network, quick = served
    torch.testing.assert_close(
        answer(quick, batch()), answer(network, batch()), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("fuser", FUSERS)
def test_every_fuser_can_be_handed_over(fuser):
    need("openvino")
    network = FusionNetwork(replace(SMALL, fuser=fuser)).eval()
    quick = accelerated(folded(network).requires_grad_(False), "openvino")
    torch.testing.assert_close(
        answer(quick, batch(1)), answer(network, batch(1)), atol=1e-3, rtol=1e-3
    )


SIGNALLED = """
import ctypes, faulthandler, os, signal
import torch
from mm_fusion.model.backends import _openvino

class Stack(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

def stack_of_signals():
    stack = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.at

faulthandler.enable()
told = []
signal.signal(signal.SIGINT, lambda *_: told.append(1))
before = stack_of_signals()
example = (torch.zeros(1, 3, 16, 16),)
parts = [_openvino(torch.nn.Conv2d(3, 8, 3).eval(), example) for _ in range(3)]
for part in parts:
    part(*example)
while parts:
    assert stack_of_signals() in (before, None), (before, stack_of_signals())
    os.kill(os.getpid(), signal.SIGINT)
    del parts[0], part  # the oldest first
    part = parts[0] if parts else None
print(len(told))
"""


def test_signals_are_survived_when_networks_come_and_go():
    need("openvino")
    words = [sys.executable, "-c", SIGNALLED]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_nobody_is_told_over_the_network():
    need("openvino")
    network = FusionNetwork(replace(SMALL, modalities=("radar",))).eval()
    accelerated(folded(network).requires_grad_(False), "openvino")
    assert sys.modules["openvino_telemetry"] is None
    assert "stub" in sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__


def test_all_that_has_weights_is_handed_over_but_what_is_sparse():
    network = FusionNetwork(SMALL)
    parts = [getattr(parent, name) for parent, name, _ in dense_parts(network)]
    handed = {id(p) for part in parts for p in part.parameters()}
    left = {n for n, p in network.named_parameters() if id(p) not in handed}
    assert {n.split(".")[0] for n in left} == {"encoders", "alone"}
    assert {n.split(".")[2] for n in left if n.startswith("encoders")} == {"pillars", "lift"}


def test_what_is_not_installed_or_has_no_gpu_is_told(monkeypatch):
    cuda = torch.device("cuda")
    assert chosen_backend("eager", cuda) == chosen_backend("auto", cuda) == "eager"
    monkeypatch.setattr(backends, "find_spec", lambda _: object())
    assert chosen_backend("auto", CPU) == "openvino"
    with pytest.raises(ConfigError, match=r"runs on the CPU here, but learned\.device is 'cuda'"):
        chosen_backend("onnx", cuda)
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    assert chosen_backend("auto", CPU) == "eager"
    with pytest.raises(ConfigError, match="onnx or onnxruntime is not installed; pip install onnx"):
        chosen_backend("onnx", CPU)
