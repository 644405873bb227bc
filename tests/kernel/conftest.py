"""Fixtures: both kernels."""

from __future__ import annotations

from types import ModuleType

import pytest

from proxy.kernel import reference
from tests.kernel.twins import load_native


@pytest.fixture(scope="session")
def native() -> ModuleType:
    try:
        return load_native()
    except ImportError as error:
        pytest.skip(f"the native kernel is not compiled ({error}): make native")


@pytest.fixture(params=["python", "native"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    """Each kernel in turn."""
    return reference if request.param == "python" else request.getfixturevalue("native")
