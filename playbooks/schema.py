"""The JSON Schema of a playbook file, for editors: it knows every action and its parameters."""

from collections.abc import Mapping
from typing import Any

from playbooks.model import Playbook
from playbooks.registry import AnyAction

TEMPLATE = {"type": "string", "pattern": r"\{\{", "description": "a {{ template }}"}


def playbook_schema(actions: Mapping[str, AnyAction]) -> dict[str, Any]:
    """Return the schema; a parameter takes its own type, or a template that comes to it."""
    schema = Playbook.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$defs"]["ActionSpec"] = {
        "description": "One action with its parameters.",
        "type": "object",
        "required": ["action"],
        "properties": {"action": {"enum": sorted(actions)}, "params": {"type": "object"}},
        "additionalProperties": False,
        "allOf": [_case(name, actions[name]) for name in sorted(actions)],
    }
    return schema


def _case(name: str, action: AnyAction) -> dict[str, Any]:
    params = action.Params.model_json_schema()
    properties = {
        field: {"anyOf": [_plain(part), TEMPLATE], "default": part.get("default")}
        for field, part in params["properties"].items()
    }
    for field in params.get("required", []):
        del properties[field]["default"]
    required = params.get("required", [])
    then: dict[str, Any] = {
        "properties": {
            "params": {
                "description": action.title,
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        }
    }
    if required:
        then["required"] = ["params"]
    chosen = {"properties": {"action": {"const": name}}, "required": ["action"]}
    return {"if": chosen, "then": then}


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "default"}
