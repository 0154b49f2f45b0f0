"""Signals are remembered, raised at once or where work may stop, and act as before the second time."""

from __future__ import annotations

import signal
import threading
import weakref

import pytest

from embodio.train.interruption import Interruption, Terminated


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


def test_sigterm_ends_a_block_that_waits_and_nothing_else() -> None:
    with Interruption(at_once=False) as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.number == signal.SIGTERM
        with pytest.raises(Terminated), interruption.waiting():
            pytest.fail("what waits does not begin")
    with Interruption(at_once=False) as interruption, pytest.raises(KeyboardInterrupt), interruption.waiting():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_signal_goes_to_the_context_outside() -> None:
    with Interruption() as outer, Interruption(at_once=False) as inner:
        signal.raise_signal(signal.SIGTERM)
        assert outer.number is None
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
    assert (inner.number, outer.number) == (signal.SIGTERM, signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert interruption.number is None
    finally:
        signal.signal(signal.SIGINT, before)
