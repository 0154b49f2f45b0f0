"""Ctrl-C that Python swallows is raised at the next occasion."""

from __future__ import annotations

import signal
import threading
import weakref

import pytest

from embodio.benchmarks.rollouts.interrupt import Interruption


class Thing:
    pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_lost_interrupt_is_found() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        thing = Thing()
        callback = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing  # the callback runs here, and what it raises is printed and dropped
        assert callback() is None
        interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)


def test_without_interrupt_nothing_happens() -> None:
    with Interruption() as interruption:
        interruption.check()


def test_outside_of_the_main_thread() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with Interruption() as interruption:
                interruption.check()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
