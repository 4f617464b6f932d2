"""asv's environment ``current``: the Python that runs asv, with the project as it is installed there.

asv's own ``existing`` environment has the path of its interpreter in the names of its results and in the parameters of their
graphs, and leaves out the matrix: results of two machines, or of two folders on one, would not share a graph, and nothing
would set the threads. Here a name says ``py3.11``, and the matrix of ``asv.conf.json`` holds as it does in the environments
that asv builds, so that results of both kinds are points of one graph.
"""

import sys

from asv.environment import ExistingEnvironment, get_env_name


class CurrentEnvironment(ExistingEnvironment):
    """``asv run --environment current --set-commit-hash COMMIT``: asv finds it among the subclasses of its `Environment`."""

    tool_name = "current"

    def __init__(self, conf, python, requirements, tagged_env_vars):
        super().__init__(conf, "same", requirements, tagged_env_vars)  # there is no other Python to choose

    @classmethod
    def matches(cls, python):
        return False  # only by its name

    @property
    def python(self):
        return f"{sys.version_info[0]}.{sys.version_info[1]}"

    @property
    def name(self):
        return get_env_name(self.tool_name, self.python, self._requirements, self._tagged_env_vars)
