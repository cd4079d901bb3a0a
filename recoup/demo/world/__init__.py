"""The test world: recorded periods of shops never seen before, with the truth, and their scoring.

Its habits differ from the simulated shop of the demo on purpose: what finds a leak in both has not
been fitted to either.
"""
