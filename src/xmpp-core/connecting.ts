/** Finds a server of a domain that accepts us: tries each target in order, follows redirects, and records failures. */
import { withDeadline } from './deadline.js';
import { ConnectError, NegotiationError, SaslError, StreamError, XmppError, type ConnectAttempt } from './errors.js';
import { isPermanent } from './reconnect.js';
import { discoverWebSockets } from './transport/host-meta.js';
import type { HttpRequest, HttpResponse } from './transport/http.js';
import { withPortCheck } from './transport/port-probe.js';
import {
  describeTarget,
  findTargets,
  redirectedFrom,
  webSocketTarget,
  type ServerOverride,
  type SrvResolver,
  type Target,
} from './transport/targets.js';

/** Where to look for a domain's server. */
export interface Route {
  /** The domainpart of the account. */
  readonly domain: string;
  /** Replaces the DNS lookup. */
  readonly server?: ServerOverride | undefined;
  /** A URL: connect only there. `discover`: also try the URLs of host-meta if nothing else could be reached. */
  readonly websocket?: string | undefined;
  readonly resolver?: SrvResolver | undefined;
  /** The deadline of each lookup and each target, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether to find out what a port that behaves unexpectedly is for; `true` unless given. Not needed for ports that have worked. */
  readonly checksPorts?: boolean | undefined;
  readonly http: (request: HttpRequest) => Promise<HttpResponse>;
}

/** RFC 6120 §4.9.3.19: no more than 5 in a row. */
const MAX_REDIRECTS = 5;

/**
 * Tries the targets of a domain until one accepts us.
 * @param enter connects to one target and negotiates with it; it calls `onAnswer` when the first bytes arrive
 * @param first a target to try before all others: the redirect of the last session
 * @returns the result of `enter`
 * @throws ConnectError with all attempts; the NegotiationError of the only attempt; SaslError at once; or the signal's reason
 */
export async function connectFirst<Session>(
  route: Route,
  enter: (target: Target, signal: AbortSignal, onAnswer: () => void) => Promise<Session>,
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
          'url' in here || route.checksPorts === false
            ? enter(here, deadline, () => undefined)
            : withPortCheck(here, deadline, (...checked) => enter(here, ...checked)),
        );
      } catch (error) {
        // The servers of a domain share its accounts: if one rejects the password, all would.
        if (signal.aborted || error instanceof SaslError) throw error;
        attempts.push(attempt(description, error));
        target = hops < MAX_REDIRECTS ? redirectTarget(error, here) : undefined;
      }
    }
  }
  const only = attempts.length === 1 ? attempts[0]?.error : undefined;
  throw only instanceof NegotiationError ? only : new ConnectError(route.domain, attempts);
}

/** The target of the server's redirect, if one ended the stream and it is allowed. */
export function redirectTarget(reason: unknown, from: Target): Target | undefined {
  return reason instanceof StreamError && reason.seeOther !== undefined
    ? redirectedFrom(from, reason.seeOther)
    : undefined;
}

/** Yields the targets in order. Each lookup runs only after all earlier targets have failed, and adds its own failure to `attempts`. */
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
  // XEP-0156 §2.2: only if RFC 6120's methods are exhausted. After an untrusted certificate we stop: an impostor must not choose how
  // we connect.
  if (websocket !== 'discover' || attempts.some(({ error }) => isPermanent(error))) return;
  yield* await lookUp(`the host-meta of ${domain}`, (deadline) =>
    discoverWebSockets(domain, (request) => http({ ...request, signal: deadline })),
  );
}

function attempt(target: string, error: unknown): ConnectAttempt {
  return { target, error: error instanceof Error ? error : new XmppError(String(error)) };
}
