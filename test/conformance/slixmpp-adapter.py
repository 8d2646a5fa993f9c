#!/usr/bin/python3
"""slixmpp as an implementation that the recorded streams are held against (docs/fixtures.md, "Another implementation").

It knows logins, presence and messages; of anything else it says that it does not know it.
"""
import asyncio
import os
import shlex
import ssl
import sys

import slixmpp


def tell(verb, **fields):
    """Writes one event; fields without a value are left out."""
    words = [verb]
    for name, value in fields.items():
        if value:
            words += [name.replace('_', '-'), quoted(str(value))]
    print(' '.join(words), flush=True)


def quoted(value):
    if value and not any(character.isspace() or character == '"' for character in value):
        return value
    escaped = value.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
    return f'"{escaped}"'


class Client(slixmpp.ClientXMPP):
    """Comes online as the settings say, and tells what it hears."""

    def __init__(self, settings):
        resource = settings.get('Resource')
        jid = settings['Account'] + (f'/{resource}' if resource else '')
        super().__init__(jid, settings['Password'])
        self.settings = settings
        self.why = {}
        self.ca_certs = settings['Authority']
        self.enable_direct_tls = settings['Way'] == 'direct TLS'
        self.enable_starttls = settings['Way'] == 'StartTLS'
        self.enable_plaintext = False
        self.add_event_handler('session_start', self.online)
        self.add_event_handler('message', self.heard)
        self.add_event_handler('failed_all_auth', lambda _: self.failed('sasl'))
        self.add_event_handler('ssl_invalid_chain', lambda _: self.failed('tls'))
        self.add_event_handler('stream_error', lambda error: self.failed('stream', error['condition']))
        self.add_event_handler('disconnected', self.gone)

    def begin(self):
        self.connect(self.settings['Host'], int(self.settings['Port']))

    def online(self, _):
        tell('online', jid=self.boundjid.full)
        self.send_presence()

    def heard(self, message):
        tell('message', **{'from': message['from'], 'type': message['type'], 'id': message['id'], 'body': message['body']})

    def failed(self, kind, condition=None):
        self.why = {'kind': kind, 'condition': condition}
        self.abort()

    def gone(self, _):
        # Why comes after it sometimes.
        self.loop.call_later(0.1, lambda: tell('offline', **self.why))


async def main():
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    settings = {}
    while header := (await lines.readline()).decode().rstrip('\n'):
        name, value = header.split(': ', 1)
        settings[name] = value
    client = Client(settings)
    while line := (await lines.readline()).decode():
        verb, *words = shlex.split(line)
        fields = dict(zip(words[::2], words[1::2]))
        if verb == 'start':
            client.begin()
        elif verb == 'stop':
            await client.disconnect()
        elif verb == 'message':
            client.send_message(mto=fields['to'], mbody=fields['body'], mtype=fields.get('type', 'chat'))
        else:
            tell('unknown', of=verb)
    # slixmpp's own tasks would keep the loop.
    os._exit(0)


asyncio.run(main())

