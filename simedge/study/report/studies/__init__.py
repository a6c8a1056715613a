"""The report of a study: its arms side by side, paired by seed, a table a family of learners."""

__all__: list[str] = []
