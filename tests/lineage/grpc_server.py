# SPDX-License-Identifier: Apache-2.0
"""ML Metadata's gRPC service over its own library, which no package brings as a program."""

from __future__ import annotations

from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as library
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2_grpc


class Service:
    """Every method of the service, by the library's method of that name."""

    def __init__(self, path: Path) -> None:
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        options = metadata_store_pb2.MigrationOptions()
        self._store = library.CreateMetadataStore(
            config.SerializeToString(), options.SerializeToString()
        )

    def __getattr__(self, method: str) -> Any:
        call = getattr(library, method, None)

        def answer(request: Any, context: grpc.ServicerContext) -> bytes:
            response, message, code = call(self._store, request.SerializeToString())
            if code:
                status = next(s for s in grpc.StatusCode if s.value[0] == code)
                context.abort(status, message.decode())
            return bytes(response)

        return answer


def serve(path: Path, tls: Path | None, with_client: bool = False) -> tuple[grpc.Server, int]:
    """A server on a port of its own, over TLS with the key and the certificate in a folder."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    plain = grpc.unary_unary_rpc_method_handler

    def as_bytes(answer: Any, **kwargs: Any) -> Any:
        return plain(answer, **{**kwargs, "response_serializer": bytes})

    metadata_store_service_pb2_grpc.grpc.unary_unary_rpc_method_handler = as_bytes
    try:
        metadata_store_service_pb2_grpc.add_MetadataStoreServiceServicer_to_server(
            Service(path), server
        )
    finally:
        metadata_store_service_pb2_grpc.grpc.unary_unary_rpc_method_handler = plain
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = ((tls / "key.pem").read_bytes(), (tls / "cert.pem").read_bytes())
        authority = (tls / "ca.pem").read_bytes() if with_client else None
        credentials = grpc.ssl_server_credentials([pair], authority, with_client)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, port
