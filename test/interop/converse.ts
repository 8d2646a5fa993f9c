import { readFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

import type { Client, Login, Shown } from './client.js';
import { PATIENCE } from './inbox.js';

const CHROMIUM = '/usr/bin/chromium';
/** Installed by ./run, with what drives the browser. */
export const CONVERSE = join(process.cwd(), 'test/interop/node_modules/converse.js');

/** It talks to nobody but loopback: other names do not resolve, and nothing runs in it that would fetch by itself. */
const BROWSER_OPTIONS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

/** A browser, and the site on which it finds converse.js. Everybody who opens it has a new profile of their own. */
export class ConverseSite {
  readonly #browser: Browser;
  readonly #http: HttpServer;

  private constructor(browser: Browser, http: HttpServer) {
    this.#browser = browser;
    this.#http = http;
  }

  /** @param webSocket where the XMPP server has its WebSocket (RFC 7395) */
  static async start(webSocket: string): Promise<ConverseSite> {
    const http = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
      file(path, webSocket).then(
        (content) =>
          response.writeHead(200, { 'content-type': MEDIA_TYPES[extname(path)] ?? 'text/html' }).end(content),
        () => response.writeHead(404).end(),
      );
    });
    await once(http.listen(0, '127.0.0.1'), 'listening');
    try {
      const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: BROWSER_OPTIONS });
      return new ConverseSite(browser, http);
    } catch (error) {
      http.close();
      throw error;
    }
  }

  /** Somebody opens the page and logs in. */
  async enter(login: Login): Promise<Converse> {
    const { port } = this.#http.address() as AddressInfo;
    const context = await this.#browser.newContext({
      // The authority of the server is private. What the browser trusts is the person's affair, not the bot's.
      ignoreHTTPSErrors: true,
      viewport: { width: 1100, height: 1200 },
      locale: 'en',
    });
    context.setDefaultTimeout(PATIENCE);
    await context.route(
      ({ hostname }) => hostname !== 'localhost' && hostname !== '127.0.0.1',
      async (route) => route.abort(),
    );
    const page = await context.newPage();
    return Converse.logIn(page, `http://127.0.0.1:${port}/`, login);
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    this.#http.closeAllConnections();
    this.#http.close();
  }
}

/** converse.js in a browser: a person who reads a page. */
export class Converse implements Client {
  readonly #page: Page;
  /** The open conversation. */
  #box: Locator;
  readonly #log: string[] = [];

  private constructor(page: Page) {
    this.#page = page;
    this.#box = page.locator('.chatbox');
    page.on('console', (message) => this.#log.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.#log.push(`error: ${error.message}`));
  }

  static async logIn(page: Page, address: string, { jid, password }: Login): Promise<Converse> {
    const converse = new Converse(page);
    await page.goto(address);
    await page.getByLabel('XMPP Address').fill(jid);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('converse-user-profile').waitFor();
    return converse;
  }

  async chat(jid: string): Promise<void> {
    await this.#open('chat', jid);
    await this.#writing.waitFor();
  }

  async join(room: string, nick: string): Promise<void> {
    await this.#open('room', room);
    const asked = this.#box.getByPlaceholder('Nickname');
    await asked.fill(nick);
    await asked.press('Enter');
    await this.#writing.waitFor();
  }

  async say(text: string): Promise<void> {
    await this.#writing.fill(text);
    await this.#writing.press('Enter');
  }

  async correct(text: string): Promise<void> {
    const mine = this.#messages.filter({ has: this.#page.locator('.chat-msg__content--me') }).last();
    await this.#act(mine, 'Edit');
    await this.say(text);
  }

  /** Reacts to the last message that the other side wrote (XEP-0444). */
  async react(emoji: string): Promise<void> {
    const theirs = this.#messages.filter({ has: this.#page.locator('.chat-msg__content--them') }).last();
    await this.#act(theirs, 'Add Reaction');
    await theirs.getByRole('button', { name: emoji }).click();
    await theirs.locator('.chat-msg__reaction', { hasText: emoji }).waitFor();
  }

  async conversation(): Promise<readonly Shown[]> {
    return Promise.all((await this.#messages.all()).map(shown));
  }

  async isTyping(): Promise<boolean> {
    return /typing/.test(await this.#box.locator('.chat-content__notifications').innerText());
  }

  /** Takes a picture of the page, as PNG. */
  async picture(path: string): Promise<void> {
    await this.#page.screenshot({ path });
  }

  async screen(): Promise<string> {
    return [await this.#page.locator('body').innerText(), ...this.#log].join('\n');
  }

  async leave(): Promise<void> {
    await this.#page.context().close();
  }

  /** What is shown as blocks of code in the open conversation. */
  async codeBlocks(): Promise<readonly string[]> {
    const blocks = await this.#box.locator('.chat-msg__text code.block').allInnerTexts();
    return blocks.map((block) => block.trim());
  }

  get #messages(): Locator {
    return this.#box.locator('.chat-msg');
  }

  get #writing(): Locator {
    return this.#box.locator('.chat-textarea');
  }

  /** Follows a link of the client's own into a conversation. */
  async #open(kind: 'chat' | 'room', jid: string): Promise<void> {
    await this.#page.evaluate(`location.hash = ${JSON.stringify(`#converse/${kind}?jid=${jid}`)}`);
    this.#box = this.#page.locator(`.chatbox[jid="${jid}"]`);
  }

  /** Chooses from the menu of a message. */
  async #act(message: Locator, action: string): Promise<void> {
    await message.hover();
    await message.locator('.dropdown-toggle').first().click();
    await message.getByRole('button', { name: action }).click();
  }
}

async function shown(message: Locator): Promise<Shown> {
  const [answers] = await message.locator('.chat-msg__reply-text').allInnerTexts();
  return {
    mine: (await message.locator('.chat-msg__content--me').count()) > 0,
    // Where it does not find the link of a file in the text (ejabberd has the body last), it shows it below, and no text.
    text: (await message.locator('.chat-msg__text, .chat-msg__media').allInnerTexts()).join('\n').trim(),
    edited: (await message.locator('.chat-msg__edit-modal').count()) > 0,
    answers,
  };
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

async function file(path: string, webSocket: string): Promise<string | Buffer> {
  return path === '/' ? page(webSocket) : readFile(join(CONVERSE, 'dist', path));
}

/** The page on which converse.js runs, with its usual settings but for what would ask other hosts. */
function page(webSocket: string): string {
  const settings = {
    authentication: 'login',
    assets_path: '/',
    discover_connection_methods: false,
    websocket_url: webSocket,
    view_mode: 'fullscreen',
    i18n: 'en',
    play_sounds: false,
    show_desktop_notifications: false,
  };
  return `<!doctype html>
<html class="converse-fullscreen" lang="en">
<head><meta charset="utf-8"><title>converse.js</title><link rel="stylesheet" href="/converse.min.css"></head>
<body class="converse-fullscreen">
<script type="module">
  import '/converse.min.js';
  window.converse.initialize(${JSON.stringify(settings)});
</script>
</body>
</html>`;
}
