"""Tags the workflow, so that incidents can be found in Temporal by phase, kind and severity."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from workflows.messages import SEARCH_ATTRIBUTES, Book, IncidentInput


def tag(request: IncidentInput, book: Book) -> None:
    """Set the search attributes to where the incident stands, if the server knows them."""
    if not request.policy.tagged:
        return
    values = (book.phase, request.kind, book.severity or request.severity)
    workflow.upsert_search_attributes(
        [
            SearchAttributeKey.for_keyword(name).value_set(str(value))
            for name, value in zip(SEARCH_ATTRIBUTES, values, strict=True)
        ]
    )
