"""Ctrl-C between batches, never in the middle of one."""

import signal
import threading


class InterruptsHeld:
    """Context in which Ctrl-C waits until `let_through` is called, or until the end.

    A second one does not wait. Nothing is held in other threads than the main one, which Ctrl-C does not reach, nor where the
    process handles it in a way of its own.

    Examples
    --------
    >>> done = []
    >>> try:
    ...     with InterruptsHeld() as interrupts:
    ...         for batch in range(3):
    ...             interrupts.let_through()
    ...             signal.raise_signal(signal.SIGINT)
    ...             done.append(batch)
    ... except KeyboardInterrupt:
    ...     print("stopped behind", done)
    stopped behind [0]
    """

    def __enter__(self):
        in_main = threading.current_thread() is threading.main_thread()
        self._came, self._holding = False, in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._holding:
            signal.signal(signal.SIGINT, self._hold)
        return self

    def _hold(self, number, frame):
        if self._came:
            raise KeyboardInterrupt
        self._came = True

    def let_through(self):
        """Raise the KeyboardInterrupt that has been held, if there is one."""
        if self._came:
            self._came = False
            raise KeyboardInterrupt

    def __exit__(self, kind, *exception):
        if self._holding:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self.let_through()
