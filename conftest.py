"""Makes `pytest` see one copy of the kernels, from whichever folder it is started."""

import importlib
import sys

# pytest names the modules whose doctests it collects after their folders ("kernels.conv"). It takes what is already
# imported under that name, so give it the package's own modules: otherwise all of them would exist twice.
importlib.import_module("fastnn")
for _name, _module in list(sys.modules.items()):
    if _name.startswith("fastnn.kernels"):
        sys.modules.setdefault(_name.removeprefix("fastnn."), _module)
