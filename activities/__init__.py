"""The steps a workflow asks for: one frozen model in, one out; they call ports and append facts."""
