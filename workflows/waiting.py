"""Waiting in a workflow: by durable timer, woken early by what happens, never for ever."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import ResponsePolicy


async def sleep_unless(woken: Callable[[], bool], wait: timedelta) -> bool:
    """Sleep for ``wait``, or until ``woken`` holds; tell whether it does."""
    if wait <= timedelta(0):
        return woken()
    try:
        await workflow.wait_condition(woken, timeout=wait)
    except TimeoutError:
        return False
    return True


def must_continue(policy: ResponsePolicy) -> bool:
    """Tell whether the history has become so long that the run should go on in a fresh one."""
    info = workflow.info()
    if policy.most_history and info.get_current_history_length() >= policy.most_history:
        return True
    return info.is_continue_as_new_suggested()
