"""Decoding in a process of its own, which can be stopped, holds no secrets, and may break."""

from sayso.vision.decoding.processes import Decoders, decode_apart

__all__ = ["Decoders", "decode_apart"]
