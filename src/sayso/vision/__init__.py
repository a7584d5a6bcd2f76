"""Pixels to faces to templates. Pure: arrays in, arrays out; no files, network or consent."""
