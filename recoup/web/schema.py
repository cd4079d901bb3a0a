"""The OpenAPI document, with the raw ingest route described beside the others."""

from typing import Any

from fastapi import FastAPI

from recoup.domain.storefront import StorefrontEvent

_EVENTS: dict[str, Any] = {
    "summary": "Take in storefront events",
    "description": "NDJSON, a JSON array or one object; gzip and zstd. Durable when answered.",
    "operationId": "ingest_events",
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/StorefrontEvent"}},
        },
    },
    "responses": {
        "202": {"description": "What became of the batch, line by line where refused"},
        "401": {"description": "No valid API key"},
        "413": {"description": "Body too large"},
        "415": {"description": "Unknown content encoding"},
        "422": {"description": "No line could be accepted"},
        "503": {"description": "The store cannot be written now; nothing was acknowledged"},
    },
}


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of a storefront event."""
    return StorefrontEvent.model_json_schema()


def describe_ingest(web: FastAPI) -> None:
    """Add the raw route to the application's OpenAPI document."""
    plain = web.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document["paths"].setdefault("/v1/events", {})["post"] = _EVENTS
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["StorefrontEvent"] = event_schema()
        return document

    web.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it.
