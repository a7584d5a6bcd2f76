"""Lets the helpers' assertions tell what they compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.faults.checking", "tests.faults.model")
