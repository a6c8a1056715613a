"""Reports: what came of runs, as one page that needs no network, as Markdown or as JSON."""

__all__: list[str] = []
