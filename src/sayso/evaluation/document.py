"""Results as strictly valid JSON: data classes and arrays in, plain values out."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

_DIGITS = 6


def plain(value: Any) -> Any:
    """Return what ``json.dumps`` takes: numbers to six digits, and null for what is no number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
