"""Takes the events of Google Analytics 4, sent to it or exported from it."""
