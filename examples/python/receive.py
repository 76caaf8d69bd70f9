"""Receives letters as they come, and says of each that it has it; see examples/README.md."""
import pathlib, queue, sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "proto"))
pb, services = grpc.protos_and_services("lgsp/exchange/v1/exchange.proto")

node, ca, cert, key, count = sys.argv[1:]
files = [pathlib.Path(file).read_bytes() for file in [ca, key, cert]]
channel = grpc.secure_channel(node.removeprefix("https://"), grpc.ssl_channel_credentials(*files))

words = queue.Queue()
words.put(pb.ReceiveRequest(begin={}))
words.put(pb.ReceiveRequest(credit=1))
left = int(count)
for answer in services.ExchangeStub(channel).Receive(iter(words.get, None)):
    if answer.WhichOneof("response") == "delivery":
        delivery = answer.delivery.summary.delivery_id
        # Store it durably under this id before the word goes out: what was not acknowledged comes again.
        print(delivery, answer.delivery.content.payload.decode(), flush=True)
        words.put(pb.ReceiveRequest(acknowledge={"delivery_id": delivery, "delivered": {}}))
    else:
        left -= 1
        words.put(pb.ReceiveRequest(credit=1) if left else None)
