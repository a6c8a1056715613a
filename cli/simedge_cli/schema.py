"""``simedge schema``: the JSON Schema of scenario files, for editors."""

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of scenario files."""
    from simedge.run.schema import schema_text

    print(schema_text(), end="")
