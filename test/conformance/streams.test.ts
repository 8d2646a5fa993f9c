import t from 'tap';
import { startLibrary } from './library.js';
import { replay } from './replay.js';
import { readScenario, scenarioFiles } from './scenario.js';

/** These are said byte by byte, too: each is a write of its own. Every kind of what a server says is among them. */
const BYTE_BY_BYTE = {
  'prosody-13': [
    'online login-direct-tls login-sha-1 login-wrong-password fast bind2-resumed resumed resume-refused client-state-resumed',
    'message messages reactions-received reply-received roster-changes presence-of-contacts',
    'in-a-room room-history room-created-reserved room-kicked room-moderated',
    'archive-forward archive-of-a-room upload-slot avatar vcard bookmarks command-in-stages',
  ],
  'ejabberd-24.12': [
    'online login-sasl2 fast resumed message messages in-a-room room-history archive-last-page upload-slot',
  ],
  hostile: [
    'login-wrong-signature error-and-more xml-attribute-twice xml-comment xml-document-type xml-entity xml-mismatched-tags',
    'xml-overlong-utf-8 xml-surrogate xml-control-character xml-undeclared-prefix xml-text-between-stanzas',
  ],
};

t.jobs = 8;
t.setTimeout(230_000);
for (const file of scenarioFiles()) {
  const scenario = readScenario(file);
  t.test(`${file}: ${scenario.title}`, async (test) => {
    await replay(scenario, startLibrary);
    test.pass('every step holds');
  });
}
const inPieces = Object.entries(BYTE_BY_BYTE).flatMap(([folder, lines]) =>
  lines.flatMap((line) => line.split(' ')).map((name) => `${folder}/${name}.txt`),
);
for (const file of inPieces) {
  t.test(`${file}, byte by byte`, async (test) => {
    await replay(readScenario(file), startLibrary, { byteByByte: true });
    test.pass('every step holds');
  });
}
