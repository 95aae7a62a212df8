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

"""Started twice by torchrun: trains, and tells how far the two ended apart."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from conftest import SMALL, street  # beside this file, which runs as a script
from torch import distributed

from mm_fusion.training.group import Group
from mm_fusion.training.train_config import OptimizerConfig, TrainConfig
from mm_fusion.training.trainer import Trainer

CAR = [12.0, 3.0, 0.8, 4.2, 1.8, 1.6, 0.4]


def main():
    torch.set_num_threads(1)
    group = Group.join(torch.device("cpu"))
    samples = [street([CAR], seed=k, token=f"{k}") for k in range(4)]
    if group.rank:  # what one process alone has seen must reach the other
        samples = [
            replace(s, frame=replace(s.frame, intensity=s.frame.intensity + 1)) for s in samples
        ]
    config = TrainConfig(
        network=SMALL, optimizer=OptimizerConfig(epochs=2, batch=2), imagenet=False, paste=0
    )
    trainer = Trainer(config, samples, Path(sys.argv[1]), group=group)
    trainer.run()
    state = trainer.average.state_dict().values()  # but for how often each sensor was there
    mine = torch.cat([tensor.flatten() for tensor in state if tensor.is_floating_point()])
    all_of_them = [torch.zeros_like(mine) for _ in range(group.size)]
    distributed.all_gather(all_of_them, mine)
    if group.leads:
        apart = (all_of_them[0] - all_of_them[1]).abs().max()
        print(f"steps {trainer.step}, apart {apart:.3g}, of {mine.abs().max():.3g}")
    group.leave()


if __name__ == "__main__":
    main()
