"""Takes what Recoup's own JavaScript tracker sends."""
