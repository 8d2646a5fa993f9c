"""A person with an XMPP client: slixmpp, driven by JSON lines.

Standard input carries commands, one object a line: {"id": 1, "do": "send", …}. Each is answered on standard output by
{"id": 1, "result": …} or {"id": 1, "error": "…"}. What happens to the client is told in between: {"event": "message", …}.
The end of standard input logs out. The one argument is the PEM file of the only certificate authority that is trusted.
"""

import asyncio
import base64
import json
import logging
import ssl
import sys
import traceback
from xml.etree import ElementTree

import aiohttp
import slixmpp
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

PLUGINS = (
    "xep_0030",
    "xep_0050",
    "xep_0184",
    "xep_0199",
    "xep_0308",
    "xep_0333",
    "xep_0363",
    "xep_0424",
    "xep_0444",
    "xep_0461",
)

CLIENT = "{jabber:client}"
MUC = "{http://jabber.org/protocol/muc}"
MUC_USER = "{http://jabber.org/protocol/muc#user}"
MUC_ADMIN = "{http://jabber.org/protocol/muc#admin}"
MUC_OWNER = "{http://jabber.org/protocol/muc#owner}"
MUC_CONFIGURATION = "http://jabber.org/protocol/muc#roomconfig"
DIRECT_INVITATION = "{jabber:x:conference}"
COMMANDS = "http://jabber.org/protocol/commands"
FORM = "{jabber:x:data}"
CHAT_STATES = "{http://jabber.org/protocol/chatstates}"
CORRECTION = "{urn:xmpp:message-correct:0}replace"
REPLY = "{urn:xmpp:reply:0}reply"
REACTIONS = "{urn:xmpp:reactions:0}"
RECEIPTS = "{urn:xmpp:receipts}"
MARKERS = "{urn:xmpp:chat-markers:0}"
STABLE_IDS = "{urn:xmpp:sid:0}"
OCCUPANT = "{urn:xmpp:occupant-id:0}occupant-id"
DELAY = "{urn:xmpp:delay}delay"
UPLOAD = "{urn:xmpp:http:upload:0}"
OOB = "{jabber:x:oob}"
VCARD = "{vcard-temp}"
OOB_URL = f"{OOB}x/{OOB}url"


def tell(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def attribute(element, path, name):
    found = element.find(path)
    return None if found is None else found.get(name)


def local_name(element):
    return None if element is None else element.tag.rpartition("}")[2]


def read_message(xml):
    """Everything the scenarios ask of a message, read from the XML itself, so that no plugin of slixmpp shades it."""
    reactions = xml.find(REACTIONS + "reactions")
    return {
        "event": "message",
        "from": xml.get("from"),
        "to": xml.get("to"),
        "type": xml.get("type", "normal"),
        "id": xml.get("id"),
        "body": xml.findtext(CLIENT + "body"),
        "subject": xml.findtext(CLIENT + "subject"),
        "chatState": local_name(xml.find(CHAT_STATES + "*")),
        "replaces": attribute(xml, CORRECTION, "id"),
        "replyTo": attribute(xml, REPLY, "id"),
        "oobUrl": xml.findtext(OOB_URL),
        "reactsTo": None if reactions is None else reactions.get("id"),
        "reactions": None if reactions is None else [emoji.text for emoji in reactions],
        "receiptFor": attribute(xml, RECEIPTS + "received", "id"),
        "displayed": attribute(xml, MARKERS + "displayed", "id"),
        "stanzaIds": [
            {"by": stanza_id.get("by"), "id": stanza_id.get("id")} for stanza_id in xml.findall(STABLE_IDS + "stanza-id")
        ],
        "occupantId": attribute(xml, OCCUPANT, "id"),
        "delayed": xml.find(DELAY) is not None,
        "xml": ElementTree.tostring(xml, encoding="unicode"),
    }


def read_presence(xml):
    return {
        "event": "presence",
        "from": xml.get("from"),
        "type": xml.get("type", "available"),
        "statuses": [status.get("code") for status in xml.findall(MUC_USER + "x/" + MUC_USER + "status")],
        "xml": ElementTree.tostring(xml, encoding="unicode"),
    }


class Human:
    def __init__(self, ca_file):
        self.ca_file = ca_file
        self.client = None
        self.waiting_for_rooms = {}

    async def connect(self, jid, password, host, port, direct_tls):
        trust = ssl.create_default_context(cafile=self.ca_file)
        # Left to itself slixmpp binds to tls-unique, which TLS 1.3 does not have, and is refused by ejabberd three times.
        client = slixmpp.ClientXMPP(jid, password, ssl_context=trust, sasl_mech="SCRAM-SHA-256")
        # Left to itself slixmpp grants every request to see its presence, and asks for the same.
        client.auto_authorize = None
        client.auto_subscribe = False
        client.ca_certs = self.ca_file
        client.enable_direct_tls = direct_tls
        client.enable_starttls = not direct_tls
        client.enable_plaintext = False
        for plugin in PLUGINS:
            client.register_plugin(plugin)
        # Left to itself slixmpp announces a bot.
        client["xep_0030"].add_identity(category="client", itype="console")

        started = asyncio.get_running_loop().create_future()

        def refused(reason):
            if not started.done():
                started.set_exception(ConnectionError(str(reason)))

        def ready(_):
            if not started.done():
                started.set_result(None)

        client.add_event_handler("session_start", ready)
        client.add_event_handler("failed_auth", lambda _: refused("not authorized"))
        client.add_event_handler("connection_failed", refused)
        client.add_event_handler("ssl_invalid_chain", refused)
        client.add_event_handler("disconnected", lambda reason: (refused(reason), tell({"event": "disconnected"})))
        client.register_handler(
            Callback("every message", MatchXPath(CLIENT + "message"), lambda stanza: tell(read_message(stanza.xml)))
        )
        client.register_handler(
            Callback("every presence", MatchXPath(CLIENT + "presence"), lambda stanza: self.presence_came(stanza.xml))
        )
        client.connect(host, port)
        try:
            await started
        except ConnectionError:
            client.cancel_connection_attempt()
            raise
        # Who has not asked for the roster is not told of answers to requests (RFC 6121 §3.1.6).
        await client.get_roster()
        client.send_presence()
        self.client = client
        return {"jid": client.boundjid.full}

    def presence_came(self, xml):
        presence = read_presence(xml)
        tell(presence)
        waiting = self.waiting_for_rooms.get(presence["from"])
        if waiting is None or waiting.done():
            return
        # A status 110 says that the presence is one's own: the room is joined (XEP-0045 §7.2.2).
        if "110" in presence["statuses"]:
            waiting.set_result(presence["statuses"])
        elif presence["type"] == "error":
            waiting.set_exception(ConnectionError(presence["xml"]))

    async def join(self, room, nick, password, configuration):
        occupant = f"{room}/{nick}"
        self.waiting_for_rooms[occupant] = asyncio.get_running_loop().create_future()
        presence = self.client.make_presence(pto=occupant)
        entrance = ElementTree.SubElement(presence.xml, MUC + "x")
        if password is not None:
            ElementTree.SubElement(entrance, MUC + "password").text = password
        presence.send()
        statuses = await self.waiting_for_rooms[occupant]
        if "201" in statuses:
            # The room is new and locked until its owner says how it shall be (XEP-0045 §10.1); what is not said stays as it is.
            accept = self.client.make_iq_set(ito=room)
            query = ElementTree.SubElement(accept.xml, MUC_OWNER + "query")
            form = ElementTree.SubElement(query, FORM + "x", type="submit")
            for name, value in {"FORM_TYPE": MUC_CONFIGURATION, **configuration}.items():
                field = ElementTree.SubElement(form, FORM + "field", var=name)
                ElementTree.SubElement(field, FORM + "value").text = value
            await accept.send()

    async def invite(self, to, room, password):
        """XEP-0249: tells it to somebody oneself."""
        message = self.client.make_message(mto=to)
        invitation = ElementTree.SubElement(message.xml, DIRECT_INVITATION + "x", jid=room)
        if password is not None:
            invitation.set("password", password)
        message.send()

    async def have_invited(self, to, room):
        """XEP-0045 §7.8.2: has the room tell it."""
        message = self.client.make_message(mto=room, mtype="normal")
        ElementTree.SubElement(ElementTree.SubElement(message.xml, MUC_USER + "x"), MUC_USER + "invite", to=to)
        message.send()

    async def ban(self, room, jid):
        ban = self.client.make_iq_set(ito=room)
        query = ElementTree.SubElement(ban.xml, MUC_ADMIN + "query")
        ElementTree.SubElement(query, MUC_ADMIN + "item", affiliation="outcast", jid=jid)
        await ban.send()

    async def send(self, to, body, type):
        message = self.client.make_message(mto=to, mbody=body, mtype=type)
        message["id"] = self.client.new_id()
        message.send()
        return {"id": message["id"]}

    async def share(self, to, url):
        """A link to a file, as clients send it (XEP-0066): the body is the link too, for those that know no better."""
        message = self.client.make_message(mto=to, mbody=url, mtype="chat")
        message["id"] = self.client.new_id()
        ElementTree.SubElement(ElementTree.SubElement(message.xml, OOB + "x"), OOB + "url").text = url
        message.send()

    async def ask(self, to, body):
        """Wants to hear when it arrives (XEP-0184) and when it is displayed (XEP-0333)."""
        message = self.client.make_message(mto=to, mbody=body, mtype="chat")
        message["id"] = self.client.new_id()
        message["request_receipt"] = True
        message.enable("markable")
        message.send()
        return {"id": message["id"]}

    async def mark(self, to, message_id):
        self.client["xep_0333"].send_marker(slixmpp.JID(to), message_id, "displayed")

    async def correct(self, to, message_id, body):
        self.client["xep_0308"].build_correction(message_id, slixmpp.JID(to), mtype="chat", mbody=body).send()

    async def retract(self, to, message_id):
        self.client["xep_0424"].send_retraction(slixmpp.JID(to), message_id)

    async def react(self, to, message_id, emoji):
        self.client["xep_0444"].send_reactions(slixmpp.JID(to), message_id, emoji)

    async def reply(self, to, author, message_id, quoted, body):
        self.client["xep_0461"].send_reply(author, message_id, quoted, author, mto=to, mbody=body, mtype="chat")

    async def presence(self, to, type):
        self.client.send_presence(pto=to, ptype=type)

    async def info(self, of):
        info = (await self.client["xep_0030"].get_info(jid=of))["disco_info"]
        identities = [f"{category}/{kind}" for category, kind, *_ in info["identities"]]
        return {"identities": sorted(identities), "features": sorted(info["features"])}

    async def picture_type(self, of):
        request = self.client.make_iq_get(ito=of)
        ElementTree.SubElement(request.xml, VCARD + "vCard")
        try:
            answer = await request.send()
        except slixmpp.exceptions.IqError:
            return {"type": None}
        return {"type": answer.xml.findtext(f"{VCARD}vCard/{VCARD}PHOTO/{VCARD}TYPE")}

    async def commands(self, of):
        items = await self.client["xep_0030"].get_items(jid=of, node=COMMANDS)
        return {"nodes": sorted(node for _, node, _ in items["disco_items"]["items"])}

    async def carry_out_command(self, of, node):
        """A command of one stage (XEP-0050): all that its result says, whether as a note or in a form."""
        result = (await self.client["xep_0050"].send_command(of, node)).xml.find(f"{{{COMMANDS}}}command")
        texts = [*result.iter(f"{{{COMMANDS}}}note"), *result.iter(FORM + "value")]
        return {"status": result.get("status"), "text": "\n".join(text.text or "" for text in texts)}

    async def ping(self, jid):
        await self.client["xep_0199"].send_ping(jid)

    async def upload(self, name, base64_data, media_type):
        """XEP-0363, with HTTPS against the private authority: slixmpp's own upload knows the system's ones only."""
        uploads = self.client["xep_0363"]
        data = base64.b64decode(base64_data)
        service = await uploads.find_upload_service()
        slot = (await uploads.request_slot(service["from"], name, len(data), media_type)).xml.find(UPLOAD + "slot")
        put = slot.find(UPLOAD + "put")
        headers = {header.get("name"): header.text for header in put.findall(UPLOAD + "header")}
        async with self.https() as https:
            async with https.put(put.get("url"), data=data, headers={**headers, "Content-Type": media_type}) as answer:
                answer.raise_for_status()
        return {"url": slot.find(UPLOAD + "get").get("url")}

    async def fetch(self, url):
        async with self.https() as https:
            async with https.get(url) as answer:
                answer.raise_for_status()
                data = await answer.read()
                return {"base64": base64.b64encode(data).decode(), "mediaType": answer.headers.get("Content-Type")}

    def https(self):
        trust = ssl.create_default_context(cafile=self.ca_file)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))

    async def leave(self):
        if self.client is not None and self.client.transport is not None:
            await self.client.disconnect(wait=2.0)


async def carry_out(human, command):
    do = {
        "connect": human.connect,
        "join": human.join,
        "invite": human.invite,
        "have_invited": human.have_invited,
        "ban": human.ban,
        "share": human.share,
        "send": human.send,
        "ask": human.ask,
        "mark": human.mark,
        "correct": human.correct,
        "retract": human.retract,
        "react": human.react,
        "reply": human.reply,
        "presence": human.presence,
        "info": human.info,
        "picture_type": human.picture_type,
        "commands": human.commands,
        "carry_out_command": human.carry_out_command,
        "ping": human.ping,
        "upload": human.upload,
        "fetch": human.fetch,
    }
    try:
        arguments = {key: value for key, value in command.items() if key not in ("id", "do")}
        tell({"id": command["id"], "result": await do[command["do"]](**arguments)})
    except Exception as failure:  # Whatever went wrong is the answer to this command, and the test's to judge.
        traceback.print_exc()
        tell({"id": command["id"], "error": f"{type(failure).__name__}: {failure}"})


async def main():
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    human = Human(sys.argv[1])
    commands = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    # A task that nobody refers to may be collected before it ends.
    running = set()
    while line := await commands.readline():
        task = asyncio.create_task(carry_out(human, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    await human.leave()


asyncio.run(main())
