"""``python -m recoup.demo.world``."""

from recoup.demo.world.command import app

if __name__ == "__main__":
    app()
