"""The simulated shop and the stand-ins it needs, on free local ports."""
