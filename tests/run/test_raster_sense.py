"""What rasters ask for is refused where it makes no sense, with its place."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.run.sense import sense

NAMES = st.lists(st.sampled_from(["cam-1", "cam-2", "cam-9"]), min_size=1, max_size=5)


@settings(max_examples=20)
@given(NAMES)
def test_each_device_of_a_raster_exists_and_is_named_once(small, names):
    record = small.record.model_copy(update={"raster": None})
    assert not sense(small.model_copy(update={"record": record}))
    raster = type("Raster", (), {"devices": tuple(names), "at": 0})
    found = sense(small.model_copy(update={"record": record.model_copy(update={"raster": raster})}))
    places = [path[-1] for path, _, text in found if path[:3] == ("record", "raster", "devices")]
    unknown = [i for i, name in enumerate(names) if name == "cam-9"]
    again = [i for i, name in enumerate(names) if name in names[:i]]
    assert sorted(places) == sorted(unknown + again)
