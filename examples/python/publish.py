"""Sends a letter. Whoever holds the receipt holds the promise; see examples/README.md."""
import pathlib, sys, time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "proto"))
pb, services = grpc.protos_and_services("lgsp/exchange/v1/exchange.proto")

node, ca, cert, key, sender, addressee, name = sys.argv[1:]
files = [pathlib.Path(file).read_bytes() for file in [ca, key, cert]]
channel = grpc.secure_channel(node.removeprefix("https://"), grpc.ssl_channel_credentials(*files))

letter = pb.Message(contract="vn.lgsp.document/1", to=[addressee], idempotency_key=name)
setattr(letter, "from", sender)  # `from` is a word of Python
letter.payload = (pathlib.Path(__file__).parents[1] / "letter.json").read_bytes()

again = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED]
for _ in range(60):
    try:
        print(services.ExchangeStub(channel).Publish(pb.PublishRequest(message=letter), timeout=20).receipt.note)
        sys.exit()
    except grpc.RpcError as error:
        # The same key again is the same message: nothing happens twice. All other codes are final.
        if error.code() not in again:
            sys.exit(f"{error.code().name}: {error.details()}")
        time.sleep(1)
sys.exit("the node cannot accept now; the letter is still ours")
