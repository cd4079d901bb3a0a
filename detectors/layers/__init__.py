"""The layers: further ways of finding a session or an hour odd, one file each, all off by default.

A layer never alarms by its own score. It answers one question of each session (or of each hour of a
series): is this beyond the share of its own past scores that it learned? The answer is one more
trial for the sequential test. Adding a layer is adding a file here; ``docs/layers.md`` says of each
what it adds, measured.
"""
