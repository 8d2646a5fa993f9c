"""Somebody with slixmpp, for a recording: what it sends is what slixmpp makes of it, and it answers by itself what slixmpp answers.

The arguments are a full JID, a port of 127.0.0.1 with StartTLS, and the PEM file of the only authority that is trusted. The password is the
first line of standard input; then come lines of JSON, {"verb": "message", "fields": {"to": "ann@example.org", "body": "Hello"}}. Each is
answered on standard output by one line of JSON: {} when it was done, else {"error": "…"}. So is the login.
"""

import asyncio
import json
import pathlib
import ssl
import sys
import tempfile

import slixmpp

PLUGINS = (
    "xep_0030 xep_0045 xep_0066 xep_0085 xep_0092 xep_0115 xep_0184 xep_0199 xep_0202 xep_0203 xep_0224 xep_0249 xep_0280 "
    "xep_0308 xep_0333 xep_0334 xep_0359 xep_0380 xep_0382 xep_0394 xep_0421 xep_0424 xep_0428 xep_0444 xep_0447 xep_0461"
).split()


class Person:
    def __init__(self, client):
        self.client = client
        # The ids of what was said last, here and there, for what refers to it.
        self.said = None
        self.heard = None
        client.add_event_handler("message", self.listen)
        client.add_event_handler("groupchat_message", self.listen)

    def listen(self, message):
        if message["body"]:
            self.heard = message["id"]

    def compose(self, to, body, type="chat", **marks):
        message = self.client.make_message(mto=to, mbody=body, mtype=type)
        for name in marks.get("hints", "").split():
            message.enable(name)
        if "state" in marks:
            message["chat_state"] = marks["state"]
        if "receipt" in marks:
            message["request_receipt"] = True
        if "markable" in marks:
            message.enable("markable")
        if "id" in marks:
            message["id"] = marks["id"]
        return message

    async def message(self, **fields):
        message = self.compose(**fields)
        message.send()
        self.said = message["id"]

    async def state(self, to, state):
        message = self.client.make_message(mto=to, mtype="chat")
        message["chat_state"] = state
        message.send()

    async def correct(self, to, body, type="chat"):
        self.client["xep_0308"].build_correction(self.said, slixmpp.JID(to), mtype=type, mbody=body).send()

    async def retract(self, to, type="chat"):
        self.client["xep_0424"].send_retraction(slixmpp.JID(to), self.said, type)

    async def reply(self, to, author, body, quote=None, name=None, type="chat", id=None):
        self.client["xep_0461"].send_reply(author, id or self.heard, quote, name, mto=to, mbody=body, mtype=type)

    async def react(self, to, emoji, type=None, id=None):
        reactions = self.client["xep_0444"]
        # Its own way has no type.
        if type is None:
            return reactions.send_reactions(slixmpp.JID(to), id or self.heard, emoji.split())
        message = self.client.make_message(mto=to, mtype=type)
        reactions.set_reactions(message, id or self.heard, emoji.split())
        message.send()

    async def mark(self, to, marker="displayed"):
        self.client["xep_0333"].send_marker(slixmpp.JID(to), self.heard, marker)

    async def attention(self, to, text):
        self.client["xep_0224"].request_attention(slixmpp.JID(to), mbody=text)

    async def spoiler(self, to, body, hint):
        message = self.compose(to, body)
        message["spoiler"] = hint
        message.send()

    async def link(self, to, url, text):
        message = self.compose(to, url)
        message["oob"]["url"] = url
        message["oob"]["desc"] = text
        message.send()

    async def file(self, to, url, name, type, content):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, name)
            path.write_text(content)
            message = self.compose(to, url)
            message.append(self.client["xep_0447"].get_sfs(path, [url], type, None))
            message.send()

    async def join(self, room, nick):
        # Its way that waits goes on waiting for a subject that was never set.
        self.client["xep_0045"].join_muc(slixmpp.JID(room), nick)

    async def carbons(self):
        await self.client["xep_0280"].enable()

    async def presence(self, to=None, type=None, show=None, status=None):
        self.client.send_presence(pto=to, ptype=type, pshow=show, pstatus=status)

    async def ask(self, what, of):
        """Asks and waits for the answer, be it an error."""
        questions = {
            "info": lambda: self.client["xep_0030"].get_info(jid=of),
            "items": lambda: self.client["xep_0030"].get_items(jid=of),
            "version": lambda: self.client["xep_0092"].get_version(slixmpp.JID(of)),
            "time": lambda: self.client["xep_0202"].get_entity_time(of),
            "ping": lambda: self.client["xep_0199"].send_ping(slixmpp.JID(of)),
        }
        try:
            await questions[what]()
        except slixmpp.exceptions.IqError:
            pass


async def log_in(jid, password, port, authority):
    trust = ssl.create_default_context(cafile=authority)
    # Left to itself slixmpp binds to tls-unique, which TLS 1.3 does not have.
    client = slixmpp.ClientXMPP(jid, password, ssl_context=trust, sasl_mech="SCRAM-SHA-256")
    client.ca_certs = authority
    client.auto_authorize = True
    client.auto_subscribe = True
    for plugin in PLUGINS:
        client.register_plugin(plugin)
    started = asyncio.get_running_loop().create_future()
    client.add_event_handler("session_start", lambda _: started.set_result(None))
    client.add_event_handler("failed_auth", lambda _: started.set_exception(ConnectionError("not let in")))
    client.connect("127.0.0.1", port)
    await started
    await client.get_roster()
    client.send_presence()
    return client


def answer(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main():
    jid, port, authority = sys.argv[1:]
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    password = (await lines.readline()).decode().strip()
    client = await log_in(jid, password, int(port), authority)
    answer({})
    person = Person(client)
    while line := await lines.readline():
        action = json.loads(line)
        try:
            await getattr(person, action["verb"])(**action["fields"])
            answer({})
        except Exception as failure:  # The recorder shows it to whoever wrote the plan.
            answer({"error": f"{type(failure).__name__}: {failure}"})
    await client.disconnect(wait=2.0)


asyncio.run(main())
