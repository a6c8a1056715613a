"""Many runs: factors and paired seeds, engines, the study directory, statistics, reports."""

__all__: list[str] = []
