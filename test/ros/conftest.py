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


"""What the tests of the nodes share: a ROS domain of their own, and executors in it."""

import os
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="session")
def domain_id():
    """A ROS domain no other test run is in."""
    return 20 + os.getpid() % 80  # domains above 101 use ports that Linux gives to others


class Contexts:
    """Makes contexts in the private domain; each is a participant of its own."""

    def __init__(self, domain_id):
        self.domain_id = domain_id
        self.made = []

    def __call__(self, args=()):
        import rclpy

        from mm_fusion.ros.environment import enter_ros_environment

        enter_ros_environment()
        context = rclpy.Context()
        no_handlers = rclpy.signals.SignalHandlerOptions.NO
        rclpy.init(
            args=list(args),
            context=context,
            domain_id=self.domain_id,
            signal_handler_options=no_handlers,
        )
        self.made.append(context)
        return context

    def shut_down(self):
        import rclpy

        for context in self.made:
            rclpy.try_shutdown(context=context)


@contextmanager
def executor_in(domain_id):
    pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")
    from rclpy.executors import SingleThreadedExecutor

    contexts = Contexts(domain_id)
    found = SingleThreadedExecutor(context=contexts())
    yield found
    for node in found.get_nodes():
        node.destroy_node()
    found.shutdown()
    contexts.shut_down()


@pytest.fixture
def make_context(domain_id):
    """Make contexts in the private domain."""
    pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")
    contexts = Contexts(domain_id)
    yield contexts
    contexts.shut_down()


@pytest.fixture
def executor(domain_id):
    """An executor in the private domain; nodes added to it are destroyed with it."""
    with executor_in(domain_id) as found:
        yield found


@pytest.fixture(scope="module")
def module_executor(domain_id):
    """The same for all tests of a file."""
    with executor_in(domain_id) as found:
        yield found
