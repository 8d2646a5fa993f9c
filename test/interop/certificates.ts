import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate with its private key, as PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate that has to be refused has wrong. */
export const FAULTS = ['wrong-name', 'expired', 'self-signed'] as const;
export type Fault = (typeof FAULTS)[number];

/** What a test run trusts and serves: made anew for every run, so that no key lies in the repository. */
export interface Certificates {
  /** PEM file of the private certificate authority. */
  readonly authority: string;
  /** For the server's domain, what is below it, and `localhost`, which the URLs of uploads name. */
  readonly good: Certificate;
  /** For `ann` at the virtual host `certified.DOMAIN`, as a client shows it. */
  readonly client: Certificate;
  /** For the virtual hosts `FAULT.test`. */
  readonly faulty: Readonly<Record<Fault, Certificate>>;
}

/** The virtual host that serves a certificate with the given fault. */
export function faultyHost(fault: Fault): string {
  return `${fault}.test`;
}

/**
 * Makes a certificate authority and the certificates of one server with the `openssl` command.
 *
 * @param directory where the files go; it has to exist
 * @param domain the XMPP domain of the server, such as `prosody.test`
 */
export async function makeCertificates(directory: string, domain: string): Promise<Certificates> {
  const authority = new Authority(directory);
  await authority.found();
  const services = [domain, `*.${domain}`, 'localhost'];
  return {
    authority: authority.certificate,
    good: await authority.issue('good', services),
    client: await authority.issueTo('client', `ann@certified.${domain}`),
    faulty: {
      'wrong-name': await authority.issue('wrong-name', ['elsewhere.test']),
      expired: await authority.issue('expired', [faultyHost('expired')], '20210101000000Z'),
      'self-signed': await authority.issueSelfSigned('self-signed', [faultyHost('self-signed')]),
    },
  };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
const TWO_DAYS = ['-days', '2'];

/** The openssl calls. `openssl ca` keeps a small database, and is the one command that can date a certificate back. */
class Authority {
  readonly certificate: string;
  readonly #directory: string;
  readonly #key: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.certificate = join(directory, 'authority.crt');
    this.#key = join(directory, 'authority.key');
  }

  async found(): Promise<void> {
    await mkdir(join(this.#directory, 'issued'));
    await writeFile(join(this.#directory, 'index'), '');
    await this.#openssl(
      ['req', '-x509', ...NEW_KEY, ...TWO_DAYS],
      ['-subj', '/CN=A private authority for tests', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ['-keyout', this.#key, '-out', this.certificate],
    );
  }

  /** @param until the end of its validity as `YYYYMMDDHHMMSSZ`; without it, the certificate is good for two days */
  async issue(name: string, hosts: readonly string[], until?: string): Promise<Certificate> {
    return this.#issue(name, subject(hosts), alternativeNames(hosts), until);
  }

  /** A certificate of an account: id-on-xmppAddr (RFC 6120 §13.7.1.4). */
  async issueTo(name: string, jid: string): Promise<Certificate> {
    return this.#issue(name, subject([jid]), `otherName:1.3.6.1.5.5.7.8.5;UTF8:${jid}`);
  }

  async #issue(name: string, owner: string, names: string, until?: string): Promise<Certificate> {
    const files = this.#files(name);
    const request = join(this.#directory, `${name}.csr`);
    const configuration = join(this.#directory, `${name}.cnf`);
    await writeFile(configuration, this.#configuration(names));
    await this.#openssl(['req', '-new', ...NEW_KEY, '-subj', owner, '-keyout', files.key, '-out', request]);
    await this.#openssl(
      ['ca', '-batch', '-notext', '-config', configuration, '-cert', this.certificate, '-keyfile', this.#key],
      until === undefined ? TWO_DAYS : ['-startdate', '20200101000000Z', '-enddate', until],
      ['-in', request, '-out', files.certificate],
    );
    return files;
  }

  async issueSelfSigned(name: string, hosts: readonly string[]): Promise<Certificate> {
    const files = this.#files(name);
    await this.#openssl(
      ['req', '-x509', ...NEW_KEY, ...TWO_DAYS],
      ['-subj', subject(hosts), '-addext', `subjectAltName=${alternativeNames(hosts)}`],
      ['-keyout', files.key, '-out', files.certificate],
    );
    return files;
  }

  #files(name: string): Certificate {
    return { certificate: join(this.#directory, `${name}.crt`), key: join(this.#directory, `${name}.key`) };
  }

  #configuration(names: string): string {
    return `[ca]
default_ca = private
[private]
database = ${join(this.#directory, 'index')}
new_certs_dir = ${join(this.#directory, 'issued')}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = ${names}
`;
  }

  async #openssl(...args: readonly (readonly string[])[]): Promise<void> {
    await run('openssl', args.flat());
  }
}

function subject(hosts: readonly string[]): string {
  return `/CN=${hosts[0] ?? 'nobody'}`;
}

function alternativeNames(hosts: readonly string[]): string {
  return hosts.map((host) => `DNS:${host}`).join(',');
}
