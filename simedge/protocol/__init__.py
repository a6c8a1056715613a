"""What is said: sans-I/O machines, the KT/1 wire format, registers."""

__all__: list[str] = []
