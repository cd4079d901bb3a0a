"""Aggregated series: one number at a time, scored by what came before it.

For feeds that have no sessions: exported dashboards, machine metrics, hourly sums. One row in, one
score out, from past rows alone; the same engine scores a file, a folder or a stream.
"""
