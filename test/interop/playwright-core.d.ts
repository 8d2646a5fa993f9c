/**
 * What converse.ts uses of playwright-core, so that types are checked without it: 60 MB that only test/interop/run installs.
 * See https://playwright.dev/docs/api/class-playwright.
 */
declare module 'playwright-core' {
  interface LaunchOptions {
    readonly executablePath: string;
    readonly headless: boolean;
    readonly args: readonly string[];
  }

  interface ContextOptions {
    readonly ignoreHTTPSErrors: boolean;
    readonly viewport: { readonly width: number; readonly height: number };
    readonly locale: string;
  }

  interface Route {
    abort(): Promise<void>;
  }

  interface BrowserContext {
    setDefaultTimeout(ms: number): void;
    route(matches: (url: URL) => boolean, handler: (route: Route) => Promise<void>): Promise<unknown>;
    newPage(): Promise<Page>;
    close(): Promise<void>;
  }

  /** What can be looked for on a page, and within what was found. */
  interface Searchable {
    locator(selector: string, options?: { readonly hasText?: string }): Locator;
    getByLabel(text: string): Locator;
    getByPlaceholder(text: string): Locator;
    getByRole(role: 'button', options: { readonly name: string }): Locator;
  }

  interface ConsoleMessage {
    type(): string;
    text(): string;
  }

  export interface Page extends Searchable {
    on(event: 'console', listener: (message: ConsoleMessage) => void): this;
    on(event: 'pageerror', listener: (error: Error) => void): this;
    goto(url: string): Promise<unknown>;
    evaluate(script: string): Promise<unknown>;
    screenshot(options: { readonly path: string }): Promise<unknown>;
    context(): BrowserContext;
  }

  export interface Locator extends Searchable {
    filter(options: { readonly has: Locator }): Locator;
    first(): Locator;
    last(): Locator;
    all(): Promise<Locator[]>;
    count(): Promise<number>;
    waitFor(): Promise<void>;
    fill(text: string): Promise<void>;
    press(key: string): Promise<void>;
    click(): Promise<void>;
    hover(): Promise<void>;
    innerText(): Promise<string>;
    allInnerTexts(): Promise<string[]>;
  }

  export interface Browser {
    newContext(options: ContextOptions): Promise<BrowserContext>;
    close(): Promise<void>;
  }

  export const chromium: { launch(options: LaunchOptions): Promise<Browser> };
}
