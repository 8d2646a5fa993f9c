import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import { type Certificates, makeCertificates } from '../certificates.js';
import { Program } from '../program.js';
import { freePorts } from './ports.js';

const run = promisify(execFile);

const PORTS = ['startTls', 'directTls', 'https', 'administration', 'erlang'] as const;

/** What a server needs to know to write its configuration. */
export interface Site {
  /** The XMPP domain; `conference.` and `upload.` before it are the rooms and the uploads. */
  readonly domain: string;
  /** A new directory that belongs to the server's user. */
  readonly directory: string;
  /** Ports on 127.0.0.1. */
  readonly ports: Readonly<Record<(typeof PORTS)[number], number>>;
  readonly certificates: Certificates;
}

/** A command line, run as the server's user in the site's directory. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What differs from one server software to the other. */
export interface ServerSoftware {
  readonly name: 'prosody' | 'ejabberd';
  /** The system user that the package made. */
  readonly systemUser: string;
  /** Where its WebSocket is on the HTTPS port. */
  readonly webSocketPath: string;
  /** Writes the configuration into the site's directory. */
  configure(site: Site): Promise<void>;
  /** Runs the server in the foreground. */
  serve(site: Site): Command;
  /** Adds an account. */
  register(site: Site, user: string, host: string, password: string, as: Runner): Promise<void>;
}

/** Runs a command to its end as the server's user; throws when it fails. */
export type Runner = (command: Command) => Promise<void>;

/** A real XMPP server on 127.0.0.1, with a configuration, a certificate authority and accounts of its own. */
export class Server {
  readonly site: Site;
  readonly #software: ServerSoftware;
  readonly #root: string;
  readonly #identity: { readonly uid: number; readonly gid: number };
  #program: Program | undefined;

  private constructor(
    software: ServerSoftware,
    root: string,
    site: Site,
    identity: { readonly uid: number; readonly gid: number },
  ) {
    this.#software = software;
    this.#root = root;
    this.site = site;
    this.#identity = identity;
  }

  /**
   * Makes the certificates and the configuration, and starts the server; it is ready when this returns.
   * @param domain `prosody.test` or the like unless told
   */
  static async start(software: ServerSoftware, domain = `${software.name}.test`): Promise<Server> {
    const identity = await systemUser(software.systemUser);
    const root = await mkdtemp(join(tmpdir(), `${software.name}-`));
    try {
      const site = await prepare(software, root, domain);
      await giveAway(root, identity);
      const server = new Server(software, root, site, identity);
      await server.start();
      return server;
    } catch (error) {
      await rm(root, { recursive: true, force: true });
      throw error;
    }
  }

  get name(): string {
    return this.#software.name;
  }

  get domain(): string {
    return this.site.domain;
  }

  /** PEM file of the authority that vouches for this server. */
  get authority(): string {
    return this.site.certificates.authority;
  }

  /** The address of a room. */
  room(name: string): string {
    return `${name}@conference.${this.domain}`;
  }

  /** Where clients connect, as `host:port`. */
  address(directTls: boolean): string {
    return `127.0.0.1:${directTls ? this.site.ports.directTls : this.site.ports.startTls}`;
  }

  /** The URL of its WebSocket. */
  get webSocket(): string {
    return `wss://localhost:${this.site.ports.https}${this.#software.webSocketPath}`;
  }

  /** What the server printed: for the reader of a failed test. */
  get log(): string {
    return this.#program?.output ?? '';
  }

  /** Adds an account, on the server's domain unless a virtual host is named, and returns its bare JID. */
  async register(user: string, password: string, host: string = this.domain): Promise<string> {
    await this.#software.register(this.site, user, host, password, async (command) => this.#run(command));
    return `${user}@${host}`;
  }

  /** Starts the server again after `kill` or `halt`. */
  async start(): Promise<void> {
    const { file, args, environment } = this.#software.serve(this.site);
    this.#program = new Program(this.name, file, args, this.#options(environment));
    try {
      await ready(this.#program, this.site);
    } catch (error) {
      await this.#program.stop('SIGKILL');
      throw error;
    }
  }

  /** The server dies at once and says goodbye to nobody. */
  async kill(): Promise<void> {
    await this.#program?.stop('SIGKILL');
  }

  /** The server ends in order, and keeps what it has. */
  async halt(): Promise<void> {
    await this.#program?.stop();
  }

  /** The server ends, and says goodbye to everybody (RFC 6120 §4.9.3.19). */
  async shutDown(): Promise<void> {
    await this.#program?.stop();
  }

  /** Stops the server and removes everything it wrote. */
  async stop(): Promise<void> {
    await this.shutDown();
    await rm(this.#root, { recursive: true, force: true });
  }

  async #run({ file, args, environment }: Command): Promise<void> {
    await run(file, [...args], this.#options(environment));
  }

  #options(environment: Readonly<Record<string, string>> = {}): {
    cwd: string;
    env: NodeJS.ProcessEnv;
    uid: number;
    gid: number;
  } {
    return {
      cwd: this.site.directory,
      env: { PATH: process.env['PATH'], HOME: this.site.directory, LANG: 'C.UTF-8', ...environment },
      ...this.#identity,
    };
  }
}

async function prepare(software: ServerSoftware, root: string, domain: string): Promise<Site> {
  const certificateDirectory = join(root, 'certificates');
  const directory = join(root, 'server');
  await mkdir(certificateDirectory);
  await mkdir(directory);
  const certificates = await makeCertificates(certificateDirectory, domain);
  const site = { domain, directory, ports: await freePorts(PORTS), certificates };
  await software.configure(site);
  return site;
}

async function systemUser(name: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function giveAway(directory: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await chown(directory, uid, gid);
  for (const file of await readdir(directory, { recursive: true })) await chown(join(directory, file), uid, gid);
}

const STARTING_TIME = 60_000;

/** A server is ready when its client port answers a stream header with features. */
async function ready(program: Program, site: Site): Promise<void> {
  const deadline = Date.now() + STARTING_TIME;
  while (!(await offersFeatures(site))) {
    if (!program.running) throw new Error(`${program.name} ended while starting:\n${program.output}`);
    if (Date.now() > deadline) {
      throw new Error(`${program.name} is not ready after ${STARTING_TIME} ms:\n${program.output}`);
    }
    // It tells nobody when it begins to listen: there is nothing to wait for but the next try.
    await pause(100);
  }
}

async function offersFeatures({ domain, ports }: Site): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(ports.startTls, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').setTimeout(2_000, () => socket.destroy());
    socket.once('connect', () =>
      socket.write(
        `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
      ),
    );
    socket.on('data', (text: string) => {
      heard += text;
      if (heard.includes('</stream:features>')) socket.destroy();
    });
    // The refusal of a connection is an answer too, and `close` comes after it.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => resolve(heard.includes('</stream:features>')));
  });
}
