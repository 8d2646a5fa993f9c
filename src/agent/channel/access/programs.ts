/** Finds out whether a sender is a program: by what its client announces (XEP-0030), or, where it announces nothing, by its speed. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import type { Client } from '../../../xmpp-core/client.js';
import { XmppError } from '../../../xmpp-core/errors.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { serviceDiscovery, type Identity } from '../../../xeps/xep-0030-service-discovery.js';

/** The sender of a message. */
export interface Asker {
  /** The full JID, in a room with the nick. */
  readonly jid: Jid;
  /** Who has this JID now: a nick can pass to somebody else. See `identities`. */
  readonly author: string;
  /** Whether a person could not have typed the message since the last answer. */
  readonly isFast: boolean;
}

/** What a client is by its identities. */
type Kind = 'program' | 'person' | 'unknown';

const TIMEOUT_MS = 5_000;
/** Anybody can send messages. The oldest answers are forgotten. */
const MAX_KNOWN = 1_000;

/** The programs that write to one account. */
export class Programs {
  readonly #client: Client;
  readonly #kinds = new BoundedMap<string, Promise<Kind>>(MAX_KNOWN);

  constructor(client: Client) {
    this.#client = client;
  }

  /** Whether a sender is a program. Never rejects: without an answer of its client, its speed decides. */
  async isProgram({ jid, author, isFast }: Asker): Promise<boolean> {
    const key = JSON.stringify([author, jid.toString()]);
    const known = this.#kinds.use(key);
    const asked = known ?? this.#ask(jid);
    if (known === undefined) this.#kinds.set(key, asked);
    const kind = await asked;
    // The client may answer the next time.
    if (kind === 'unknown' && this.#kinds.get(key) === asked) this.#kinds.delete(key);
    return kind === 'program' || (kind === 'unknown' && isFast);
  }

  async #ask(jid: Jid): Promise<Kind> {
    // A server answers for a bare JID.
    if (jid.isBare) return 'unknown';
    try {
      return kindOf((await this.#client.get(serviceDiscovery).info(jid, { timeoutMs: TIMEOUT_MS })).identities);
    } catch (error) {
      if (error instanceof XmppError) return 'unknown';
      throw error;
    }
  }
}

/** What the identities say. Behind a gateway there are people. */
function kindOf(identities: readonly Identity[]): Kind {
  const isProgram = identities.some(
    ({ category, type }) => category === 'automation' || (category === 'client' && type === 'bot'),
  );
  if (isProgram) return 'program';
  return identities.some(({ category }) => category === 'client' || category === 'gateway') ? 'person' : 'unknown';
}
