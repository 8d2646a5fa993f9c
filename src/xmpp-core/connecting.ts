/** From an account's domain to a server that lets us in: each target in its order, where servers send us instead, and what failed. */
import { withDeadline } from './deadline.js';
import { ConnectError, NegotiationError, SaslError, StreamError, XmppError, type ConnectAttempt } from './errors.js';
import { isPermanent } from './reconnect.js';
import { discoverWebSockets } from './transport/host-meta.js';
import type { HttpRequest, HttpResponse } from './transport/http.js';
import {
  describeTarget,
  findTargets,
  redirectedFrom,
  webSocketTarget,
  type ServerOverride,
  type SrvResolver,
  type Target,
} from './transport/targets.js';

/** Where a domain's server may be. */
export interface Route {
  /** The domainpart of the account. */
  readonly domain: string;
  /** Instead of what DNS says. */
  readonly server?: ServerOverride | undefined;
  /** A URL: only there. `discover`: also what host-meta names, when nothing else could be reached. */
  readonly websocket?: string | undefined;
  readonly resolver?: SrvResolver | undefined;
  /** For each look-up and each target, in milliseconds. */
  readonly timeoutMs: number;
  readonly http: (request: HttpRequest) => Promise<HttpResponse>;
}

/** RFC 6120 §4.9.3.19: no more than 5 in a row. */
const MAX_REDIRECTS = 5;

/**
 * Tries the targets of a domain until one lets us in.
 * @param enter connects to one target and negotiates with it
 * @param first where to try before all others: a server that was left has sent us there
 * @returns what `enter` returned
 * @throws ConnectError with all that was tried; its only attempt's NegotiationError; SaslError at once; or the signal's reason
 */
export async function enterFirst<Session>(
  route: Route,
  enter: (target: Target, signal: AbortSignal) => Promise<Session>,
  signal: AbortSignal,
  first?: Target,
): Promise<Session> {
  const attempts: ConnectAttempt[] = [];
  for await (const start of targetsOf(route, attempts, signal, first)) {
    let target: Target | undefined = start;
    for (let hops = 0; target !== undefined; hops++) {
      const description = describeTarget(target);
      const here: Target = target;
      try {
        return await withDeadline(`connecting to ${description}`, route.timeoutMs, signal, (deadline) =>
          enter(here, deadline),
        );
      } catch (error) {
        // The servers of one domain share their accounts: what one says of a password, all would say.
        if (signal.aborted || error instanceof SaslError) throw error;
        attempts.push(attempt(description, error));
        target = hops < MAX_REDIRECTS ? whereElse(error, here) : undefined;
      }
    }
  }
  const only = attempts.length === 1 ? attempts[0]?.error : undefined;
  throw only instanceof NegotiationError ? only : new ConnectError(route.domain, attempts);
}

/** Where the server sends us, if that is what ended the stream with it and the way there may be gone. */
export function whereElse(reason: unknown, from: Target): Target | undefined {
  return reason instanceof StreamError && reason.seeOther !== undefined
    ? redirectedFrom(from, reason.seeOther)
    : undefined;
}

/** The targets in their order; each look-up is made when all before it have failed, and adds its own failure to `attempts`. */
async function* targetsOf(
  { domain, server, websocket, resolver, timeoutMs, http }: Route,
  attempts: ConnectAttempt[],
  signal: AbortSignal,
  first: Target | undefined,
): AsyncGenerator<Target, void, undefined> {
  if (first !== undefined) yield first;
  if (websocket !== undefined && websocket !== 'discover') {
    yield webSocketTarget(websocket);
    return;
  }
  const lookUp = async <T>(
    what: string,
    work: (deadline: AbortSignal) => Promise<readonly T[]>,
  ): Promise<readonly T[]> => {
    try {
      return await withDeadline(`looking up ${what}`, timeoutMs, signal, work);
    } catch (error) {
      if (signal.aborted) throw error;
      attempts.push(attempt(what, error));
      return [];
    }
  };
  yield* await lookUp(`the servers of ${domain}`, (deadline) => findTargets(domain, server, resolver, deadline));
  // XEP-0156 §2.2: only when the ways of RFC 6120 are exhausted. A server that was reached and is not trusted is no such case: whoever
  // stands in its place must not be able to choose how we connect.
  if (websocket !== 'discover' || attempts.some(({ error }) => isPermanent(error))) return;
  yield* await lookUp(`the host-meta of ${domain}`, (deadline) =>
    discoverWebSockets(domain, (request) => http({ ...request, signal: deadline })),
  );
}

function attempt(target: string, error: unknown): ConnectAttempt {
  return { target, error: error instanceof Error ? error : new XmppError(String(error)) };
}
