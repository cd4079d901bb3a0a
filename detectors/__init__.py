"""From events to incidents: sessioniser, learners, likelihood, cohorts, grouping, layers."""
