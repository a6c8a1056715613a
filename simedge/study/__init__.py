"""Many runs: factors, paired seeds, statistics (rooms to come)."""

__all__: list[str] = []
