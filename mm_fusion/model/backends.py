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

"""Who computes the dense parts of a network: torch itself, or a library that knows the machine.

What is sparse (pillars, lifted images) stays with torch, so that any number of points and cameras
is possible; what is dense has one shape for ever, and nothing is ever compiled anew on the way.

Axis letters: B frames or images.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from mm_fusion.errors import ConfigError
from mm_fusion.model.network import FusionNetwork

NEEDS = {"eager": (), "compile": (), "onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}
OPSET = 17

Answer = Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]]


class Served(nn.Module):
    """A module whose answers somebody else computes, one frame or image after another.

    So its shapes never vary, whatever number of cameras a vehicle has.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, *given: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Answer as the module it stands for, for tensors of B rows each."""
        rows = [self._answer([t[row : row + 1] for t in given]) for row in range(len(given[0]))]
        outputs = tuple(torch.cat(parts) for parts in zip(*rows, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs


def chosen_backend(name: str, device: torch.device) -> str:
    """Return the backend that `auto` means here, or the one named.

    Raises:
        ConfigError: what it needs is not installed, or it cannot use the device.
    """
    if name == "auto":
        return "openvino" if device.type == "cpu" and is_installed("openvino") else "eager"
    if not is_installed(name):
        raise ConfigError(
            f"learned.backend is '{name}' but {' or '.join(NEEDS[name])} is not installed; "
            f"pip install {' '.join(NEEDS[name])}, or choose auto"
        )
    if device.type != "cpu" and NEEDS[name]:
        raise ConfigError(
            f"learned.backend is '{name}', which runs on the CPU here, but learned.device is "
            f"'{device.type}'; choose eager, compile or auto"
        )
    return name


def is_installed(name: str) -> bool:
    """Tell whether a backend can be had."""
    return all(find_spec(package) for package in NEEDS[name])


def accelerated(network: FusionNetwork, backend: str) -> FusionNetwork:
    """Let a backend run the dense parts of a network, in place, and warm them up.

    Args:
        network: ready to detect, where it is to run; it answers for its own grid only afterwards.
        backend: a key of NEEDS.
    """
    build = {"eager": _eager, "compile": _compiled, "onnx": _onnx, "openvino": _openvino}[backend]
    device = next(network.parameters()).device
    for parent, name, shapes in dense_parts(network):
        example = tuple(torch.zeros(shape, device=device) for shape in shapes)
        with _quiet(), torch.inference_mode():
            part = build(getattr(parent, name), example)
            part(*example)
        setattr(parent, name, part)
    return network


def dense_parts(
    network: FusionNetwork,
) -> Iterator[tuple[nn.Module, str, tuple[tuple[int, ...], ...]]]:
    """Yield each dense part: whose it is, by which name, and the shapes of what it is given."""
    config = network.config
    fine, coarse = config.grid.shape, config.map_grid.shape
    lifted = (1, config.channels, *coarse)
    for name in config.branches:
        encoder = network.encoders[name]
        if name == "camera":
            yield encoder, "image_encoder", ((1, 3, config.image_height, config.image_width),)
            yield encoder, "around", (lifted,)
        else:
            yield encoder, "around", ((1, config.pillar_channels, *fine),)
    count = len(config.branches)
    yield network, "trunk", ((1, count), *[lifted] * count)


def _eager(part: nn.Module, _example: tuple[torch.Tensor, ...]) -> nn.Module:
    return part.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _compiled(part: nn.Module, example: tuple[torch.Tensor, ...]) -> nn.Module:
    mode = "reduce-overhead" if example[0].is_cuda else "default"  # the former: CUDA graphs
    compiled = torch.compile(_eager(part, example), dynamic=False, mode=mode)

    def answer(given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        answered = compiled(*given)
        # a CUDA graph writes every answer to the same place
        return [t.clone() for t in (answered if isinstance(answered, tuple) else (answered,))]

    return Served(answer)


def _onnx(part: nn.Module, example: tuple[torch.Tensor, ...]) -> nn.Module:
    import onnxruntime

    with TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        torch.onnx.export(part, example, path, dynamo=False, opset_version=OPSET)
        model = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def answer(given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        arrays = [tensor.contiguous().numpy() for tensor in given]
        answered = session.run(None, dict(zip(names, arrays, strict=True)))
        return [torch.from_numpy(array) for array in answered]

    return Served(answer)


def _openvino(part: nn.Module, example: tuple[torch.Tensor, ...]) -> nn.Module:
    # without this, openvino tells its makers over the network that it is being used
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    model = openvino.convert_model(part, example_input=example)
    model.reshape({given: list(e.shape) for given, e in zip(model.inputs, example, strict=True)})
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    # its compiler gives the calling thread a signal stack, and models that die in another order
    # than they came leave it one that is freed: no signal would be survived; so, a thread for each
    with ThreadPoolExecutor(1) as apart:
        compiled = apart.submit(openvino.Core().compile_model, model, "CPU", settings).result()
    request = compiled.create_infer_request()
    count = len(model.outputs)

    def answer(given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        arrays = [tensor.contiguous().numpy() for tensor in given]
        answered = request.infer(arrays, share_inputs=True)
        return [torch.from_numpy(answered[k]) for k in range(count)]

    return Served(answer)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the tracers: that shapes become constants is what is wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
