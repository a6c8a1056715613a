"""``python -m simedge_cli`` is ``simedge``."""

from simedge_cli.main import app

__all__: list[str] = []

app()
