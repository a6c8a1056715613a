"""What is said of a scenario whose learner makes no sense."""

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario

__all__ = ["said"]


def said(learner):
    text = (
        "simedge: 1\nname: small\nduration: 1 s\nsensors: {kind: temporal}\n"
        "devices: [{id: cam}]\nprotocol: {kind: isolated}\n"
        f"learner: {{kind: spiking, {learner}}}\n"
    )
    try:
        Scenario.parse(text)
    except ScenarioError as error:
        return str(error)
    return ""
