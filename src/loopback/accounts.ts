/** The accounts of the loopback server. */
import { X509Certificate } from 'node:crypto';
import { opaqueString } from '../xmpp-core/jid/precis.js';
import { SCRAM_HASHES, type ScramHash } from '../xmpp-core/sasl/scram-keys.js';
import { makeVerifier, type Verifier } from './scram-exchange.js';

interface StoredAccount {
  /** Kept in plain text for PLAIN; this server is for demos and tests. */
  readonly password: string;
  readonly verifiers: Map<ScramHash, Verifier>;
}

/** All accounts, with their credentials. */
export class Accounts {
  readonly #accounts = new Map<string, StoredAccount>();
  readonly #byFingerprint = new Map<string, string>();

  /** Adds an account. @param username a prepared localpart */
  add(username: string, password: string): void {
    this.#accounts.set(username, { password: opaqueString(password), verifiers: new Map() });
  }

  has(username: string): boolean {
    return this.#accounts.has(username);
  }

  checkPlain(username: string, password: string): boolean {
    return this.#accounts.get(username)?.password === password;
  }

  /** Accepts this certificate (PEM) as a login to the account (XEP-0178). */
  trustCertificate(username: string, certificate: string): void {
    this.#byFingerprint.set(new X509Certificate(certificate).fingerprint256, username);
  }

  /** The account that accepts the certificate with that fingerprint. */
  byFingerprint(fingerprint: string): string | undefined {
    return this.#byFingerprint.get(fingerprint);
  }

  /** The SCRAM verifier of an account, derived on first use; `undefined` if there is no such account. */
  async verifier(username: string, mechanism: string): Promise<Verifier | undefined> {
    const account = this.#accounts.get(username);
    const hash = SCRAM_HASHES.find((one) => mechanism.startsWith(`SCRAM-${one}`));
    if (account === undefined || hash === undefined) return undefined;
    const verifier = account.verifiers.get(hash) ?? (await makeVerifier(hash, account.password));
    account.verifiers.set(hash, verifier);
    return verifier;
  }
}
