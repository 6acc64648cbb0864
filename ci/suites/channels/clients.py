"""Clients for Python that others wrote: clients.py LAB. Rows of client, case, verdict, reason."""

import asyncio
import logging
import re
import subprocess
import sys
import threading
import time

logging.disable(logging.CRITICAL)
LIMIT = 10


class Server:
    """`lab channels` as a process that can be killed and started again on the same port."""

    def __init__(self, lab):
        self.lab, self.port = lab, 0

    def start(self):
        command = [self.lab, "channels", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(re.search(r":(\d+)/socket", self.process.stdout.readline()).group(1))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def url(self):
        return f"ws://127.0.0.1:{self.port}/socket"


def row(client, case, verdict, reason=""):
    print("\t".join([client, case, verdict, " ".join(reason.split())]), flush=True)


def same(found, expected):
    assert found == expected, f"{found!r} and not {expected!r}"


def until(what, is_so, limit=LIMIT):
    end = time.monotonic() + limit
    while not is_so():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.02)


async def soon(what, is_so, limit=LIMIT):
    end = time.monotonic() + limit
    while not is_so():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        await asyncio.sleep(0.02)


def case(client, name, body, limit=40):
    """Runs it in a thread, since what waits in these clients has no limit of its own."""
    result = {}

    def run():
        try:
            body()
            result["verdict"] = ("ok", "")
        except BaseException as error:
            result["verdict"] = ("FAILED", f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    row(client, name, *result.get("verdict", ("FAILED", f"not within {limit} s")))


async def acase(client, name, body, limit=40):
    try:
        await asyncio.wait_for(body(), limit)
        row(client, name, "ok")
    except Exception as error:
        row(client, name, "FAILED", f"{type(error).__name__}: {error}")


def phxsocket(server):
    from phxsocket import Client

    name, heard = "phxsocket 0.1.5", []
    state = {}

    def connected():
        client = Client(server.url() + "/websocket", {"user": "py"})
        assert client.connect()
        return client

    def join():
        state["one"], state["other"] = connected(), connected()
        state["channel"] = state["one"].channel("room:phx")
        listener = state["other"].channel("room:phx")
        listener.on("pong", lambda payload: heard.append(payload["n"]))
        same(state["channel"].join(), {})
        listener.join()

    def push():
        same(state["channel"].push("ping", {"n": 1}, reply=True).wait_for_response(), {"status": "ok", "response": {"n": 1}})

    def leave():
        state["one"].push("room:phx", "phx_leave", {}, reply=True).wait_for_response()
        answer = state["channel"].push("ping", {}, reply=True).wait_for_response()
        same(answer, {"status": "error", "response": {"reason": "unmatched topic"}})

    def restart():
        closed = threading.Event()
        state["one"].on_close = lambda _: closed.set()
        server.kill()
        assert closed.wait(LIMIT), "it does not notice"
        server.start()
        state["one"].channels.clear()
        state["one"].connect()
        same(state["one"].channel("room:phx").join(), {})
        push_again = state["one"].channel("room:phx").push("ping", {"n": 2}, reply=True)
        same(push_again.wait_for_response()["status"], "ok")

    case(name, "join", join)
    case(name, "push and reply", push)
    case(name, "broadcast", lambda: until("the other hears it", lambda: 1 in heard))
    case(name, "leave", leave)
    case(name, "the server is killed and comes back: join anew", restart)


async def channels_client(server, version):
    from phoenix_channels_python_client import PHXChannelsClient, PhoenixChannelsProtocolVersion
    from phoenix_channels_python_client.utils import make_message

    name, heard, topic = f"phoenix-channels-python-client 0.4.1, vsn {version}", [], "room:py"
    protocol = {1: PhoenixChannelsProtocolVersion.V1, 2: PhoenixChannelsProtocolVersion.V2}[version]

    replies = []

    async def pong(payload):
        heard.append(payload["n"])

    async def message(message):
        if message.event == "phx_reply" or str(message.event).endswith("reply"):
            replies.append(message.payload)

    def client():
        return PHXChannelsClient(server.url() + "/websocket", "key", protocol_version=protocol, heartbeat_interval_s=1.0)

    # It has no public way to push: this is what it joins with.
    async def push(one, payload):
        message = make_message(topic=topic, event="ping", payload=payload, ref="push", join_ref=None)
        await one._send(one.connection, message)

    async with client() as one, client() as other:

        async def join():
            await one.subscribe_to_topic(topic, message)
            await other.subscribe_to_topic(topic)
            other.add_event_handler(topic, "pong", pong)

        async def push_and_reply():
            await push(one, {"n": 1})
            await soon("a reply", lambda: {"status": "ok", "response": {"n": 1}} in replies)

        async def restart():
            server.kill()
            await soon("both notice", lambda: not one.is_topic_joined(topic) and not other.is_topic_joined(topic))
            server.start()
            joined = lambda: one.is_topic_joined(topic) and other.is_topic_joined(topic)
            await soon("both are joined again", joined, 30)
            await push(one, {"n": 2})
            await soon("a reply", lambda: {"status": "ok", "response": {"n": 2}} in replies)
            if version == 1:
                await soon("the other hears it", lambda: 2 in heard)

        async def leave():
            await one.unsubscribe_from_topic(topic)
            assert not one.is_topic_joined(topic)

        await acase(name, "join", join)
        await acase(name, "push and reply", push_and_reply)
        if version == 1:
            await acase(name, "broadcast", lambda: soon("the other hears it", lambda: 1 in heard))
        else:
            row(name, "broadcast", "skipped", "it drops each message without its join_ref, as all broadcasts of Phoenix are")
        await acase(name, "the server is killed and comes back: rejoin", restart)
        await acase(name, "leave", leave)


async def realtime(server):
    from realtime import AsyncRealtimeClient, RealtimeSubscribeStates

    name, heard, states = "realtime 2.34.0", [], {}
    one = AsyncRealtimeClient(server.url(), initial_backoff=0.2, max_retries=20, hb_interval=1)
    other = AsyncRealtimeClient(server.url(), initial_backoff=0.2, max_retries=20, hb_interval=1)
    channel, listener = one.channel("lobby"), other.channel("lobby")
    listener.on_broadcast("said", lambda payload: heard.append(payload["payload"]["n"]))

    async def join():
        await channel.subscribe(lambda state, _: states.update(one=state))
        await listener.subscribe(lambda state, _: states.update(other=state))
        same(states, {"one": RealtimeSubscribeStates.SUBSCRIBED, "other": RealtimeSubscribeStates.SUBSCRIBED})

    async def push():
        from realtime.types import RealtimeAcknowledgementStatus

        answered = asyncio.Event()
        (await channel.push("ping", {"postgres_changes": []})).receive(RealtimeAcknowledgementStatus.Ok, lambda _: answered.set())
        await asyncio.wait_for(answered.wait(), LIMIT)

    async def broadcast():
        await channel.send_broadcast("said", {"n": 1})
        await soon("the other hears it", lambda: 1 in heard)

    async def restart():
        server.kill()
        await soon("both notice", lambda: not channel.is_joined and not listener.is_joined)
        server.start()
        await soon("both are joined again", lambda: channel.is_joined and listener.is_joined, 30)
        await channel.send_broadcast("said", {"n": 2})
        await soon("the other hears it", lambda: 2 in heard)

    async def leave():
        await channel.unsubscribe()
        await soon("it is closed", lambda: channel.is_closed)

    await acase(name, "join", join)
    await acase(name, "push and reply", push)
    await acase(name, "broadcast", broadcast)
    await acase(name, "the server is killed and comes back: rejoin", restart)
    await acase(name, "leave", leave)
    for client in (one, other):
        await client.close()


def main():
    server = Server(sys.argv[1])
    server.start()
    try:
        phxsocket(server)
        for body in (lambda: channels_client(server, 2), lambda: channels_client(server, 1), lambda: realtime(server)):
            asyncio.run(asyncio.wait_for(body(), 150))
    finally:
        server.kill()


main()
