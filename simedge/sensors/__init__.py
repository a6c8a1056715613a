"""What is seen: frames and pixel events, splits over devices, shifts."""

__all__: list[str] = []
