"""An adapter in 60 lines: what is pushed to its connectors goes into a folder, and one message is published at its start.

Made from proto/lgsp/adapter/v1/adapter.proto alone, which says what each frame means; grpcio and grpcio-tools are all it
needs (requirements.txt). Run it with --help.
"""
import argparse, pathlib, queue, sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "proto"))
pb, services = grpc.protos_and_services("lgsp/adapter/v1/adapter.proto")
message = grpc.protos("lgsp/exchange/v1/exchange.proto")

flags = argparse.ArgumentParser()
for flag in ["node", "name", "ca", "certificate", "key", "system", "folder", "from", "to"]:
    flags.add_argument(f"--{flag}", required=True)
flags = vars(flags.parse_args())
folder, frames, reads = pathlib.Path(flags["folder"]), queue.Queue(), {}


def call(call_id, **what):
    frames.put(pb.AttachRequest(call=pb.ExchangeCall(call_id=call_id, system=flags["system"], **what)))


def answer(call_id, **what):
    frames.put(pb.AttachRequest(answer=pb.AdapterAnswer(call_id=call_id, **what)))


def asked(request):
    """A call of the node. A delivery keeps its id for ever, so writing it twice harms nobody."""
    if request.HasField("check"):
        missing = pb.AdapterAnswer.CheckFailed(what=f"there is no folder {folder}")
        answer(request.call_id, **({"checked": {}} if folder.is_dir() else {"check_failed": missing}))
    elif request.HasField("deliver"):
        try:
            name = folder / f"{request.deliver.delivery_id}.json"
            name.with_suffix(".part").write_bytes(request.deliver.content.payload)
            name.with_suffix(".part").replace(name)
            # Whoever takes the file goes on with the trace of its sender.
            name.with_suffix(".traceparent").write_text(request.deliver.content.traceparent)
        except OSError:
            answer(request.call_id, try_again={"reason": "FOLDER_TROUBLE", "after": {"seconds": 30}})
        else:
            evidence = pb.Evidence(kind=pb.Evidence.KIND_ANSWER, signed=str(name).encode())
            answer(request.call_id, done={"evidence": evidence})
    else:
        answer(request.call_id, refused="QUESTIONS_NOT_ANSWERED")


frames.put(pb.AttachRequest(hello=pb.Hello(program="adapter.py 1", kind="folder", systems=[flags["system"]])))
files = [pathlib.Path(flags[name]).read_bytes() for name in ["ca", "key", "certificate"]]
options = [("grpc.ssl_target_name_override", flags["name"])]
channel = grpc.secure_channel(flags["node"], grpc.ssl_channel_credentials(*files), options)
for frame in services.AdapterGatewayStub(channel).Attach(iter(frames.get, None)):
    kind = frame.WhichOneof("frame")
    if kind == "welcome":
        payload = (pathlib.Path(__file__).parents[1] / "letter.json").read_bytes()
        letter = message.Message(contract="vn.lgsp.document/1", to=[flags["to"]], idempotency_key="1", payload=payload)
        setattr(letter, "from", flags["from"])
        call(1, publish=pb.ExchangeCall.Publish(message=letter))
    elif kind == "call":
        asked(frame.call)
    elif kind == "answer":
        print(frame.answer.published.message_id or frame.answer.failure, flush=True)
    elif kind == "health":
        frames.put(pb.AttachRequest(health=pb.Health(serving=True)))
    elif kind == "drain":
        frames.put(pb.AttachRequest(drain=pb.Drain()))
