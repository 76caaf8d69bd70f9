"""Sends a letter and receives it, with no .proto file at all: the node itself says what can be asked, and how.

    python3 reflection.py NODE CA SENDER.pem SENDER.key RECEIVER.pem RECEIVER.key FROM TO NAME
"""
import json, pathlib, queue, sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

node, ca, *papers, sender, addressee, name = sys.argv[1:]


class Caller:
    """One system, known by its certificate."""

    def __init__(self, cert, key):
        files = [pathlib.Path(file).read_bytes() for file in [ca, key, cert]]
        self.channel = grpc.secure_channel(node.removeprefix("https://"), grpc.ssl_channel_credentials(*files))
        self.described = ProtoReflectionDescriptorDatabase(self.channel)
        self.exchange = DescriptorPool(self.described).FindServiceByName("lgsp.exchange.v1.Exchange")

    def kind(self, method):
        return GetMessageClass(self.exchange.methods_by_name[method].input_type)

    def call(self, method, request):
        asked = self.exchange.methods_by_name[method]
        streams = (asked.client_streaming, asked.server_streaming)
        ways = {(False, False): self.channel.unary_unary, (True, True): self.channel.stream_stream}
        answer = GetMessageClass(asked.output_type).FromString
        path = f"/{self.exchange.full_name}/{method}"
        request_bytes = self.kind(method).SerializeToString
        return ways[streams](path, request_serializer=request_bytes, response_deserializer=answer)(request, timeout=30)


who, other = Caller(*papers[:2]), Caller(*papers[2:])
letter = {"contract": "vn.lgsp.document/1", "from": sender, "to": [addressee], "idempotency_key": name}
letter["payload"] = (pathlib.Path(__file__).parents[1] / "letter.json").read_bytes()
receipt = who.call("Publish", who.kind("Publish")(message=letter)).receipt

words, word = queue.Queue(), other.kind("Receive")
words.put(word(begin={}))
words.put(word(credit=1))
for answer in other.call("Receive", iter(words.get, None)):
    if answer.WhichOneof("response") == "delivery":
        handed = answer.delivery
        words.put(word(acknowledge={"delivery_id": handed.summary.delivery_id, "delivered": {}}))
    else:
        words.put(None)
stands = who.call("GetMessage", who.kind("GetMessage")(message_id=receipt.message_id))
state = stands.deliveries[0].DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
print(json.dumps({
    "services": sorted(who.described.get_services()),
    "message": receipt.message_id,
    "handed": handed.content.message_id,
    "subject": json.loads(handed.content.payload)["subject"],
    "states": [state[delivery.state].name for delivery in stands.deliveries],
}))
