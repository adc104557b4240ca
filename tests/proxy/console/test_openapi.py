import json

from needs import ROOT
from proxy.console import api, openapi


def test_the_document_in_docs_is_the_one_that_is_served() -> None:
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == json.loads(json.dumps(openapi.document()))


def test_every_operation_has_a_handler_and_no_other() -> None:
    assert [operation.name for operation in openapi.OPERATIONS] == list(api.HANDLERS)


def test_every_reference_leads_somewhere() -> None:
    document = openapi.document()
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names == set(document["components"]["schemas"])


def test_what_the_flow_log_can_be_asked_is_described() -> None:
    parameters = openapi.document()["paths"]["/api/v1/flows"]["get"]["parameters"]
    assert {"action", "label", "host", "client", "text", "since", "before", "limit"} <= {p["name"] for p in parameters}
