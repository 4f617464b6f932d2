"""What reading a pickle file may result in."""

import numpy as np

DEPTH = 100
_PLAIN = frozenset((str, bytes, bytearray, int, float, bool, type(None)))


def check(value):
    """Raise ValueError unless `value` is plain data through and through, not in itself and not too deeply nested."""
    depths, todo = {}, [value]  # by id: 0 as long as a container is being looked into, then how deep it is
    while todo:
        value = todo[-1]
        if type(value) in _PLAIN or depths.get(id(value)):
            todo.pop()
        elif type(value) not in (list, tuple, dict):
            if not isinstance(value, (np.ndarray, np.generic, np.dtype)):
                raise ValueError(f"expected plain data, got {type(value).__name__}")
            todo.pop()
        else:
            new = id(value) not in depths
            depths[id(value)] = 0
            items = [*value, *value.values()] if type(value) is dict else value
            found = [depths.get(id(item)) for item in items if type(item) in (list, tuple, dict)]
            if new:
                if 0 in found:
                    raise ValueError("expected data that does not contain itself")
                todo += [item for item in items if type(item) not in _PLAIN]
            else:
                todo.pop()
                depths[id(value)] = 1 + max(found, default=0)
                if depths[id(value)] > DEPTH:
                    raise ValueError(f"expected data of at most {DEPTH} levels")
